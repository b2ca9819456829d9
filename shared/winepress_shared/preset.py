"""What a preset sets for a model: the cheapest ways there are to a picture much like the exact one.

`winepress models prepare` measures on a machine what these gain and cost.
"""

from __future__ import annotations

from typing import Any, Final

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.schedulers import find_scheduler
from winepress_shared.model import Model

#: One denoising step of so many is computed.
_INTERVALS: Final = {Quality.FAST: 3, Quality.DRAFT: 5}


def preset_options(model: Model, job: Job, refiner: Model | None = None) -> dict[str, Any]:
    """Values for the options that ``job`` leaves open and its `quality` sets.

    ``job`` is resolved but for these; ``refiner`` finishes its pictures and decodes them. What the
    job itself names is never changed.
    """
    if job.quality is None or job.quality is Quality.EXACT:
        return {}
    found = _step_cache(job, job.quality)
    # Not for key frames: each is drawn around the one before, so losses would add up.
    has_two = all("tiny" in each.autoencoders[1:] for each in (model, refiner) if each)
    is_open = job.is_picture and job.vae is None
    if has_two and is_open and (job.quality is Quality.DRAFT or not found):
        found["vae"] = "tiny"  # where few steps are drawn, decoding takes most of the time
    return found


def _step_cache(job: Job, quality: Quality) -> dict[str, Any]:
    """Guidance is left as it is: a picture without it in some steps is another one."""
    scheduler, _ = find_scheduler(job.scheduler or "")
    interval = min(_INTERVALS[quality], scheduler.cache_interval)
    is_open = job.step_cache is None and job.step_cache_interval is None
    has_many = max(stage.steps for stage in job.stages) > scheduler.uncached_steps
    return {"step_cache_interval": interval} if is_open and has_many and interval > 1 else {}

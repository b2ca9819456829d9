"""What a preset sets for a model: the cheapest ways there are to a picture much like the exact one.

`BENCHMARKS.md` has the times and likenesses; `winepress models prepare` measures them on a machine.
"""

from __future__ import annotations

from typing import Any

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.shortcuts import MOST_UNCACHED, StepCache
from winepress_shared.model import Model

_DRAFT_INTERVAL = 4  #: one step of so many is computed
_DRAFT_GUIDANCE_STOP = 0.4  #: share of the steps; most of what guidance does is done by then


def preset_options(model: Model, job: Job) -> dict[str, Any]:
    """Values for the options that ``job`` leaves open and its `quality` sets.

    ``job`` has its number of steps and its guidance. What the job itself names is never changed.
    """
    if job.quality in (None, Quality.EXACT):
        return {}
    found: dict[str, Any] = {}
    if job.stages[0].steps > MOST_UNCACHED:
        if job.step_cache is None and job.step_cache_interval is None:
            found |= _cached(job.quality)
        is_open = job.guidance_start is None and job.guidance_stop is None
        if job.quality is Quality.DRAFT and job.is_guided and is_open:
            found["guidance_stop"] = _DRAFT_GUIDANCE_STOP
    has_tiny = job.vae is None and "tiny" in model.autoencoders[1:]
    if has_tiny and (not found or job.quality is Quality.DRAFT):
        found["vae"] = "tiny"
    return found


def _cached(quality: Quality) -> dict[str, Any]:
    if quality is Quality.FAST:
        return {"step_cache": StepCache.STRONG}
    return {"step_cache_interval": _DRAFT_INTERVAL}

"""Pictures of one job that are drawn by different models."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import OnStep, Pipeline, PipelineKey, Request
from winepress_worker.pipelines.refined import KeyOf
from winepress_worker.pipelines.warm_pool import WarmPool


class PipelinesByModel:
    """Draws each request with the model it names; loaded when it is first needed."""

    def __init__(self, pool: WarmPool, key_of: KeyOf, load: Callable[[PipelineKey], None]) -> None:
        """``load`` is called with the key of a model that is not warm."""
        self._pool = pool
        self._key_of = key_of
        self._load = load
        self._keys: dict[str, PipelineKey] = {}

    def prepare(self, job: Job, model: str) -> None:
        """Have a model ready to be loaded, which may take long; raises what the engine raises."""
        if model not in self._keys:
            self._keys[model] = self._key_of(model, job.precision)

    def of(self, job: Job) -> Pipeline:
        """The pipeline of the job's model, warm by now."""
        self.prepare(job, job.model)
        key = self._keys[job.model]
        if key not in self._pool.warm:
            self._load(key)
        return self._pool.get(key)

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""
        return self.of(request.job).render(request, on_step)

    def unread(self, job: Job) -> tuple[str, ...]:
        """What the model of ``job`` does not read of its texts."""
        return self.of(job).unread(job)

    def facts(self, request: Request) -> PictureFacts:
        """How the model of ``request`` renders it."""
        return self.of(request.job).facts(request)

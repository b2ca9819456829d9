"""Two models draw one picture: the first hands its latents to the refiner.

With ``denoising_end`` the first leaves the last of the noise to the refiner, as SDXL was trained
(arXiv:2307.01952, 2.5); with ``refiner_strength`` it finishes, and the refiner noises anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from winepress_shared.jobs.job import Job, TextToImage
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.base import Latents, OnStep, Pipeline, PipelineKey, Request
from winepress_worker.pipelines.warm_pool import WarmPool

#: Finds the key of a model in a precision, preparing it if need be.
KeyOf = Callable[[str, Precision], PipelineKey]


class StagedPipeline:
    """A pipeline that calls a second one for the jobs that name a refiner."""

    def __init__(self, first: Pipeline, pool: WarmPool, key_of: KeyOf) -> None:
        self.key = first.key
        self.footprint = first.footprint
        self._first = first
        self._second: Pipeline | None = None  #: the refiner used last
        self._keys: dict[str, PipelineKey] = {}
        self._pool = pool
        self._key_of = key_of

    def warm_refiner(self, job: Job) -> None:
        """Load the refiner of ``job``, if any; raises EnvironmentFault when both do not fit."""
        if isinstance(job, TextToImage) and job.refiner:
            self._refiner(job.refiner, job.precision)

    @property
    def device(self) -> str:
        """The first model's own; what takes one shape only has none before its first picture."""
        return self._first.device

    @property
    def is_warm(self) -> bool:
        """Whether all have drawn that take part."""
        return self._first.is_warm and (self._second is None or self._second.is_warm)

    def warm_up(self) -> None:
        """Warm the first model up; the refiner is loaded for a picture that waits."""
        self._first.warm_up()

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""
        job = request.job
        if not isinstance(job, TextToImage) or job.refiner is None:
            return self._first.render(request, on_step)
        second = self._refiner(job.refiner, job.precision)
        following = _refining_steps(job)
        done_before = 0

        def on_first(done: int, total: int) -> None:
            nonlocal done_before
            done_before = done
            on_step(done, total + following)

        def on_second(done: int, total: int) -> None:
            on_step(done_before + done, done_before + total)

        latents = self._first.run_base(request, on_first)
        return second.run_refiner(request, latents, on_second)

    def run_base(self, request: Request, on_step: OnStep) -> Latents:
        """The first model's own."""
        return self._first.run_base(request, on_step)

    def run_refiner(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        """The first model's own: it may be a refiner too."""
        return self._first.run_refiner(request, latents, on_step)

    def facts(self, request: Request) -> PictureFacts:
        """How both render ``request``."""
        facts, job = self._first.facts(request), request.job
        if not isinstance(job, TextToImage) or job.refiner is None:
            return facts
        revision = self._keys[job.refiner].revision
        return replace(facts, revision=f"{facts.revision}+{revision}")

    def unread(self, job: Job) -> tuple[str, ...]:
        """The first model's: a refiner's text encoder is its second one."""
        return self._first.unread(job)

    def close(self) -> None:
        """Give the first model's memory back; the refiner's is the pool's to give."""
        self._first.close()

    def _refiner(self, name: str, precision: Precision) -> Pipeline:
        """The refiner, loaded beside the first model and never in its place."""
        if name not in self._keys:
            self._keys[name] = self._key_of(name, precision)
        with self._pool.pinned(self.key):
            self._second = self._pool.get(self._keys[name])
        return self._second


def _refining_steps(job: TextToImage) -> int:
    """How many steps the refiner is going to take."""
    steps = job.num_inference_steps or 1
    if job.refiner_strength is not None:
        return max(1, int(steps * job.refiner_strength))
    return max(1, steps - int(steps * (job.denoising_end or 1.0)))

"""The interface of every engine: prepare a model, load its pipeline, render requests with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.models.manifest import Prepared
from winepress_worker.report import Report, ignore_progress


@dataclass(frozen=True)
class PipelineKey:
    """Everything that decides which compiled pipeline serves a unit; equal keys share one."""

    model: str  #: catalogue name
    revision: str  #: content hash of the prepared model
    precision: Precision
    device: str  #: OpenVINO device string: CPU, GPU, GPU.1, NPU, AUTO, AUTO:NPU,CPU

    @classmethod
    def of(cls, prepared: Prepared, device: str) -> PipelineKey:
        """The key of a prepared model on ``device``."""
        return cls(prepared.name, prepared.revision, prepared.precision, device)


#: Called with (steps done, steps in all) and a small RGB picture of each one being drawn.
OnPreview = Callable[[int, int, Sequence[Image.Image]], None]


@dataclass(frozen=True)
class Request:
    """One call of a pipeline: pictures that differ only in their seeds and texts."""

    job: Job  #: resolved: size, steps, guidance, scheduler and seed are all set
    seeds: tuple[int, ...]  #: one picture each
    image: Image.Image | None = None  #: source picture, RGB
    mask: Image.Image | None = None  #: greyscale, white is drawn anew
    others: tuple[tuple[str, str], ...] = ()  #: prompt and negative prompt, of the second one on
    on_preview: OnPreview | None = None  #: called after every `Job.preview_every` steps

    @classmethod
    def together(
        cls, jobs: Sequence[Job], image: Image.Image | None, mask: Image.Image | None
    ) -> Request:
        """One picture of each job; they must be alike but for seeds and texts."""
        others = tuple((job.prompt, job.negative_prompt) for job in jobs[1:])
        return cls(jobs[0], tuple(job.seed or 0 for job in jobs), image, mask, others)

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Prompt and negative prompt of each picture."""
        own = (self.job.prompt, self.job.negative_prompt)
        return (own, *self.others) if self.others else (own,) * len(self.seeds)


#: What one pipeline hands to the next of the same engine; opaque to everything else.
Latents = Any

#: Called after every denoising step with (steps done, steps in all); may raise to stop the render.
OnStep = Callable[[int, int], None]


def ignore_steps(done: int, steps: int) -> None:
    """An `OnStep` that does nothing."""


class Pipeline(Protocol):
    """A compiled model, ready to render. Not thread-safe: one call at a time."""

    key: PipelineKey
    footprint: int  #: memory held, in bytes

    @property
    def device(self) -> str:
        """The device actually used, as OpenVINO reports it."""

    @property
    def is_warm(self) -> bool:
        """Whether it has drawn: its first call prepares more than it draws."""

    def warm_up(self) -> None:
        """Draw a picture and throw it away, so that the next call is fast; raises like `render`.

        For models that are loaded ahead; otherwise the picture that waits warms the pipeline up.
        """

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed.

        An exception raised by ``on_step`` ends the call and leaves the pipeline usable. Raises
        RetryElsewhere when the output is not a picture (NaN, all one colour), FailForGood when
        the request can never work, WorkerBroken when the device is lost.
        """

    def run_base(self, request: Request, on_step: OnStep) -> Latents:
        """The first stage of a job with a refiner: latents, with the noise that is left in them."""

    def run_refiner(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        """The second stage, by the refiner: one RGB picture per seed; raises like `render`."""

    def facts(self, request: Request) -> PictureFacts:
        """How this pipeline renders ``request``."""

    def unread(self, job: Job) -> tuple[str, ...]:
        """A sentence about each text of ``job`` whose last words this model does not read."""

    def close(self) -> None:
        """Give the memory back."""


class RequestRenderer(Protocol):
    """Renders requests: one pipeline, or several that work together."""

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""

    def facts(self, request: Request) -> PictureFacts:
        """How ``request`` is rendered."""

    def unread(self, job: Job) -> tuple[str, ...]:
        """A sentence about each text of ``job`` whose last words are not read."""


class Engine(Protocol):
    """Loads pipelines for one device."""

    def prepare(
        self, model: str, precision: Precision, report: Report = ignore_progress
    ) -> PipelineKey:
        """Have a model ready on this machine; returns the key under which `load` loads it.

        Takes half a minute or more where it is not prepared yet; ``report`` is told how far that
        is. Raises UnknownModel or EnvironmentFault.
        """

    def estimate(self, key: PipelineKey) -> int:
        """Memory a pipeline will need, in bytes, for one that was never loaded here."""

    def load(self, key: PipelineKey) -> Pipeline:
        """Read and compile; raises EnvironmentFault when the model is missing or corrupt."""

"""The interface of every engine: prepare a model, load its pipeline, render requests with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.blobs.sharing import SharedBlobs
from winepress_worker.device_name import DeviceName
from winepress_worker.models.manifest import Prepared
from winepress_worker.report import Report, ignore_progress
from winepress_worker.tally import Tally


@dataclass(frozen=True)
class PipelineKey:
    """Identifies the compiled pipeline for a unit; units with equal keys share one."""

    model: str  #: catalogue name
    revision: str  #: content hash of the prepared model
    precision: Precision
    device: str  #: OpenVINO device string: CPU, GPU, GPU.1, NPU, AUTO, AUTO:NPU,CPU

    @classmethod
    def of(cls, prepared: Prepared, device: str) -> PipelineKey:
        """The key of a prepared model on ``device``."""
        return cls(prepared.name, prepared.revision, prepared.precision, device)

    @property
    def name(self) -> str:
        """Model and precision, as lanes have them."""
        return f"{self.model}.{self.precision.value}"

    @property
    def is_on_cpu(self) -> bool:
        """Whether the processor's own cores compute everything."""
        return DeviceName(self.device).real == "CPU"


#: Called with (steps done, total steps) and a small RGB picture of each one being drawn.
OnPreview = Callable[[int, int, Sequence[Image.Image]], None]


@dataclass(frozen=True)
class Request:
    """One call of a pipeline, for pictures that differ only in seeds and texts."""

    job: Job  #: resolved: size, steps, guidance, scheduler and seed are all set
    seeds: tuple[int, ...]  #: one picture each
    image: Image.Image | None = None  #: source picture, RGB
    mask: Image.Image | None = None  #: greyscale, white is repainted
    #: Prompt and negative prompt, from the second picture on.
    others: tuple[tuple[str, str], ...] = ()
    on_preview: OnPreview | None = None  #: called after every `Job.preview_every` steps

    @classmethod
    def together(
        cls, jobs: Sequence[Job], image: Image.Image | None, mask: Image.Image | None
    ) -> Request:
        """A request for one picture of each job; the jobs may differ only in seeds and texts."""
        others = tuple((job.prompt, job.negative_prompt) for job in jobs[1:])
        return cls(jobs[0], tuple(job.seed or 0 for job in jobs), image, mask, others)

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Prompt and negative prompt of each picture."""
        own = (self.job.prompt, self.job.negative_prompt)
        return (own, *self.others) if self.others else (own,) * len(self.seeds)


#: What one pipeline hands to the next of the same engine; opaque to everything else.
Latents = Any

#: Called after every denoising step with (steps done, total steps); may raise to stop the render.
OnStep = Callable[[int, int], None]


def ignore_steps(done: int, steps: int) -> None:
    """An `OnStep` that does nothing."""


class Pipeline(Protocol):
    """A compiled model, ready to render. Not thread-safe: one call at a time."""

    key: PipelineKey
    footprint: int  #: memory held, in bytes

    @property
    def device(self) -> str:
        """The device in use, as OpenVINO reports it."""

    @property
    def is_warm(self) -> bool:
        """True after the first render, which takes longer because it also prepares."""

    def warm_up(self) -> None:
        """Draw a picture and throw it away, so that the next call is fast; raises like `render`.

        For models that are loaded ahead; otherwise the picture that waits warms the pipeline up.
        """

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed.

        An exception raised by ``on_step`` ends the call and leaves the pipeline usable. Raises
        BadOutput if the output is not a picture (NaN, all one colour), FailForGood if the
        request can never work, WorkerBroken if the device is lost.
        """

    def run_base(self, request: Request, on_step: OnStep) -> Latents:
        """The first stage of a job with a refiner: latents with their remaining noise."""

    def run_refiner(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        """The second stage, by the refiner: one RGB picture per seed; raises like `render`."""

    def facts(self, request: Request) -> PictureFacts:
        """How this pipeline renders ``request``."""

    def unread(self, job: Job) -> tuple[str, ...]:
        """A warning about each text of ``job`` that is longer than this model reads."""

    def close(self) -> None:
        """Free the memory."""


class RequestRenderer(Protocol):
    """Renders requests: one pipeline, or several that work together."""

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""

    def facts(self, request: Request) -> PictureFacts:
        """How ``request`` is rendered."""

    def unread(self, job: Job) -> tuple[str, ...]:
        """A warning about each text of ``job`` that is longer than is read."""


class Engine(Protocol):
    """Loads pipelines for one device."""

    def prepare(
        self, model: str, precision: Precision, report: Report = ignore_progress
    ) -> PipelineKey:
        """Prepare a model on this machine; returns the key under which `load` loads it.

        Takes half a minute or more if it is not prepared yet; ``report`` gets the progress. Raises
        UnknownModel, StoreUnreachable or EnvironmentFault.
        """

    def estimate(self, key: PipelineKey) -> int:
        """Memory that a pipeline never loaded here will need, in bytes."""

    def load(self, key: PipelineKey) -> Pipeline:
        """Read and compile; raises EnvironmentFault if the model is missing or corrupt."""


@runtime_checkable
class CountingEngine(Protocol):
    """An engine that counts what its worker tells of: compiled parts, and those read from blobs."""

    tally: Tally


@runtime_checkable
class BlobSharingEngine(Protocol):
    """An engine whose compiled blobs alike devices may share."""

    shared_blobs: SharedBlobs | None  #: None: they stay on this machine

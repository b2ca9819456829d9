"""An engine without a model: instant, deterministic pictures, and failures on request.

For tests, rehearsals and benchmarks of everything but the rendering. A marker in a job's prompt
selects a fault::

    [[crash]]         at the first step
    [[crash@3]]       at step 3
    [[crash@3#7]]     at step 3, only if the picture of seed 7 is in the call
    [[crash!]]        only once for this prompt (recorded in `FakeSettings.scratch`)

The file `FakeSettings.witness` gets a line of JSON whenever a picture is begun, and when it is
drawn: a rehearsal can count executions without asking the ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from winepress_shared.errors import (
    EnvironmentFault,
    FailForGood,
    RetryElsewhere,
    Stopped,
    WorkerBroken,
)
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import Latents, OnStep, PipelineKey, Request
from winepress_worker.engines.canvas import Canvas, check_pictures
from winepress_worker.engines.token_limit import unread_warnings
from winepress_worker.fake_settings import FakeSettings, Fault
from winepress_worker.report import Report, ignore_progress

_REVISION = "fake"
_HANG_STEP_S = 0.05  #: a hanging render wakes this often to receive signals
_EXIT_CODE = 70  #: of a process ended by the fault ``exit``; EX_SOFTWARE of sysexits.h
_SHAPES = 4  #: ellipses on one picture


_MARKER = re.compile(
    r"\[\[(?P<fault>[a-z]+)(?:@(?P<step>\d{1,3}))?(?:#(?P<seed>\d{1,16}))?(?P<once>!)?\]\]"
)


class FakeEngine:
    """Loads pipelines that need no model."""

    def __init__(
        self,
        settings: FakeSettings | None = None,
        device: str = "CPU",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings or FakeSettings()
        self._device = device
        self._sleep = sleep

    def prepare(
        self, model: str, precision: Precision, report: Report = ignore_progress
    ) -> PipelineKey:
        """Return the key; every model exists."""
        return PipelineKey(model, _REVISION, precision, self._device)

    def estimate(self, key: PipelineKey) -> int:
        """The footprint that the settings give every pipeline."""
        return self._settings.footprint_bytes

    def load(self, key: PipelineKey) -> FakePipeline:
        """Wait `FakeSettings.load_s`, then raise the settings' fault if any."""
        self._sleep(self._settings.load_s)
        if self._settings.load_fault:
            _strike(self._settings.load_fault, self._sleep)
        return FakePipeline(key, self._settings, self._sleep)


class FakePipeline:
    """Draws pictures that depend only on prompt, seed, size and source."""

    def __init__(
        self, key: PipelineKey, settings: FakeSettings, sleep: Callable[[float], None]
    ) -> None:
        self.key = key
        self.footprint = settings.footprint_bytes
        self.is_warm = False
        self.device = DeviceName.parse(key.device).real
        self._settings = settings
        self._sleep = sleep

    def warm_up(self) -> None:
        """Wait `FakeSettings.first_s`, once; see `Pipeline.warm_up`."""
        if self._settings.first_s and not self.is_warm:
            self._sleep(self._settings.first_s)
        self.is_warm = True

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""
        self.warm_up()
        canvas = Canvas.of(request)
        plan = _Plan.of(request, self._settings.scratch)
        total, others = _steps(request), len(request.seeds) - 1
        self._witness("begin", request)
        for step in range(1, total + 1):
            self._sleep(self._settings.step_s * (1 + self._settings.more * others))
            if plan.strikes_at(step):
                _strike(plan.fault, self._sleep)
            try:
                on_step(step, total)
                self._show(request, canvas, step, total)
            except Stopped:
                if plan.fault is not Fault.DEAF:
                    raise
        drawings = zip(request.seeds, request.texts, strict=True)
        pictures = [_draw(request.job, canvas, seed, texts) for seed, texts in drawings]
        if plan.fault is Fault.FLAT:
            pictures = [Image.new("RGB", canvas.size) for _ in request.seeds]
        check_pictures(pictures)
        self._witness("end", request)
        return [canvas.finish(picture) for picture in pictures]

    def _witness(self, did: str, request: Request) -> None:
        """Append a line for each picture, in one write: lines of several processes never mix."""
        if self._settings.witness is None:
            return
        at, pid = time.monotonic(), os.getpid()
        told = (
            {"did": did, "prompt": prompt, "seed": seed, "pid": pid, "at": at}
            for seed, (prompt, _) in zip(request.seeds, request.texts, strict=True)
        )
        text = "".join(f"{json.dumps(one)}\n" for one in told)
        file = os.open(self._settings.witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)

    def _show(self, request: Request, canvas: Canvas, step: int, total: int) -> None:
        every = request.job.preview_every
        if every and request.on_preview and step % every == 0 and step < total:
            drawings = zip(request.seeds, request.texts, strict=True)
            pictures = [_draw(request.job, canvas, seed, texts) for seed, texts in drawings]
            request.on_preview(step, total, [picture.resize((64, 64)) for picture in pictures])

    def run_base(self, request: Request, on_step: OnStep) -> Latents:
        """Render; the pictures serve as latents."""
        return self.render(request, on_step)

    def run_refiner(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        """Turn every picture upside down, so that tests can see the second stage ran."""
        on_step(1, 1)
        return [ImageOps.flip(picture) for picture in latents]

    def facts(self, request: Request) -> PictureFacts:
        """Facts that show the picture is fake."""
        return PictureFacts(
            "fake", self.device, "none", self.key.revision, str(request.job.scheduler)
        )

    def unread(self, job: Job) -> tuple[str, ...]:
        """Warnings like `Pipeline.unread`, with one token per word."""
        return unread_warnings([_Words()], job)

    def close(self) -> None:
        """Do nothing: there is no memory to free."""


class _Words:
    """Acts as CLIP's tokenizer, with the same limit, but one token per word."""

    model_max_length = 77

    def __call__(self, text: str, *, truncation: bool) -> _Words:
        self.input_ids = ["", *text.split(), ""]
        return self

    def decode(self, tokens: list[str], *, skip_special_tokens: bool) -> str:
        return " ".join(tokens)


@dataclass(frozen=True)
class _Plan:
    """The fault of one request, or none."""

    fault: Fault | None = None
    step: int = 1

    @classmethod
    def of(cls, request: Request, scratch: Path | None) -> _Plan:
        """Read the marker in the prompt; raises FailForGood if its fault is unknown."""
        marker = next(filter(None, (_MARKER.search(prompt) for prompt, _ in request.texts)), None)
        if marker is None or (marker["seed"] and int(marker["seed"]) not in request.seeds):
            return cls()
        if marker["fault"] not in list(Fault):
            raise FailForGood("unknown fault", value=marker["fault"], allowed=", ".join(Fault))
        if marker["once"] and not _first_time(marker.string, scratch):
            return cls()
        return cls(Fault(marker["fault"]), int(marker["step"] or 1))

    def strikes_at(self, step: int) -> bool:
        return step == self.step and self.fault not in (None, Fault.DEAF, Fault.FLAT)


def _first_time(prompt: str, scratch: Path | None) -> bool:
    """True at the first call for a prompt; recorded before the fault, which may be a crash."""
    if scratch is None:
        raise FailForGood("a one-time fault needs FakeSettings.scratch", field="prompt")
    try:
        (scratch / hashlib.sha256(prompt.encode()).hexdigest()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _strike(fault: Fault | None, sleep: Callable[[float], None]) -> None:
    problem = "a requested fault"
    match fault:
        case Fault.RETRY:
            raise RetryElsewhere(problem)
        case Fault.FAIL:
            raise FailForGood(problem)
        case Fault.ENVIRONMENT:
            raise EnvironmentFault(problem)
        case Fault.BROKEN:
            raise WorkerBroken(problem)
        case Fault.BUG:
            raise ZeroDivisionError(problem)
        case Fault.EXIT:
            os._exit(_EXIT_CODE)
        case Fault.CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        case Fault.HANG:
            while True:
                sleep(_HANG_STEP_S)


def _steps(request: Request) -> int:
    """Steps as diffusers counts them: int(steps × strength) with a source picture."""
    return max(int((request.job.num_inference_steps or 1) * request.job.source_strength), 1)


def _draw(job: Job, canvas: Canvas, seed: int, texts: tuple[str, str]) -> Image.Image:
    """A gradient and some ellipses, with colours and places from a hash."""
    text = f"{texts[0]}\0{texts[1]}\0{job.guidance_scale}\0{seed}"
    drops = hashlib.shake_256(text.encode()).digest(6 + 7 * _SHAPES)
    ramp = Image.linear_gradient("L").resize(canvas.size)
    drawn = ImageOps.colorize(ramp, tuple(drops[:3]), tuple(drops[3:6]))
    pen = ImageDraw.Draw(drawn)
    for shape in range(_SHAPES):
        x, y, width, height, *colour = drops[6 + 7 * shape : 13 + 7 * shape]
        left, top = x * canvas.size[0] // 256, y * canvas.size[1] // 256
        right = left + 1 + width * canvas.size[0] // 512
        bottom = top + 1 + height * canvas.size[1] // 512
        pen.ellipse((left, top, right, bottom), fill=tuple(colour))
    if canvas.image and not canvas.mask:
        return Image.blend(canvas.image, drawn, job.source_strength)
    return drawn

"""Compares a model's presets with its exact pictures: time and likeness on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.quality import Quality
from winepress_shared.model import Model
from winepress_shared.preset import preset_options
from winepress_worker.conversion.calibration import practice
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import Pipeline, PipelineKey, ignore_steps
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.likeness import psnr_db, ssim
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.measured_presets import MeasuredPreset, MeasuredPresets
from winepress_worker.models.recipe import prompts
from winepress_worker.placement import Placement
from winepress_worker.report import Report

_PICTURES = 5
#: A model whose picture takes longer than this draws one of each preset, in seconds.
_PATIENCE_S = 5.0


@dataclass
class _Series:
    """The pictures of one preset, and the time of the fastest."""

    pictures: list[Image.Image] = field(default_factory=list)
    fastest_ms: float = float("inf")

    def draw(self, pipeline: Pipeline, model: Model, quality: Quality, seed: int) -> None:
        """Draw the next picture; the prompts are those that calibration does not use."""
        request = practice(model, prompts(model)[-1 - seed], seed, quality=quality)
        began = time.perf_counter()
        self.pictures += pipeline.render(request, ignore_steps)
        self.fastest_ms = min(self.fastest_ms, 1e3 * (time.perf_counter() - began))


def measure_presets(model: Model, prepared: Prepared, report: Report) -> MeasuredPresets | None:
    """Draw the same pictures with each preset in turns; None if no preset changes anything.

    Raises what rendering raises.
    """
    job = practice(model, prompts(model)[-1], 0).job
    options = {quality: _options(model, job, quality) for quality in Quality}
    differing = [quality for quality, own in options.items() if own]
    if not differing:
        return None
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    # No text is kept: the first of the presets would pay for all.
    parts = CompiledParts(Placement.of(DeviceName(key.device)), None, prepared, text_bytes=0)
    pipeline = OpenVinoPipeline(key, prepared, model.kinds[0], parts)
    series = {quality: _Series() for quality in (Quality.EXACT, *differing)}
    try:
        arithmetic = pipeline.facts(practice(model, prompts(model)[-1], 0)).arithmetic
        for one in series:  # compiles what it needs
            pipeline.render(practice(model, prompts(model)[-1], 0, 1, quality=one), ignore_steps)
        for seed in range(_PICTURES):
            report("measuring the presets", seed / _PICTURES)
            for quality, own in series.items():
                own.draw(pipeline, model, quality, seed)
            if series[Quality.EXACT].fastest_ms > 1e3 * _PATIENCE_S:
                break
    finally:
        pipeline.close()
    exact = series.pop(Quality.EXACT)
    return MeasuredPresets(
        exact_ms=round(exact.fastest_ms, 1),
        pictures=len(exact.pictures),
        steps=job.num_inference_steps or 1,
        size=f"{job.width}x{job.height}",
        arithmetic=arithmetic,
        presets={one: _measured(own, exact, options[one]) for one, own in series.items()},
    )


def _options(model: Model, job: Job, quality: Quality) -> dict[str, str]:
    asked = job.model_copy(update={"quality": quality})
    return {name: str(value) for name, value in preset_options(model, asked).items()}


def _measured(own: _Series, exact: _Series, options: dict[str, str]) -> MeasuredPreset:
    pairs: Sequence[tuple[Image.Image, Image.Image]]
    pairs = list(zip(exact.pictures, own.pictures, strict=True))
    return MeasuredPreset(
        options=options,
        picture_ms=round(own.fastest_ms, 1),
        psnr_db=round(statistics.mean(psnr_db(*pair) for pair in pairs), 2),
        ssim=round(statistics.mean(ssim(*pair) for pair in pairs), 4),
    )

"""Compares a precision with fp16: cost and likeness over the same pictures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from winepress_shared.model import Model
from winepress_worker.conversion.calibration import practice
from winepress_worker.conversion.export import IR_FILE
from winepress_worker.conversion.unet_recorder import recorded_pipeline
from winepress_worker.engines.base import ignore_steps
from winepress_worker.held_memory import HeldMemory
from winepress_worker.models.likeness import psnr_db, ssim
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.measured import Cost, Measured
from winepress_worker.models.recipe import prompts

_PICTURES = 3
_MOST_STEPS = 6  #: per picture; more would not change the result


def compare(model: Model, full: Prepared, other: Prepared, blobs: Path) -> Measured:
    """Draw with both, one after the other, so that only one model is in memory.

    Uses the prompts that calibration does not use. What is compiled of ``other`` is kept below
    ``blobs``, so that a worker need not compile it again. Raises what rendering raises.
    """
    fp16, own = _Drawn(model, full), _Drawn(model, other, blobs)
    pairs = list(zip(fp16.pictures, own.pictures, strict=True))
    return Measured(
        own=own.cost,
        fp16=fp16.cost,
        pictures=len(pairs),
        steps=_steps(model),
        arithmetic=fp16.arithmetic,
        psnr_db=round(statistics.mean(psnr_db(*pair) for pair in pairs), 2),
        ssim=round(statistics.mean(ssim(*pair) for pair in pairs), 4),
    )


class _Drawn:
    """The pictures of one precision, and their cost."""

    def __init__(self, model: Model, prepared: Prepared, blobs: Path | None = None) -> None:
        self.pictures: list[Image.Image] = []
        calls: list[float] = []

        def record(inputs: Mapping[str, Any], seconds: float) -> None:
            calls.append(1e3 * seconds)

        held = HeldMemory()
        pipeline = recorded_pipeline(prepared, model.kinds[0], record, blobs=blobs)
        try:
            first = practice(model, prompts(model)[-1], 0, steps=1)
            self.arithmetic = pipeline.facts(first).arithmetic
            pipeline.render(first, ignore_steps)  # warms up
            calls.clear()
            times = []
            for seed, prompt in enumerate(prompts(model)[-_PICTURES:]):
                began = time.perf_counter()
                request = practice(model, prompt, seed, _steps(model))
                self.pictures += pipeline.render(request, ignore_steps)
                times.append(1e3 * (time.perf_counter() - began))
            memory = held.grown(prepared.size_bytes)
        finally:
            pipeline.close()
        self.cost = Cost(
            unet_bytes=_weights(prepared.path).stat().st_size,
            unet_ms=round(min(calls), 3),
            picture_ms=round(min(times), 1),
            memory_bytes=memory,
        )


def _weights(folder: Path) -> Path:
    return (folder / "unet" / IR_FILE).with_suffix(".bin")


def _steps(model: Model) -> int:
    return min(model.num_inference_steps, _MOST_STEPS)

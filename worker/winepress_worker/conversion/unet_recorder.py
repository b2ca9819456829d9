"""A pipeline that records its UNet's calls: their inputs and times."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.manifest import Prepared
from winepress_worker.placement import Placement

#: Called with the inputs of a call by name, and the seconds it took.
Record = Callable[[Mapping[str, Any], float], None]


def recorded_pipeline(
    prepared: Prepared,
    kind: str,
    record: Record,
    hints: Sequence[str] = (),
    blobs: Path | None = None,
) -> OpenVinoPipeline:
    """The pipeline for jobs, on the CPU, which reports its UNet's calls to ``record``.

    ``hints`` are those of `Placement.of`; what is compiled is kept below ``blobs``.
    """
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    parts = _RecordedParts(Placement.of(DeviceName.parse("CPU"), hints=hints), blobs, prepared)
    parts.record = record
    return OpenVinoPipeline(key, prepared, kind, parts)


class _RecordedParts(CompiledParts):
    """Compiled parts whose UNet reports its calls."""

    record: Record

    def get(self, name: str, model: Any) -> Any:
        """As `CompiledParts.get`, with the UNet recorded."""
        part = super().get(name, model)
        return _RecordedUNet(part, self.record) if name == "unet" else part


class _RecordedUNet:
    """A compiled part that reports its calls."""

    def __init__(self, compiled: Any, record: Record) -> None:
        self._compiled = compiled
        self._record = record

    def __call__(self, inputs: Mapping[str, Any], **options: Any) -> Any:
        began = time.perf_counter()
        outputs = self._compiled(inputs, **options)
        self._record(inputs, time.perf_counter() - began)
        return outputs

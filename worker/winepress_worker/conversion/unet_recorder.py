"""A pipeline whose UNet is listened to: what it is given, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.manifest import Prepared
from winepress_worker.placement import Placement

#: Hears the inputs of a call by name, and the seconds it took.
Hear = Callable[[Mapping[str, Any], float], None]


def watched(
    prepared: Prepared, kind: str, hear: Hear, hints: Sequence[str] = ()
) -> OpenVinoPipeline:
    """The pipeline that jobs are served with, on the CPU, telling ``hear`` of its UNet's calls.

    ``hints`` are those of `Placement.of`.
    """
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    parts = _RecordedParts(Placement.of(DeviceName.parse("CPU"), hints=hints), hear)
    return OpenVinoPipeline(key, prepared, kind, parts)


class _RecordedParts(CompiledParts):
    """Compiled parts that keep no blobs."""

    def __init__(self, placement: Placement, hear: Hear) -> None:
        super().__init__(placement, None)
        self._hear = hear

    def get(self, name: str, model: Any) -> Any:
        """As `CompiledParts.get`, with an ear at the UNet."""
        part = super().get(name, model)
        return _RecordedUNet(part, self._hear) if name == "unet" else part


class _RecordedUNet:
    """Stands in for a compiled part."""

    def __init__(self, compiled: Any, hear: Hear) -> None:
        self._compiled = compiled
        self._hear = hear

    def __call__(self, inputs: Mapping[str, Any], **options: Any) -> Any:
        began = time.perf_counter()
        outputs = self._compiled(inputs, **options)
        self._hear(inputs, time.perf_counter() - began)
        return outputs

"""A pipeline whose UNet is listened to: what it is given, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.manifest import Prepared

#: Hears the inputs of a call by name, and the seconds it took.
Hear = Callable[[Mapping[str, Any], float], None]


class WatchedPipeline(OpenVinoPipeline):
    """The pipeline that jobs are served with, on the CPU, telling ``hear`` of its UNet's calls."""

    def __init__(
        self, prepared: Prepared, kind: str, hear: Hear, properties: Mapping[str, str | int]
    ) -> None:
        """Read and compile; ``properties`` go to OpenVINO."""
        self._hear = hear
        key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
        super().__init__(key, prepared, kind, properties)

    def _compile(self, name: str, part: Any) -> Any:
        compiled = super()._compile(name, part)
        return _Heard(compiled, self._hear) if name == "unet" else compiled


class _Heard:
    """Stands in for a compiled part."""

    def __init__(self, compiled: Any, hear: Hear) -> None:
        self._compiled = compiled
        self._hear = hear

    def __call__(self, inputs: Mapping[str, Any], **options: Any) -> Any:
        began = time.perf_counter()
        outputs = self._compiled(inputs, **options)
        self._hear(inputs, time.perf_counter() - began)
        return outputs

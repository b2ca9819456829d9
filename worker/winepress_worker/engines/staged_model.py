"""Models of which only one stage's are in memory at a time: texts, then denoiser, then autoencoder.

For models larger than a worker's budget. Every picture compiles each stage again, that of texts
only for new ones, which takes longer and changes no byte of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winepress_worker.held_memory import return_freed

#: Read from a compiled model once, so that asking for them later compiles nothing.
_KEPT_PROPERTIES = ("EXECUTION_DEVICES", "INFERENCE_PRECISION_HINT")


class Stages:
    """Knows which stage of one pipeline is in memory."""

    def __init__(self) -> None:
        self._compiled: dict[str, list[StagedModel]] = {}

    def enter(self, stage: str, model: StagedModel) -> None:
        """Free every other stage before ``model`` of ``stage`` is compiled or called."""
        others = [name for name in self._compiled if name != stage]
        for name in others:
            for each in self._compiled.pop(name):
                each.release()
        if others:
            return_freed()
        held = self._compiled.setdefault(stage, [])
        if model not in held:
            held.append(model)


class StagedModel:
    """Acts as a compiled model: compiled when it is called, freed when another stage is."""

    def __init__(
        self, model: Any, compile_model: Callable[[Any], Any], stages: Stages, stage: str
    ) -> None:
        self._model = model
        self._compile = compile_model
        self._stages = stages
        self._stage = stage
        self._compiled: Any = None
        self._properties: dict[str, Any] = {}

    def __call__(self, inputs: Any, share_inputs: bool = False) -> Any:
        """Infer, like a compiled model of OpenVINO."""
        return self._ready()(inputs, share_inputs=share_inputs)

    def get_property(self, name: str) -> Any:
        """A property of the compiled model."""
        if name not in self._properties:
            self._properties[name] = self._ready().get_property(name)
        return self._properties[name]

    @property
    def is_compiled(self) -> bool:
        """Whether it is in memory now."""
        return self._compiled is not None

    def release(self) -> None:
        """Free the memory."""
        self._compiled = None

    def _ready(self) -> Any:
        self._stages.enter(self._stage, self)
        if self._compiled is None:
            self._compiled = self._compile(self._model)
            for name in _KEPT_PROPERTIES:
                self._properties[name] = self._compiled.get_property(name)
        return self._compiled

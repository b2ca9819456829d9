"""One stage of a model in memory at a time."""

from __future__ import annotations

from typing import Any

from winepress_worker.engines.staged_model import StagedModel, Stages


class Compiler:
    """Compiles a name into a function of it, and counts."""

    def __init__(self) -> None:
        self.compiled: list[str] = []

    def __call__(self, model: str) -> Any:
        self.compiled.append(model)
        return Compiled(model)


class Compiled:
    """As a compiled model answers."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, inputs: str, share_inputs: bool = False) -> str:
        return f"{self._name} of {inputs}"

    def get_property(self, name: str) -> str:
        return f"{name} of {self._name}"


def test_a_stage_is_freed_before_the_next_one_is_compiled() -> None:
    """Both text encoders stay until the denoiser is called; it stays for all of its steps."""
    compile_model, stages = Compiler(), Stages()
    one, two = (StagedModel(name, compile_model, stages, "text") for name in ("one", "two"))
    unet = StagedModel("unet", compile_model, stages, "denoise")
    assert [one("a"), two("b"), one("c")] == ["one of a", "two of b", "one of c"]
    assert (one.is_compiled, two.is_compiled, unet.is_compiled) == (True, True, False)
    assert unet("d") == unet("d") == "unet of d"
    assert (one.is_compiled, two.is_compiled, unet.is_compiled) == (False, False, True)
    one("e")
    assert not unet.is_compiled
    assert compile_model.compiled == ["one", "two", "unet", "one"]


def test_asking_what_computes_a_stage_compiles_nothing_again() -> None:
    """The facts of a picture are asked for when its denoiser is gone."""
    compile_model, stages = Compiler(), Stages()
    unet = StagedModel("unet", compile_model, stages, "denoise")
    decoder = StagedModel("decoder", compile_model, stages, "vae")
    unet("a")
    decoder("b")
    assert unet.get_property("EXECUTION_DEVICES") == "EXECUTION_DEVICES of unet"
    assert compile_model.compiled == ["unet", "decoder"]
    assert decoder.is_compiled

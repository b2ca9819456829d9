"""How each precision of a model is made, as its manifest records it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from winepress_shared.lane import Precision
from winepress_shared.model import Model

_LIST_DIGITS = 16  #: hexadecimal digits of a list's hash


def recipe(model: Model, precision: Precision) -> dict[str, str]:
    """The steps that make the weights; if they change, the model is prepared again."""
    steps = {"export": "fp16"}
    if precision is Precision.INT8_WEIGHTS:
        steps["weights"] = "int8 asymmetric, every part"
    elif precision is Precision.INT4_WEIGHTS:
        steps["unet"] = model.int4.model_dump_json()
        steps["weights"] = "int8 asymmetric, every other part"
    elif precision is Precision.INT8 and model.int8:
        steps["unet"] = model.int8.model_dump_json()
        steps["drawn"] = f"{model.num_inference_steps} steps, guidance {model.guidance_scale:g}"
        steps["prompts"] = hashlib.sha256(_text(model.int8.prompts).encode()).hexdigest()
        steps["prompts"] = steps["prompts"][:_LIST_DIGITS]
        steps["weights"] = "int8 asymmetric, every other part"
    return steps


def prompts(model: Model) -> list[str]:
    """The distinct prompts that models of this kind are calibrated and compared with."""
    return _text(model.int8.prompts if model.int8 else "general").splitlines()


@cache
def _text(name: str) -> str:
    place = resources.files("winepress_worker").joinpath("models", "prompts", f"{name}.txt")
    return place.read_text("utf-8")

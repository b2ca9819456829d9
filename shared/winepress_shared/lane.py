"""A lane: model, precision, and the device class if a job requires one; or the film lane."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from winepress_shared.errors import InvalidJob

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_DEVICE_CLASSES = ("CPU", "GPU", "NPU")
FILM = "film"  #: the lane of films, which are encoded on a CPU without a model


class Precision(StrEnum):
    """How the weights are stored and computed."""

    FP16 = "fp16"  #: 16-bit weights, computed in the device's native float
    INT8 = "int8"  #: NNCF post-training quantisation of the UNet's weights and activations
    INT8_WEIGHTS = "int8-weights"  #: 8-bit weights, float computation
    INT4_WEIGHTS = "int4-weights"  #: 4-bit weights, float computation


@dataclass(frozen=True, order=True)
class Lane:
    """Work that needs the same model in the same precision on the same kind of device."""

    model: str  #: catalogue name: lower case letters, digits and dashes, 1 to 63 characters
    precision: Precision  #: meaningless in the film lane
    device: str | None = None  #: device class ``CPU``, ``GPU`` or ``NPU``; None: any

    def __str__(self) -> str:
        return f"{self.model_key}@{self.device}" if self.device else self.model_key

    @property
    def model_key(self) -> str:
        """Model and precision, ``model.precision``: what a worker loads to serve the lane."""
        return FILM if self.model == FILM else f"{self.model}.{self.precision.value}"

    @classmethod
    def parse(cls, text: str) -> Lane:
        """Read ``model.precision``, ``model.precision@DEVICE`` or ``film``; raises InvalidJob."""
        if text == FILM:
            return cls(FILM, Precision.FP16)
        device = device_class(text)
        model, _, precision = model_key(text).partition(".")
        is_name = _NAME.match(model) and model != FILM
        if not is_name or ("@" in text and device not in _DEVICE_CLASSES):
            raise InvalidJob(
                "not a valid lane",
                field="lane",
                value=text,
                allowed="MODEL.PRECISION[@CPU|GPU|NPU]",
            )
        try:
            return cls(model, Precision(precision), device or None)
        except ValueError:
            raise InvalidJob(
                "unknown precision", field="lane", value=text, allowed=", ".join(Precision)
            ) from None


def model_key(lane: str) -> str:
    """`Lane.model_key` of a lane that is written out."""
    return lane.partition("@")[0]


def device_class(lane: str) -> str:
    """`Lane.device` of a lane that is written out; empty for any device."""
    return lane.partition("@")[2]

"""The quantisation recipes of catalogue entries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from winepress_shared.lane import Precision

#: Memory of a loaded model ÷ that in fp16, if not measured: text encoders and autoencoder hardly
#: shrink.
_MEMORY_SHARE = {
    Precision.FP16: 1.0,
    Precision.INT8: 0.6,
    Precision.INT8_WEIGHTS: 0.6,
    Precision.INT4_WEIGHTS: 0.5,
}

#: A layer of the UNet by its path, as in ``up_blocks.2.resnets.2.conv_shortcut``.
LayerName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+){0,20}$", max_length=200)
]


class Int8Recipe(BaseModel):
    """Post-training quantisation of the UNet, calibrated with inputs recorded while drawing.

    The pictures use the model's default steps, guidance and size: inputs of a fifty-step schedule
    would be useless for a one-step model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    #: ``full``: weights and activations of every layer. ``hybrid``: those of convolutions, and
    #: 8-bit weights elsewhere, which loses less with many guided steps.
    method: Literal["full", "hybrid"]
    pictures: Annotated[int, Field(ge=1, le=1000)]  #: drawn to collect inputs, one prompt each
    samples: Annotated[int, Field(ge=1, le=2000)] = 300  #: calls of the UNet kept over all pictures
    keep: tuple[LayerName, ...] = ("conv_in", "conv_out")  #: layers that stay in 16 bits
    prompts: Literal["general", "vignette"] = "general"  #: list of their prompts, see `prompts`
    strength: Annotated[float, Field(gt=0, le=1)] | None = None  #: for image-to-image models


class Int4Recipe(BaseModel):
    """Data-free compression of the UNet's matrices to 4 bits; other weights get 8."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group_size: Annotated[int, Field(ge=16, le=1024)] = 64  #: weights that share a scale
    ratio: Annotated[float, Field(gt=0, le=1)] = 1.0  #: share of matrices with 4 bits, not 8


def loaded_bytes(memory_mib: int, precision: Precision) -> int:
    """Estimated memory of a loaded model that was not measured; see `Model`."""
    return int(_MEMORY_SHARE[precision] * memory_mib * 2**20)

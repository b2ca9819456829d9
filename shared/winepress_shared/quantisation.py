"""How a model is made smaller and quicker: the recipes that its catalogue entry carries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from winepress_shared.lane import Precision

#: Memory of a loaded model ÷ that in fp16, where it was never measured: text encoders and
#: autoencoder are as large as before, or nearly so.
_MEMORY_SHARE = {
    Precision.FP16: 1.0,
    Precision.INT8: 0.6,
    Precision.INT8_WEIGHTS: 0.6,
    Precision.INT4_WEIGHTS: 0.5,
}

#: A layer of the UNet by its place in the network, as in ``up_blocks.2.resnets.2.conv_shortcut``.
LayerName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+){0,20}$", max_length=200)
]


class Int8Recipe(BaseModel):
    """Post-training quantisation of the UNet, by inputs it saw while it drew.

    The pictures are drawn in the model's own steps and guidance at its default size: inputs of a
    fifty-step schedule say nothing about a model that takes one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    #: ``full``: weights and activations of every layer. ``hybrid``: those of convolutions; all
    #: else in 8-bit weights alone, which costs models that take many guided steps less.
    method: Literal["full", "hybrid"]
    pictures: Annotated[int, Field(ge=1, le=1000)]  #: drawn to collect inputs, each by its prompt
    samples: Annotated[int, Field(ge=1, le=2000)] = 300  #: calls of the UNet kept of all pictures
    keep: tuple[LayerName, ...] = ("conv_in", "conv_out")  #: layers that stay in 16 bits
    prompts: Literal["general", "vignette"] = "general"  #: list they are drawn by, see `prompts`
    strength: Annotated[float, Field(gt=0, le=1)] | None = None  #: of models that change pictures


class Int4Recipe(BaseModel):
    """Data-free compression of the UNet's matrices to 4 bits; all else has 8."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group_size: Annotated[int, Field(ge=16, le=1024)] = 64  #: weights that share a scale
    ratio: Annotated[float, Field(gt=0, le=1)] = 1.0  #: of the matrices that get 4 bits, not 8


def loaded_bytes(memory_mib: int, precision: Precision) -> int:
    """What a model may hold once it is loaded, where nobody has measured it; see `Model`."""
    return int(_MEMORY_SHARE[precision] * memory_mib * 2**20)

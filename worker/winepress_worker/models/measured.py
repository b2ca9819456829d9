"""A precision's cost and its likeness to fp16, measured where it was prepared."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_MIB = 2**20
Positive = Annotated[float, Field(gt=0)]


class Cost(BaseModel):
    """Size, time and memory of one precision."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    unet_bytes: Annotated[int, Field(gt=0)]  #: weight file of the UNet
    unet_ms: Positive  #: fastest call: other load on the machine only adds time
    picture_ms: Positive  #: fastest picture
    memory_bytes: Annotated[int, Field(gt=0)] | None = None  #: held after drawing


class Measured(BaseModel):
    """One precision compared with fp16, with the same prompts and seeds on the same CPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    own: Cost
    fp16: Cost
    pictures: Annotated[int, Field(ge=1)]  #: number drawn
    steps: Annotated[int, Field(ge=1)]  #: per picture
    arithmetic: str  #: type in which the CPU computes fp16: ``bf16`` where supported, else ``f32``
    psnr_db: float  #: mean over the pictures, in decibels
    ssim: Annotated[float, Field(ge=-1, le=1)]  #: mean over the pictures

    @property
    def sentence(self) -> str:
        """The figures in one readable sentence."""
        own, full = self.own, self.fp16
        size, pace = own.unet_bytes / full.unet_bytes, full.unet_ms / own.unet_ms
        return (
            f"UNet {own.unet_bytes / _MIB:.1f} MiB ({size:.3f} of fp16's), "
            f"{own.unet_ms:.1f} ms a call ({pace:.2f} times as fast as fp16 in {self.arithmetic}), "
            f"a picture of {self.steps} steps {own.picture_ms:.0f} ms "
            f"({full.picture_ms / own.picture_ms:.2f} times); like fp16's by "
            f"{self.psnr_db:.1f} dB PSNR, {self.ssim:.3f} SSIM, mean of {self.pictures}"
        )

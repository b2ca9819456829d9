"""The time and likeness of a model's presets, measured where it was prepared."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from winepress_shared.jobs.quality import Quality
from winepress_worker.models.measured import Positive


class MeasuredPreset(BaseModel):
    """One preset beside `Quality.EXACT`, with the same prompts and seeds on the same CPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    options: Annotated[dict[str, str], Field(max_length=16)]  #: what it sets
    picture_ms: Positive  #: fastest picture
    psnr_db: float  #: mean over the pictures, in decibels
    ssim: Annotated[float, Field(ge=-1, le=1)]  #: mean over the pictures


class MeasuredPresets(BaseModel):
    """All presets of one model that differ from `Quality.EXACT`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    exact_ms: Positive  #: fastest picture
    pictures: Annotated[int, Field(ge=1)]  #: number drawn with each
    steps: Annotated[int, Field(ge=1)]  #: per picture
    size: Annotated[str, Field(pattern=r"^[0-9]{2,5}x[0-9]{2,5}$")]
    arithmetic: str  #: type in which the CPU computed
    presets: dict[Quality, MeasuredPreset]

    @property
    def sentences(self) -> dict[str, str]:
        """Name of each preset → its figures in readable words."""
        exact = f"{_time(self.exact_ms)} a picture of {self.size} in {self.steps} steps"
        found = {Quality.EXACT.value: f"{exact} ({self.arithmetic})"}
        for quality, own in self.presets.items():
            options = ", ".join(f"{name} {value}" for name, value in own.options.items())
            found[quality.value] = (
                f"{_time(own.picture_ms)}, {self.exact_ms / own.picture_ms:.2f} times as fast; "
                f"like exact by {own.psnr_db:.1f} dB PSNR, {own.ssim:.3f} SSIM: {options}"
            )
        return found


def _time(milliseconds: float) -> str:
    return f"{milliseconds / 1e3:.3g} s" if milliseconds >= 1e3 else f"{milliseconds:.0f} ms"

"""Job fields that only some models support, as the catalogue says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.shortcuts import Stage

MAX_CLIP_SKIP = 12  #: CLIP's smaller text encoder has twelve layers
MAX_PREVIEW_EVERY = 500  #: steps
MAX_PICTURES_PER_CALL = 8
DEFAULT_DENOISING_END = 0.8  #: where the refiner takes over; Stability AI's value for SDXL
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class ModelOptions(BaseModel):
    """A mixin for every job."""

    #: The text encoder's layer, counted back as in A1111: 1 is the model's own layer, 2 the one
    #: before it.
    clip_skip: Annotated[int, Field(ge=1, le=MAX_CLIP_SKIP)] | None = None
    vae: Literal["full", "tiny"] | None = None  #: the autoencoder; None: the model's default
    #: Number of steps between previews.
    preview_every: Annotated[int, Field(ge=1, le=MAX_PREVIEW_EVERY)] | None = None
    #: Pictures per call on a CPU, which slightly affects the pixels. None: one, or as many as give
    #: equal pictures.
    pictures_per_call: Annotated[int, Field(ge=1, le=MAX_PICTURES_PER_CALL)] | None = None


@dataclass(frozen=True)
class Refinement:
    """The second of two stages: another model finishes the latents of the first one."""

    model: str
    #: Share of the steps after which it goes on with the noise that is left; None if `strength` is
    #: given.
    denoising_end: float | None
    strength: float | None  #: how far it noises finished latents anew

    def stages_of(self, steps: int) -> tuple[Stage, Stage]:
        """What the first model and the refiner do in a picture of ``steps``."""
        if self.strength is not None:
            return Stage(steps), Stage(max(1, int(steps * self.strength)))
        end = self.denoising_end or DEFAULT_DENOISING_END
        first = int(steps * end)
        return Stage(first, last=end), Stage(max(1, steps - first), first=end)


class TwoStages(BaseModel):
    """A mixin for jobs in which a second model can finish the first one's latents."""

    refiner: ModelName | None = None
    #: Fraction of the steps after which the refiner continues with the remaining noise.
    denoising_end: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: Instead of that: the strength with which the refiner repaints finished latents, as in
    #: image-to-image.
    refiner_strength: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def refinement(self) -> Refinement | None:
        """The second stage; None where one model draws the whole picture."""
        if self.refiner is None:
            return None
        return Refinement(self.refiner, self.denoising_end, self.refiner_strength)

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        for name in ("denoising_end", "refiner_strength"):
            if self.refiner is None and getattr(self, name) is not None:
                raise InvalidJob(
                    "needs a refiner, and none is named",
                    field=name,
                    value=getattr(self, name),
                    hint="Name one, for example refiner: sdxl-refiner",
                )
        if self.denoising_end is not None and self.refiner_strength is not None:
            raise InvalidJob(
                "cannot be combined with denoising_end",
                field="refiner_strength",
                value=self.refiner_strength,
                allowed="only one of the two",
            )
        return self

"""Fields of a job that only some models take; which one takes what, the catalogue says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from winepress_shared.errors import InvalidJob

MAX_CLIP_SKIP = 12  #: CLIP's smaller text encoder has twelve layers
MAX_PREVIEW_EVERY = 500  #: steps
MAX_PICTURES_PER_CALL = 8
DEFAULT_DENOISING_END = 0.8  #: where the refiner takes over, as Stability AI proposes for SDXL
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class ModelOptions(BaseModel):
    """Mixed into every job."""

    #: Which of the text encoder's layers is used, counted from the model's own one as A1111 counts:
    #: 1 is that layer, 2 the one before it.
    clip_skip: Annotated[int, Field(ge=1, le=MAX_CLIP_SKIP)] | None = None
    vae: Literal["full", "tiny"] | None = None  #: which autoencoder; None is the model's own
    #: A small picture of what is being drawn after every so many steps.
    preview_every: Annotated[int, Field(ge=1, le=MAX_PREVIEW_EVERY)] | None = None
    #: How many pictures a processor draws in one call; the last digits of a picture depend on it.
    #: None is one, or as many as come out the same.
    pictures_per_call: Annotated[int, Field(ge=1, le=MAX_PICTURES_PER_CALL)] | None = None


@dataclass(frozen=True)
class Refinement:
    """The second of two stages: another model finishes the latents of the first one."""

    model: str
    #: Share of the steps after which it goes on with the noise that is left; None if `strength` is
    #: given.
    denoising_end: float | None
    strength: float | None  #: how far it noises finished latents anew

    def steps_of(self, steps: int) -> int:
        """How many steps the refiner takes in a picture of ``steps``."""
        if self.strength is not None:
            return max(1, int(steps * self.strength))
        return max(1, steps - int(steps * (self.denoising_end or 1.0)))


class TwoStages(BaseModel):
    """Mixed into jobs whose picture a second model may finish from the first one's latents."""

    refiner: ModelName | None = None
    #: Share of the steps after which the refiner goes on with the noise that is left.
    denoising_end: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: Instead of that: the finished latents are noised anew this far, as image-to-image does.
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
                    "is where a refiner takes over, and none is named",
                    field=name,
                    value=getattr(self, name),
                    hint="Name one, for example refiner: sdxl-refiner",
                )
        if self.denoising_end is not None and self.refiner_strength is not None:
            raise InvalidJob(
                "does not go with denoising_end",
                field="refiner_strength",
                value=self.refiner_strength,
                allowed="one of the two",
            )
        return self

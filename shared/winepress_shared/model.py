"""One model of the catalogue, with its job kinds, limits and defaults."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from winepress_shared.errors import InvalidJob, UnknownModel
from winepress_shared.jobs.job import (
    MAX_GUIDANCE,
    MAX_SIDE_PX,
    MAX_STEPS,
    MIN_SIDE_PX,
    Job,
    ModelName,
    SchedulerField,
)
from winepress_shared.jobs.model_options import MAX_CLIP_SKIP, MAX_PICTURES_PER_CALL
from winepress_shared.lane import Precision
from winepress_shared.quantisation import Int4Recipe, Int8Recipe

#: Organisation or repository of a hub. With ``\w``, the letters of every language, pydantic's
#: expression would take 11 MB in every process.
_HUB_NAME = "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,95}"
#: Source of weights: installed with the worker, a model hub, or a folder of this machine.
SourceName = Annotated[
    str,
    Field(pattern=rf"^(bundled:[a-z0-9-]{{1,63}}|hub:{_HUB_NAME}/{_HUB_NAME}|folder:/.+)$"),
]
Colour = tuple[float, float, float]


class Model(BaseModel):
    """One entry of the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ModelName
    title: str
    source: SourceName  #: ``bundled:NAME``, ``hub:ORGANISATION/REPOSITORY`` or ``folder:/PATH``
    unet: SourceName | None = None  #: source of a UNet that replaces the model's own
    lora: SourceName | None = None  #: source of low-rank weights that are added to the UNet
    tiny_vae: SourceName | None = None  #: source of an AutoencoderTiny, for previews and `Job.vae`
    tiny_vae_only: bool = False  #: it takes the place of the full VAE
    #: Matrix from a latent's four numbers and a one to red, green and blue, 0 to 1.
    latent_rgb: Annotated[tuple[Colour, ...], Field(min_length=5, max_length=5)] | None = None
    family: Literal["stable-diffusion", "stable-diffusion-xl"]
    kinds: tuple[str, ...]  #: job kinds it serves
    precisions: tuple[Precision, ...]
    width: Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]  #: default, in pixels
    height: Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]
    size_multiple: Annotated[int, Field(ge=8)] = 8  #: both sides are multiples of this, in pixels
    max_side: Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)] = 2048  #: in pixels
    num_inference_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)]
    max_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] = 150
    guidance_scale: Annotated[float, Field(ge=0, le=MAX_GUIDANCE)]
    guidance_rescale: Annotated[float, Field(ge=0, le=1)] = 0.0  #: see arXiv:2305.08891, 3.4
    embedded_guidance: bool = False  #: the UNet takes guidance as input; no second pass
    strength: Annotated[float, Field(gt=0, le=1)] | None = None  #: default of image-to-image
    max_clip_skip: Annotated[int, Field(ge=1, le=MAX_CLIP_SKIP)] = 1  #: 1: the default layer only
    refiners: tuple[ModelName, ...] = ()  #: models that can finish its latents
    scheduler: SchedulerField
    licence: str
    memory_mib: Annotated[int, Field(ge=1)]  #: least free memory to load it at fp16, in MiB
    #: Pictures per call on a CPU for jobs of many, at the default size or below.
    pictures_per_call: Annotated[int, Field(ge=1, le=MAX_PICTURES_PER_CALL)] = 1
    #: Model of the first key frame of this model's zooms, unless the job names another.
    companion: ModelName | None = None
    int8: Int8Recipe | None = None  #: recipe of its int8; None if it has none
    int4: Int4Recipe = Int4Recipe()  #: recipe of its int4-weights
    shares: str | None = None  #: bundled folder with the parts this one lacks
    notes: str = ""

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        unknown = set(kinds) - set(Job.kinds)
        if unknown:
            raise ValueError(f"unknown job kinds {sorted(unknown)}; known: {', '.join(Job.kinds)}")
        return kinds

    @model_validator(mode="after")
    def _within_own_limits(self) -> Self:
        if any(side % self.size_multiple for side in (self.width, self.height, self.max_side)):
            raise ValueError("width, height and max_side must be multiples of size_multiple")
        if max(self.width, self.height) > self.max_side:
            raise ValueError("width and height must not exceed max_side")
        if self.num_inference_steps > self.max_steps:
            raise ValueError("num_inference_steps must not exceed max_steps")
        if self.tiny_vae_only and not self.tiny_vae:
            raise ValueError("tiny_vae_only needs a tiny_vae")
        if self.max_clip_skip > 1 and self.family != "stable-diffusion-xl":
            raise ValueError("max_clip_skip is for stable-diffusion-xl: others export no layers")
        if Precision.INT8 in self.precisions and self.int8 is None:
            raise ValueError("the precision int8 needs a table int8 that says how it is made")
        return self

    @property
    def autoencoders(self) -> tuple[str, ...]:
        """What `Job.vae` may be: ``full``, ``tiny`` or both; the first is the default."""
        if self.tiny_vae_only:
            return ("tiny",)
        return ("full", "tiny") if self.tiny_vae else ("full",)

    @property
    def has_previews(self) -> bool:
        """Whether its latents can be previewed cheaply."""
        return bool(self.tiny_vae or self.latent_rgb)

    def check(self, job: Job) -> None:
        """Raise InvalidJob or UnknownModel unless this model supports ``job``."""
        if job.kind not in self.kinds:
            raise InvalidJob(
                f"{self.name} does not support {job.kind}",
                field="kind",
                value=job.kind,
                allowed=", ".join(self.kinds),
            )
        if job.precision not in self.precisions:
            raise UnknownModel(
                f"{self.name} is not available in this precision",
                field="precision",
                value=job.precision.value,
                allowed=", ".join(self.precisions),
            )
        for field in ("width", "height"):
            self.check_side(field, getattr(job, field))
        if (job.num_inference_steps or 1) > self.max_steps:
            raise InvalidJob(
                f"too many steps for {self.name}",
                field="num_inference_steps",
                value=job.num_inference_steps,
                allowed=f"1 to {self.max_steps}",
            )

    def check_side(self, field: str, pixels: int | None) -> None:
        """Raise InvalidJob unless this model draws pictures with such a side."""
        if pixels is None:
            return
        multiple = self.size_multiple
        if pixels % multiple or not multiple <= pixels <= self.max_side:
            raise InvalidJob(
                f"{self.name} does not support this size",
                field=field,
                value=pixels,
                allowed=f"multiples of {multiple} up to {self.max_side}",
                hint=f"try {self.snap(pixels)}",
            )

    def snap(self, pixels: int) -> int:
        """The nearest supported side in pixels, for sizes taken from a picture."""
        multiple = self.size_multiple
        least = math.ceil(MIN_SIDE_PX / multiple)
        return min(max(round(pixels / multiple), least) * multiple, self.max_side)

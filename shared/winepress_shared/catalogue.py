"""The models a farm knows: what each one can do, its limits and its defaults.

The table is `catalogue.toml` beside this file; a farm may add entries of its own with the
setting ``catalogue`` (a path to a file of the same form). A typo there is refused, not ignored.
"""

from __future__ import annotations

import difflib
import math
import secrets
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from winepress_shared.errors import InvalidJob, UnknownModel, WrongUsage
from winepress_shared.jobs.job import (
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_SIDE_PX,
    MAX_STEPS,
    MAX_UNITS,
    MIN_SIDE_PX,
    Job,
    ModelName,
    SchedulerField,
)
from winepress_shared.jobs.model_options import MAX_CLIP_SKIP, MAX_PICTURES_PER_CALL
from winepress_shared.jobs.picture_fields import FromPictures
from winepress_shared.jobs.shared_call import call_of
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import FILM, Lane, Precision
from winepress_shared.option_checks import check_options, open_options, warnings_of
from winepress_shared.quantisation import Int4Recipe, Int8Recipe
from winepress_shared.regular_file import read_regular
from winepress_shared.toml_text import parse_toml

#: Organisation or repository of a hub. With the letters of every language (``\w``) pydantic's
#: expression would hold 11 MB of every process.
_HUB_NAME = "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,95}"
#: Where weights come from: installed with the worker, a model hub, or a folder of this machine.
SourceName = Annotated[
    str,
    Field(pattern=rf"^(bundled:[a-z0-9-]{{1,63}}|hub:{_HUB_NAME}/{_HUB_NAME}|folder:/.+)$"),
]
Colour = tuple[float, float, float]
#: Seeds drawn for "random" stay below this, so they are short enough to read aloud.
_RANDOM_SEEDS = 2**32
_MAX_FILE_BYTES = 2**20  #: of a table of models


class Model(BaseModel):
    """One entry of the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ModelName
    title: str
    source: SourceName  #: ``bundled:NAME``, ``hub:ORGANISATION/REPOSITORY`` or ``folder:/PATH``
    unet: SourceName | None = None  #: where a UNet comes from that replaces the source's own
    lora: SourceName | None = None  #: where low-rank weights come from that are added to the UNet
    tiny_vae: SourceName | None = None  #: where an AutoencoderTiny comes from, in the VAE's place
    spare_vae: SourceName | None = None  #: the same, beside the VAE: for previews and `Job.vae`
    #: What a latent's four numbers and a one are multiplied by to give red, green and blue, 0 to 1.
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
    embedded_guidance: bool = False  #: its UNet is told the guidance and does without a second pass
    strength: Annotated[float, Field(gt=0, le=1)] | None = None  #: default of image-to-image
    max_clip_skip: Annotated[int, Field(ge=1, le=MAX_CLIP_SKIP)] = 1  #: 1: only its own layer
    refiners: tuple[ModelName, ...] = ()  #: models that may finish its latents
    scheduler: SchedulerField
    negative_prompt: bool = True  #: False when the model ignores it
    licence: str
    memory_mib: Annotated[int, Field(ge=1)]  #: least free memory to load it at fp16, in MiB
    #: Pictures a processor draws in one call of a job of many, at the default size or below.
    pictures_per_call: Annotated[int, Field(ge=1, le=MAX_PICTURES_PER_CALL)] = 1
    #: Draws the first key frame of a zoom of this model's, unless the job names another.
    companion: ModelName | None = None
    int8: Int8Recipe | None = None  #: how its int8 is made; None when it has none
    int4: Int4Recipe = Int4Recipe()  #: how its int4-weights are made
    shares: str | None = None  #: bundled folder that holds the parts this one does not
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
        if self.tiny_vae and self.spare_vae:
            raise ValueError("tiny_vae and spare_vae exclude each other")
        if self.max_clip_skip > 1 and self.family != "stable-diffusion-xl":
            raise ValueError("max_clip_skip is for stable-diffusion-xl: others export no layers")
        if Precision.INT8 in self.precisions and self.int8 is None:
            raise ValueError("the precision int8 needs a table int8 that says how it is made")
        return self

    @property
    def has_previews(self) -> bool:
        """Whether there is something cheap to turn its latents into colours."""
        return bool(self.tiny_vae or self.spare_vae or self.latent_rgb)

    def check(self, job: Job) -> None:
        """Raise InvalidJob or UnknownModel unless this model can do ``job``."""
        if job.kind not in self.kinds:
            raise InvalidJob(
                f"{self.name} does not do {job.kind}",
                field="kind",
                value=job.kind,
                allowed=", ".join(self.kinds),
            )
        if job.precision not in self.precisions:
            raise UnknownModel(
                f"{self.name} does not exist in this precision",
                field="precision",
                value=job.precision.value,
                allowed=", ".join(self.precisions),
            )
        for field in ("width", "height"):
            self._check_side(field, getattr(job, field))
        if (job.num_inference_steps or 1) > self.max_steps:
            raise InvalidJob(
                f"too many steps for {self.name}",
                field="num_inference_steps",
                value=job.num_inference_steps,
                allowed=f"1 to {self.max_steps}",
            )

    def _check_side(self, field: str, pixels: int | None) -> None:
        if pixels is None:
            return
        multiple = self.size_multiple
        if pixels % multiple or not multiple <= pixels <= self.max_side:
            raise InvalidJob(
                f"{self.name} cannot draw this size",
                field=field,
                value=pixels,
                allowed=f"multiples of {multiple} up to {self.max_side}",
                hint=f"try {self.snap(pixels)}",
            )

    def snap(self, pixels: int) -> int:
        """The nearest side this model can draw, in pixels; for sizes taken from a picture."""
        multiple = self.size_multiple
        least = math.ceil(MIN_SIDE_PX / multiple)
        return min(max(round(pixels / multiple), least) * multiple, self.max_side)


class Catalogue:
    """All known models, by name."""

    def __init__(self, models: dict[str, Model]) -> None:
        self._models = models
        for model in models.values():
            self._check_refiners(model)

    def _check_refiners(self, model: Model) -> None:
        """A refiner is a known model that paints over latents of the same kind."""
        for name in model.refiners:
            second = self._models.get(name)
            if not second or second.family != model.family or "image-to-image" not in second.kinds:
                raise WrongUsage(
                    f"[{model.name}] refiners: no image-to-image model of its family",
                    value=name,
                )

    @classmethod
    def load(cls, extra: Path | None = None) -> Self:
        """Read the built-in table and, if given, one of the farm's own; raises WrongUsage."""
        text = resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8")
        models = _read(text, "catalogue.toml")
        if extra is not None:
            try:
                text = read_regular(extra, _MAX_FILE_BYTES).decode("utf-8")
            except OSError as error:
                raise WrongUsage(
                    f"cannot read the catalogue: {error.strerror}", value=str(extra)
                ) from None
            except UnicodeDecodeError as error:
                raise WrongUsage(f"{extra} is not valid TOML: {error.reason}") from None
            models |= _read(text, str(extra))
        return cls(models)

    def plus(self, model: Model) -> Self:
        """The same catalogue with one more entry."""
        return type(self)(self._models | {model.name: model})

    @property
    def names(self) -> tuple[str, ...]:
        """Every known model."""
        return tuple(self._models)

    def get(self, name: str) -> Model:
        """The entry of ``name``; raises UnknownModel with the nearest name."""
        if name not in self._models:
            near = difflib.get_close_matches(name, self.names, n=1)
            raise UnknownModel(
                "unknown model",
                field="model",
                value=name,
                allowed=", ".join(self.names),
                hint=f"did you mean {near[0]!r}?" if near else None,
            )
        return self._models[name]

    def resolve(self, job: Job) -> Job:
        """Check ``job`` against its model and fill in every open value.

        Sizes come from the input picture (snapped to the model's grid) or the model's default; a
        seed of ``-1`` or None becomes a random one. Raises InvalidJob or UnknownModel.
        """
        model = self.get(job.model)
        model.check(job)
        width, height = model.width, model.height
        if job.pictures and job.pictures[0].size and job.width is None and job.height is None:
            width, height = (model.snap(side) for side in job.pictures[0].size)
        values = open_options(model, job)
        strength = values.get("strength", getattr(job, "strength", 1.0))
        values |= {
            "width": job.width or width,
            "height": job.height or height,
            "num_inference_steps": job.num_inference_steps or _default_steps(model, strength),
            "scheduler": job.scheduler or model.scheduler,
        }
        if job.seed is None or job.seed < 0:
            values["seed"] = secrets.randbelow(_RANDOM_SEEDS)
        resolved = job.model_copy(update=values)
        resolved = resolved.model_copy(update={"pictures_per_call": call_of(model, resolved)})
        if isinstance(resolved, ZoomVideo) and resolved.is_drawn_first:
            named = {"first_model": resolved.first_model or model.companion}
            resolved = resolved.model_copy(update=named)
            resolved = resolved.with_first(self.resolve(resolved.first_drawing()))
        resolved.check_resolved()
        check_options(model, resolved, self.get)
        if (resolved.seed or 0) + resolved.unit_count - 1 > MAX_SEED:
            raise InvalidJob("seed + n is too large", field="seed", value=job.seed)
        return resolved

    def call_of_many(self, job: Job) -> int | None:
        """How many pictures like that of a resolved ``job`` share a call where there are many."""
        return call_of(self.get(job.model), job.model_copy(update={"n": MAX_UNITS}))

    def warnings(self, job: Job) -> tuple[str, ...]:
        """What a resolved job asks for and will not get, one sentence each."""
        of_inputs = job.input_warnings if isinstance(job, FromPictures) else ()
        return (*warnings_of(self.get(job.model), job), *of_inputs)

    def lane(self, job: Job) -> Lane:
        """The lane a job waits in."""
        if isinstance(job, ZoomVideo) and job.key_frames_of:
            return Lane(FILM, job.precision)
        return Lane(job.model, job.precision, job.device)


def _default_steps(model: Model, strength: float) -> int:
    """The model's own number, or more where the strength would leave none of so few to run."""
    return max(model.num_inference_steps, min(math.ceil(1 / strength), model.max_steps))


def _read(text: str, origin: str) -> dict[str, Model]:
    try:
        tables = parse_toml(text)
    except ValueError as error:
        raise WrongUsage(f"{origin} is not valid TOML: {error}") from None
    return {name: _model(name, table, f"{origin}: [{name}]") for name, table in tables.items()}


def _model(name: str, table: object, where: str) -> Model:
    if not isinstance(table, dict):
        raise WrongUsage(f"{where} is not a table", value=table)
    try:
        return Model(**(table | {"name": name}))
    except InvalidJob as error:  # an unknown scheduler
        raise WrongUsage(f"{where} {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongUsage(f"{where} {field}: {first['msg']}", value=first["input"]) from None

"""The job kinds: one frozen, bounded model for each.

Field names are those of diffusers; other programs' names are accepted too (see `aliases`). ``None``
means "the model's default"; `Catalogue.resolve` fills it in before a job is queued, so a queued job
holds every value.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.kind import JobKind
from winepress_shared.jobs.model_options import ModelName as ModelName  # re-exported
from winepress_shared.jobs.model_options import ModelOptions, TwoStages
from winepress_shared.jobs.picture import MaskMode, Picture
from winepress_shared.jobs.picture_fields import FromPictures, ImageField
from winepress_shared.jobs.plain_text import NO_CONTROLS
from winepress_shared.jobs.quality import OfQuality
from winepress_shared.jobs.refusal import UNKNOWN_KIND, refusal_of
from winepress_shared.jobs.schedulers import canonical_scheduler, find_scheduler
from winepress_shared.jobs.shortcuts import Shortcuts, Stage
from winepress_shared.jobs.sound import Sound
from winepress_shared.lane import Lane, Precision

MAX_PROMPT_CHARACTERS = 2000
MIN_SIDE_PX = 64
MAX_SIDE_PX = 4096
MAX_STEPS = 500
MAX_GUIDANCE = 50.0
MAX_UNITS = 10_000  #: most pictures of one job
MAX_SEED = 2**53 - 1  #: largest seed; JSON readers are exact up to this integer
RANDOM_SEED = -1


class Priority(StrEnum):
    """The priority of a job."""

    INTERACTIVE = "interactive"  #: a user waits at the screen
    NORMAL = "normal"
    BULK = "bulk"  #: overnight


def _not_blank(prompt: str) -> str:
    if not prompt.strip():
        raise InvalidJob("must not be empty", field="prompt")
    return prompt


SchedulerField = Annotated[str, BeforeValidator(canonical_scheduler)]
Text = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS), NO_CONTROLS]
Prompt = Annotated[Text, AfterValidator(_not_blank)]
Side = Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]


class Job(JobKind, ModelOptions, Shortcuts, OfQuality):
    """The fields of every job kind."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False
    )
    kind: str
    prompt: Prompt
    negative_prompt: Text = ""
    model: ModelName = "vignette"
    precision: Precision = Precision.FP16
    width: Side | None = None
    height: Side | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    guidance_scale: Annotated[float, Field(ge=0, le=MAX_GUIDANCE)] | None = None
    guidance_rescale: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=RANDOM_SEED, le=MAX_SEED)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_UNITS)] = 1
    scheduler: SchedulerField | None = None
    device: Literal["CPU", "GPU", "NPU"] | None = None
    priority: Priority = Priority.NORMAL
    output_format: Literal["png", "jpeg", "webp"] = "png"
    output_quality: Annotated[int, Field(ge=1, le=100)] = 90
    embed_metadata: bool = True

    #: Job kinds by their stable wire name.
    kinds: ClassVar[dict[str, type[Job]]] = {}

    if not TYPE_CHECKING:  # type checkers must see the fields instead of **values

        def __init__(self, /, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise refusal_of(error, type(self), self.kinds) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register each kind under its wire name."""
        super().__pydantic_init_subclass__(**kwargs)
        Job.kinds[cls.model_fields["kind"].default] = cls

    @model_validator(mode="before")
    @classmethod
    def _accept_other_names(cls, values: Any) -> Any:
        return canonical_fields(values) if isinstance(values, dict) else values

    @property
    def unit_count(self) -> int:
        """Number of pictures of this job."""
        return self.n

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that a model may be told in words."""
        return (self.prompt, self.negative_prompt)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What each model that draws one picture of a resolved job does for it."""
        steps = max(1, int((self.num_inference_steps or 1) * self.source_strength))
        return (Stage(steps),)

    @property
    def cache_interval(self) -> int:
        """One denoising step of so many is computed, as far as a resolved job's scheduler allows.

        1: all of them are.
        """
        if self.asked_interval == 1 or self.scheduler is None:
            return self.asked_interval
        return min(self.asked_interval, find_scheduler(self.scheduler)[0].cache_interval)

    @property
    def is_guided(self) -> bool:
        """Whether a resolved job is guided in any step; diffusers guides above 1."""
        return (self.guidance_scale or 0.0) > 1

    @property
    def lane(self) -> Lane:
        """The lane in which the job waits."""
        return Lane(self.model, self.precision, self.device)

    def model_of(self, unit: int) -> str | None:
        """The model that draws unit ``unit``; None if it needs none."""
        return self.model

    def resolve_companion(self, companion: str | None, resolve: Callable[[Job], Job]) -> Self:
        """The same job, with the open values of pictures that another model draws for it.

        ``companion`` is the model that the catalogue proposes for them, ``resolve`` fills in the
        values of a job of their own.
        """
        return self

    def for_unit(self, unit: int) -> Self:
        """The job of picture ``unit`` alone, with its own seed."""
        seed = None if self.seed is None else self.seed + unit
        return self.model_copy(update={"n": 1, "seed": seed})


class TextToImage(TwoStages, Job):
    """A picture drawn from only a prompt."""

    kind: Literal["text-to-image"] = "text-to-image"
    rescaling_families: ClassVar[tuple[str, ...]] = ("stable-diffusion", "stable-diffusion-xl")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The first model, then the refiner if there is one."""
        steps = self.num_inference_steps or 1
        return (Stage(steps),) if self.refinement is None else self.refinement.stages_of(steps)


class ImageToImage(FromPictures, Job):
    """A picture drawn from a prompt and a source image."""

    kind: Literal["image-to-image"] = "image-to-image"
    picture_names: ClassVar[tuple[str, ...]] = ("image",)
    rescaling_families: ClassVar[tuple[str, ...]] = ("stable-diffusion-xl",)
    image: ImageField
    strength: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def source(self) -> Picture | None:
        """The given image."""
        return cast("Picture", self.image)

    @property
    def source_strength(self) -> float:
        """How far the image is noised before it is drawn anew."""
        return self.strength or 1.0

    @property
    def lacks_strength(self) -> bool:
        """Whether `strength` is open."""
        return self.strength is None


class Inpaint(FromPictures, Job):
    """The white part of the mask is repainted, the rest of the image is kept."""

    kind: Literal["inpaint"] = "inpaint"
    is_composite: ClassVar[bool] = True
    picture_names: ClassVar[tuple[str, ...]] = ("image", "mask")
    model: ModelName = "vignette-inpaint"
    mask_mode: MaskMode = "auto"
    image: ImageField
    mask: ImageField
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def source(self) -> Picture | None:
        """The given image."""
        return cast("Picture", self.image)

    @property
    def source_strength(self) -> float:
        """How far the white part is noised before it is drawn anew."""
        return self.strength

    @model_validator(mode="after")
    def _mask_fits(self) -> Self:
        if self.image.size and self.mask.size and self.image.size != self.mask.size:
            raise InvalidJob(
                "the mask must have the size of the image",
                field="mask",
                value="{}x{}".format(*self.mask.size),
                allowed="{}x{}".format(*self.image.size),
            )
        return self


class Batch(Job):
    """Many different pictures for one lane; unit i is item i of the job's list, see `items`.

    The items hold their own values; the prompt is only a title.
    """

    kind: Literal["batch"] = "batch"
    is_picture: ClassVar[bool] = False
    has_items: ClassVar[bool] = True
    prompt: Prompt = "batch"
    priority: Priority = Priority.BULK
    #: The job fails its remaining pictures once more than this have failed.
    max_failed: Annotated[int, Field(ge=0, le=MAX_UNITS)] | None = None

    @property
    def failure_limit(self) -> int | None:
        """`max_failed`."""
        return self.max_failed


def parse_job(values: dict[str, Any]) -> Job:
    """Build a job of ``values["kind"]`` for Python callers (pictures may be paths)."""
    if not all(isinstance(name, str) for name in values):
        raise InvalidJob("field names must be text", value=list(values))
    kind = values.get("kind", "text-to-image")
    if not isinstance(kind, str) or kind not in Job.kinds:
        near = difflib.get_close_matches(str(kind), Job.kinds, n=1)
        raise InvalidJob(
            UNKNOWN_KIND,
            field="kind",
            value=kind,
            allowed=", ".join(Job.kinds),
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    return Job.kinds[kind](**values)


#: Fields with references to objects in the store, and their readers.
_REFERENCES: dict[str, Callable[[str], object]] = {
    "image": Picture.parse,
    "first_image": Picture.parse,
    "mask": Picture.parse,
    "exit_image": Picture.parse,
    "audio": Sound.parse,
}


def decode_job(values: object) -> Job:
    """Build a job from untrusted values; pictures must be references."""
    if not isinstance(values, dict):
        raise InvalidJob("not a valid job", value=values, allowed="an object of named fields")
    fields = canonical_fields(values)
    for name, parse in _REFERENCES.items():
        if fields.get(name) is not None:
            fields[name] = parse(str(fields[name]))
    return parse_job(fields)

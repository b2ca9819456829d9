"""The job kind ``zoom-video``: nested key frames, and the film made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from winepress_shared.errors import InvalidJob
from winepress_shared.job_id import JobId
from winepress_shared.jobs.film_cut import MAX_KEY_FRAMES, Direction, FilmCut
from winepress_shared.jobs.job import (
    MAX_GUIDANCE,
    MAX_PROMPT_CHARACTERS,
    MAX_SIDE_PX,
    MAX_STEPS,
    Inpaint,
    Job,
    ModelName,
    SchedulerField,
    Text,
    TextToImage,
)
from winepress_shared.jobs.nesting import LATENT_PX, MAX_ZOOM, MIN_ZOOM, Nesting
from winepress_shared.jobs.picture import Picture
from winepress_shared.jobs.picture_fields import FromPictures, ImageField
from winepress_shared.jobs.prompt_table import (
    Cues,
    from_infinite_zoom,
    is_infinite_zoom,
    join_prompt,
    prompt_at,
)
from winepress_shared.jobs.shortcuts import Shortcuts
from winepress_shared.lane import FILM, Lane

DEFAULT_KEY_FRAMES = 5
DEFAULT_ZOOM = 2.0
DEFAULT_OVERLAP_PX = 16
_MAX_ASPECT_ERROR = 0.02  #: relative; the most that a given picture is stretched
_MIN_LOOP_KEY_FRAMES = 3  #: one of them repeats the first
#: Placeholder for canvas and mask in the jobs of key frames, which do not use the store.
_AT_HAND = Picture("sha256:" + "0" * 64)


def _pair(value: object) -> object:
    """One border for both axes, or one for each."""
    if isinstance(value, str) and value.count("x") == 1:
        return tuple(value.split("x"))
    return (value, value) if isinstance(value, int | str) else value


BorderPx = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
OverlapPx = Annotated[int, Field(ge=0, le=256, multiple_of=LATENT_PX)]


class ZoomVideo(FromPictures, FilmCut, Job):
    """A film that zooms through pictures, each with the previous one in its centre."""

    kind: Literal["zoom-video"] = "zoom-video"
    is_picture: ClassVar[bool] = False
    is_chained: ClassVar[bool] = True
    picture_names: ClassVar[tuple[str, ...]] = ("image", "exit_image")
    prompt: Text = ""
    prompts: Cues | None = None  #: key frame → prompt, from that key frame on
    prompts_by_second: Cues | None = None  #: second of the film → prompt
    prompt_prefix: Text = ""
    prompt_suffix: Text = ""
    model: ModelName = "vignette-inpaint"
    #: Model of key frame 0 if no `image` is given, with that model's defaults. None: the one that
    #: the catalogue names for `model`.
    first_model: ModelName | None = None
    first_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    first_guidance_scale: Annotated[float, Field(ge=0, le=MAX_GUIDANCE)] | None = None
    first_scheduler: SchedulerField | None = None
    image: ImageField | None = None  #: key frame 0
    exit_image: ImageField | None = None  #: what the zoom shows at its widest
    #: A job whose key frames are reused; then only the film is made.
    key_frames_of: JobId | None = None
    key_frames: Annotated[int, Field(ge=1, le=MAX_KEY_FRAMES)] | None = None
    zoom: Annotated[float, Field(ge=MIN_ZOOM, le=MAX_ZOOM)] | None = None
    border: Annotated[tuple[BorderPx, BorderPx], BeforeValidator(_pair)] | None = None
    overlap: OverlapPx = DEFAULT_OVERLAP_PX  #: pixels of the centre that are repainted
    feather: Annotated[int, Field(ge=0, le=256)] | None = None  #: blended part of them; None: all
    colour_matching: bool = True
    n: Literal[1] = 1
    #: Each key frame is made from the previous stored one, so the format must be lossless.
    output_format: Literal["png"] = "png"

    @model_validator(mode="before")
    @classmethod
    def _accept_infinite_zoom(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = from_infinite_zoom(values) if is_infinite_zoom(values) else dict(values)
        if "first_image" in values:
            values["image"] = values.pop("first_image")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.prompts and self.prompts_by_second:
            raise InvalidJob("use either prompts or prompts_by_second", field="prompts")
        if not (self.prompt or self.prompts or self.prompts_by_second):
            raise InvalidJob("is required, or a table of prompts", field="prompt")
        if self.zoom and self.border:
            raise InvalidJob("use either zoom or border", field="border")
        if self.key_frames and self.duration and self.seconds_per_key_frame:
            raise InvalidJob(
                "cannot be combined with both key_frames and seconds_per_key_frame",
                field="duration",
            )
        if self.direction is Direction.LOOP:
            self._check_loop()
        if self.feather is not None and self.feather > self.overlap:
            raise InvalidJob(
                "is wider than the overlap",
                field="feather",
                value=self.feather,
                allowed=f"0 to {self.overlap}",
            )
        self.check_film(self.key_frame_count)
        for index in range(self.key_frame_count):
            self._check_prompt(index)
        if self.width and self.height:
            self.check_resolved()
        return self

    def _check_loop(self) -> None:
        if self.exit_image is not None:
            raise InvalidJob(
                "exit_image cannot be combined with direction=loop", field="exit_image"
            )
        if self.key_frame_count < _MIN_LOOP_KEY_FRAMES:
            raise InvalidJob(
                "too few for a loop",
                field="key_frames",
                value=self.key_frame_count,
                allowed=f"at least {_MIN_LOOP_KEY_FRAMES}",
            )

    def _check_prompt(self, index: int) -> None:
        length = len(self.prompt_of(index))
        if length > MAX_PROMPT_CHARACTERS:
            raise InvalidJob(
                "too long with prefix and suffix",
                field="prompts",
                value=length,
                allowed=f"{MAX_PROMPT_CHARACTERS} characters",
            )

    def check_resolved(self) -> None:
        """Raise InvalidJob unless size, border, overlap and given pictures fit together."""
        self.nesting.check_overlap(self.overlap)
        for name in ("image", "exit_image"):
            self._check_aspect(name, getattr(self, name))

    def _check_aspect(self, name: str, picture: Picture | None) -> None:
        if picture is None or picture.size is None:
            return
        width, height = self.nesting.size
        error = picture.size[0] * height / (picture.size[1] * width) - 1
        if abs(error) > _MAX_ASPECT_ERROR:
            raise InvalidJob(
                "the picture has another aspect than the film",
                field=name,
                value="{}x{}".format(*picture.size),
                allowed=f"the aspect of {width}x{height}",
                hint="Crop it, or choose width and height to match",
            )

    @property
    def nesting(self) -> Nesting:
        """The geometry of the key frames; size must be set. Raises InvalidJob."""
        size = (self.width or 0, self.height or 0)
        if self.border is not None:
            return Nesting.by_border(size, self.border)
        return Nesting.by_zoom(size, self.zoom or DEFAULT_ZOOM)

    @property
    def feather_px(self) -> int:
        """Width of the soft edge inside the overlap, in pixels."""
        return self.overlap if self.feather is None else self.feather

    @property
    def unit_count(self) -> int:
        """The number of key frames, plus one for the film."""
        return 1 if self.key_frames_of else self.key_frame_count + 1

    @property
    def lane(self) -> Lane:
        """That of the model that draws around key frames, or of films when there are all."""
        return Lane(FILM, self.precision) if self.key_frames_of else super().lane

    @property
    def last_lane(self) -> str | None:
        """The lane of films, unless the whole job waits there."""
        return None if self.key_frames_of else FILM

    def is_film(self, unit: int) -> bool:
        """True for the last unit; the others are key frames."""
        return unit == self.unit_count - 1

    @property
    def is_drawn_first(self) -> bool:
        """True if key frame 0 is drawn from only its prompt."""
        return self.image is None and self.key_frames_of is None

    def model_of(self, unit: int) -> str | None:
        """The model that draws unit ``unit``; None for the film and a given picture."""
        if self.is_film(unit):
            return None
        if unit == 0:
            return self.first_model if self.is_drawn_first else None
        return self.model

    @property
    def key_frame_count(self) -> int:
        """Number of key frames."""
        if self.key_frames is not None:
            return self.key_frames
        return DEFAULT_KEY_FRAMES if self.duration is None else self.key_frames_needed()

    @property
    def texts(self) -> tuple[str, ...]:
        """All prompts, prefix and suffix included."""
        cued = [prompt for _, prompt in (*(self.prompts or ()), *(self.prompts_by_second or ()))]
        return (*super().texts, self.prompt_prefix, self.prompt_suffix, *cued)

    def resolve_companion(self, companion: str | None, resolve: Callable[[Job], Job]) -> Self:
        """The same film, with the open values of a first key frame that is drawn."""
        if not self.is_drawn_first:
            return self
        named = self.model_copy(update={"first_model": self.first_model or companion})
        return named.with_first(resolve(named.first_drawing()))

    def prompt_of(self, index: int) -> str:
        """The prompt of key frame ``index``, including prefix and suffix."""
        prompt = self.prompt
        if self.prompts_by_second:
            second = self.second_of(index, self.key_frame_count)
            prompt = self._cued(self.prompts_by_second, second)
        elif self.prompts:
            prompt = self._cued(self.prompts, index)
        return join_prompt((self.prompt_prefix, prompt, self.prompt_suffix))

    def _cued(self, cues: Cues, position: float) -> str:
        """The prompt at ``position``; before the first cue it is `prompt`, if given."""
        return self.prompt if self.prompt and position < cues[0][0] else prompt_at(cues, position)

    def for_unit(self, unit: int) -> Self:
        """The job with the values of one unit: prompt and seed, or the film's format."""
        if self.is_film(unit):
            return self.model_copy(update={"output_format": self.film_format})
        values = {"prompt": self.prompt_of(unit), "seed": self.seed_of(unit)}
        values |= {"prompt_prefix": "", "prompt_suffix": "", "prompts": None}
        return self.model_copy(update=values | {"prompts_by_second": None})

    def seed_of(self, index: int) -> int:
        """The seed of key frame ``index``: the film's seed plus its number."""
        return (self.seed or 0) + index

    def drawing_of(self, index: int) -> Inpaint:
        """The job that draws key frame ``index`` around the previous one."""
        return Inpaint(
            model=self.model,
            image=_AT_HAND,
            mask=_AT_HAND,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler,
            **self._drawing(index),
        )

    def first_drawing(self) -> TextToImage:
        """The job that draws key frame 0 from only its prompt."""
        return TextToImage(
            model=self.first_model or self.model,
            num_inference_steps=self.first_steps,
            guidance_scale=self.first_guidance_scale,
            scheduler=self.first_scheduler,
            **self._drawing(0),
        )

    def with_first(self, first: Job) -> Self:
        """The same film with key frame 0 drawn with the values of ``first``."""
        values = {
            "first_steps": first.num_inference_steps,
            "first_guidance_scale": first.guidance_scale,
            "first_scheduler": first.scheduler,
        }
        return self.model_copy(update=values)

    def _drawing(self, index: int) -> dict[str, Any]:
        """The values shared by the jobs of all key frames."""
        names = ("negative_prompt", "precision", "width", "height", "device", "embed_metadata")
        options = ("clip_skip", "vae", *Shortcuts.model_fields)
        fields = {name: getattr(self, name) for name in (*names, *options)}
        return {**fields, "prompt": self.prompt_of(index), "seed": self.seed_of(index)}

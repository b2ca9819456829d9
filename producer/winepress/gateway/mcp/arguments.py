"""The arguments of the tools: bounded as the fields of jobs are, and told to language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from winepress.gateway.mcp.plain_schema import plain_schema
from winepress_shared.errors import InvalidJob
from winepress_shared.job_id import JobId
from winepress_shared.jobs.film_cut import MAX_DURATION_S, MAX_KEY_FRAMES, Direction, FilmCut
from winepress_shared.jobs.job import (
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_STEPS,
    ModelName,
    Prompt,
    Side,
    Text,
)
from winepress_shared.jobs.nesting import MAX_ZOOM, MIN_ZOOM
from winepress_shared.jobs.prompt_table import MAX_CUES
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.refusal import refusal_of
from winepress_shared.jobs.schedulers import SCHEDULERS
from winepress_shared.lane import Precision

MAX_WAIT_S = 600.0
#: Shorter than the minute after which many clients give up a call.
DEFAULT_WAIT_S = 45.0
MAX_PICTURES = 16  #: of one call; who wants more asks again, or in another way
_MAX_PICTURE_CHARACTERS = 48 * 2**20  #: base64 of the largest picture of a job
_WAIT = (
    "seconds to wait for the end; then the answer says that the job is still running, "
    "and job_status or wait tell the rest"
)
_PICTURE = (
    "base64 of a PNG, JPEG or WebP file, a data: URL, or a picture of an earlier job: "
    "JOB_ID for its first one, JOB_ID/2 for its third one"
)
_FILM_FORMATS = list(get_args(FilmCut.model_fields["film_format"].annotation))

Wait = Annotated[float, Field(ge=0, le=MAX_WAIT_S, description=_WAIT)]
PictureText = Annotated[str, Field(min_length=1, max_length=_MAX_PICTURE_CHARACTERS)]
Count = Annotated[int, Field(ge=1, le=MAX_PICTURES)]
Steps = Annotated[int, Field(ge=1, le=MAX_STEPS)]
Guidance = Annotated[float, Field(ge=0, le=MAX_GUIDANCE)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Strength = Annotated[float, Field(gt=0, le=1)]
KeyFrames = Annotated[int, Field(ge=1, le=MAX_KEY_FRAMES)]
Zoom = Annotated[float, Field(ge=MIN_ZOOM, le=MAX_ZOOM)]
Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S)]
Prompts = Annotated[dict[str, str], Field(max_length=MAX_CUES)]


class Arguments(BaseModel):
    """What a tool takes; null is the same as no value."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """The arguments of one call; raises InvalidJob."""
        unknown = next((name for name in values if name not in cls.model_fields), None)
        if unknown is not None:
            known = ", ".join(cls.model_fields) or "none"
            raise InvalidJob("unknown argument", value=unknown, allowed=known)
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise refusal_of(error, cls, {}) from None

    @classmethod
    def schema_of_input(cls) -> dict[str, Any]:
        """The JSON schema, without references, which some clients cannot follow."""
        found = plain_schema(cls)
        properties = found["properties"]
        found["properties"] = {name: _plain(one) for name, one in properties.items()}
        return found


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field without null, which is the same as leaving it out."""
    choices = [one for one in field.get("anyOf", ()) if one != {"type": "null"}]
    unsaid = ("title", "anyOf", *(("default",) if field.get("default", field) is None else ()))
    own = {name: value for name, value in field.items() if name not in unsaid}
    return (choices[0] if choices else {}) | own


class OfJob(Arguments):
    """A tool about one job."""

    job_id: Annotated[JobId, Field(description="the id that generate_image and others answered")]


class WaitForJob(OfJob):
    """Waits for one job."""

    wait_s: Wait = DEFAULT_WAIT_S


class Drawing(Arguments):
    """What all tools that draw take; the names are those of the job's fields."""

    prompt: Annotated[Prompt, Field(description="what the picture shows, in plain words")]
    negative_prompt: Annotated[Text, Field(description="what it must not show")] = ""
    model: Annotated[
        ModelName | None, Field(description="a name of list_models; without it, a ready one")
    ] = None
    precision: Annotated[
        Precision, Field(description="of the model's numbers; list_models tells which are ready")
    ] = Precision.FP16
    quality: Annotated[
        Quality | None,
        Field(
            description="exact; fast, hard to tell from it at about half the time; or draft, for "
            "choosing prompts and seeds; without it, the farm's own"
        ),
    ] = None
    num_inference_steps: Annotated[
        Steps | None, Field(description="more is slower; without it, the model's own number")
    ] = None
    guidance_scale: Annotated[
        Guidance | None,
        Field(description="how closely to follow the prompt; without it, the model's own number"),
    ] = None
    seed: Annotated[
        Seed | None, Field(description="the same seed gives the same picture again")
    ] = None
    scheduler: Annotated[
        str | None,
        Field(
            description="the sampler; without it, the model's own",
            json_schema_extra={"enum": [one.name for one in SCHEDULERS]},
        ),
    ] = None
    wait_s: Wait = DEFAULT_WAIT_S

    def fields(self) -> dict[str, Any]:
        """The fields of the job that were given."""
        return self.model_dump(mode="json", exclude={"wait_s"}, exclude_unset=True)


class GenerateImage(Drawing):
    """Draws pictures from a prompt."""

    width: Annotated[
        Side | None, Field(description="in pixels; without it, what the model has learned")
    ] = None
    height: Annotated[Side | None, Field(description="in pixels, as width")] = None
    n: Annotated[Count, Field(description="number of pictures, with seeds that count up")] = 1


class EditImage(Drawing):
    """Draws a picture anew."""

    image: Annotated[PictureText, Field(description=f"the picture to start from: {_PICTURE}")]
    mask: Annotated[
        PictureText | None,
        Field(
            description="white where the picture is drawn anew, black where it stays; of the "
            "same size as image, and given in the same way"
        ),
    ] = None
    strength: Annotated[
        Strength | None,
        Field(
            description="0.2 changes little, 0.8 nearly everything; without it, the model's own, "
            "and 1 with a mask"
        ),
    ] = None
    n: Annotated[Count, Field(description="number of pictures, with seeds that count up")] = 1


class ZoomVideo(Drawing):
    """Makes a film."""

    image: Annotated[
        PictureText | None,
        Field(description=f"the innermost picture; without it, it is drawn. {_PICTURE}"),
    ] = None
    prompts: Annotated[
        Prompts | None,
        Field(
            description="other prompts, each from a key frame on, by its number in rising order",
            examples=[{"0": "a keyhole", "2": "a door", "4": "a castle"}],
        ),
    ] = None
    key_frames: Annotated[
        KeyFrames | None,
        Field(description="pictures to draw, each around the one before; without it, 5"),
    ] = None
    zoom: Annotated[
        Zoom | None, Field(description="from one key frame to the next; without it, 2")
    ] = None
    direction: Annotated[Direction, Field(description="of the camera")] = Direction.OUT
    duration: Annotated[
        Duration | None,
        Field(description="seconds of the film; without it, one from key frame to key frame"),
    ] = None
    fps: Annotated[float, Field(ge=1, le=120, description="frames a second")] = 30.0
    film_format: Annotated[
        str,
        Field(
            description="of the film's file; frames is a ZIP of pictures",
            json_schema_extra={"enum": _FILM_FORMATS},
        ),
    ] = "mp4"
    width: Annotated[
        Side | None, Field(description="of the key frames, in pixels; without it, as learned")
    ] = None
    height: Annotated[Side | None, Field(description="in pixels, as width")] = None

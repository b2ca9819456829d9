"""The prompts of a zoom's key frames."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import MAX_PROMPT_CHARACTERS
from winepress_shared.jobs.plain_text import check_text

MAX_CUES = 1000
MAX_POSITION = 100_000.0  #: last key frame or second a cue may name

Cue = tuple[float, str]  #: first key frame or second, and the prompt from there on


def read_cues(value: object) -> tuple[Cue, ...]:
    """Read a mapping of position → prompt or a list of such pairs; raises InvalidJob.

    Positions start at 0 or later and must rise, because another order is probably a mistake.
    """
    cues = tuple(_cue(row) for row in _rows(value))
    if not cues:
        raise InvalidJob("the prompt table is empty", field="prompts")
    for (before, _), (after, _) in pairwise(cues):
        if after <= before:
            raise InvalidJob(
                "the prompt table is out of order", field="prompts", value=f"{before:g}, {after:g}"
            )
    return cues


def _rows(value: object) -> list[object]:
    rows = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(rows, list | tuple):
        raise InvalidJob("not a valid prompt table", field="prompts", value=value, allowed=_FORM)
    if len(rows) > MAX_CUES:
        raise InvalidJob(
            "the prompt table is too long", field="prompts", value=len(rows), allowed=f"{MAX_CUES}"
        )
    return list(rows)


def _cue(row: object) -> Cue:
    if not isinstance(row, list | tuple) or len(row) != 2 or not isinstance(row[1], str):
        raise InvalidJob("not a valid prompt table", field="prompts", value=row, allowed=_FORM)
    prompt = check_text(row[1], "prompts").strip()
    if not 1 <= len(prompt) <= MAX_PROMPT_CHARACTERS:
        raise InvalidJob(
            "a prompt is empty or too long",
            field="prompts",
            value=len(prompt),
            allowed=f"1 to {MAX_PROMPT_CHARACTERS} characters",
        )
    return _position(row[0]), prompt


def _position(value: object) -> float:
    try:
        position = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        position = math.nan
    if isinstance(value, bool) or not 0 <= position <= MAX_POSITION:
        raise InvalidJob(
            "not a valid position in a prompt table",
            field="prompts",
            value=value,
            allowed=f"0 to {MAX_POSITION:g}",
        )
    return position


_FORM = 'position → prompt, for example {"0": "a valley", "3": "a castle"}'

#: Field of a job: rising positions with their prompts.
Cues = Annotated[tuple[Cue, ...], BeforeValidator(read_cues)]


def prompt_at(cues: tuple[Cue, ...], position: float) -> str:
    """The prompt of the last cue at or before ``position``, else of the first cue."""
    index = bisect_right([start for start, _ in cues], position)
    return cues[max(index - 1, 0)][1]


def join_prompt(parts: Iterable[str]) -> str:
    """Prefix, prompt and suffix as one text."""
    return " ".join(part.strip() for part in parts if part.strip())


#: Field of A1111's infinite-zoom extension → ours, if the value has the same meaning.
_FOREIGN = {
    "negPrompt": "negative_prompt",
    "prePrompt": "prompt_prefix",
    "postPrompt": "prompt_suffix",
    "seed": "seed",
    "width": "width",
    "height": "height",
    "sampler": "scheduler",
    "guidanceScale": "guidance_scale",
    "steps": "num_inference_steps",
    "outpaintAmount": "border",
    "fps": "fps",
    "zoomSpeed": "seconds_per_key_frame",
}


def is_infinite_zoom(values: Mapping[str, Any]) -> bool:
    """True for the JSON form of A1111's infinite-zoom extension (schema 1.4)."""
    prompts = values.get("prompts")
    return isinstance(prompts, Mapping) and "data" in prompts


def from_infinite_zoom(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of our job for that form; raises InvalidJob.

    Names of files on another machine (audio, look-up tables, blend masks, pictures of single rows)
    are left out. Our own fields take precedence.
    """
    table = values["prompts"]
    if not isinstance(table["data"], list | tuple):
        raise InvalidJob("not a list of rows", field="prompts", value=table["data"])
    fields = {name: value for name, value in values.items() if name not in _KNOWN_FOREIGN}
    for foreign, ours in _FOREIGN.items():
        value = values.get(foreign, table.get(foreign))
        if value not in (None, ""):
            fields.setdefault(ours, value)
    fields["prompts"] = [
        list(row[:2]) if isinstance(row, list | tuple) else row for row in table["data"]
    ]
    if "zoomMode" in values:
        fields.setdefault("direction", "in" if "in" in str(values["zoomMode"]).lower() else "out")
    return fields


_KNOWN_FOREIGN = {
    *_FOREIGN,
    *("$schema", "audioFileName", "lutFileName", "maskBlur", "overmask", "outpaintStrategy"),
    *("zoomMode", "startFrames", "lastFrames"),
    *("blendMode", "blendImage", "blendColor", "blendGradient", "blendInvert"),
}

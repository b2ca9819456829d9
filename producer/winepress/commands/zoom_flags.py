"""The flags of zooms and of their films."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from winepress.job_files.job_file import read_bounded
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.film_cut import Direction, Easing

#: Flags that are fields of a film, under the same name.
FILM_FIELDS = (
    "film_format",
    "film_size",
    "direction",
    "easing",
    "seconds_per_key_frame",
    "duration",
    "hold",
    "fps",
    "audio",
)
#: Flags that are fields of a zoom.
ZOOM_FIELDS = (
    "prompts",
    "prompts_by_second",
    "prompt_prefix",
    "prompt_suffix",
    "first_model",
    "exit_image",
    "key_frames",
    "zoom",
    "border",
    "overlap",
    "feather",
    "colour_matching",
)
PROMPT_TABLES = ("prompts", "prompts_by_second")
_FORMATS = ("mp4", "webm", "gif", "webp", "frames")


def add_film(group: argparse._ArgumentGroup, *, own: bool = False) -> None:
    """Add the flags of a film; ``own`` where no picture has a format or a size of its own."""
    add = group.add_argument
    names = ("--format", "--film-format") if own else ("--film-format",)
    add(*names, dest="film_format", choices=_FORMATS, help="default: mp4; frames are PNG in a ZIP")
    names = ("--size", "--film-size") if own else ("--film-size",)
    add(*names, dest="film_size", metavar="WxH", help="in pixels; default: the key frames' own")
    add("--direction", choices=tuple(Direction), help="of the camera; default: out")
    add("--ease", dest="easing", choices=tuple(Easing), help="how it starts and stops")
    add("--seconds-per-key-frame", type=float, metavar="S", help="default: 1")
    add("--duration", type=float, metavar="S", help="of the film; instead of key frames or pace")
    add("--hold", type=float, metavar="S", help="seconds of rest at either end")
    add("--fps", type=float, metavar="N", help="frames a second; default: 30")
    add("--audio", metavar="FILE", help="WAV, FLAC, MP3, Ogg or M4A; in mp4 and webm")


def add_zoom(group: argparse._ArgumentGroup) -> None:
    """Add the flags of the key frames."""
    add = group.add_argument
    table = 'JSON, or a file of it: {"0": "a valley", "3": "a castle"}'
    add("--prompts", metavar="TABLE", help=f"key frame → prompt; {table}")
    add("--prompts-by-second", metavar="TABLE", help="second of the film → prompt")
    add("--prefix", dest="prompt_prefix", metavar="T", help="before every prompt")
    add("--suffix", dest="prompt_suffix", metavar="T", help="after every prompt")
    add("--first-model", metavar="M", help="draws key frame 0, unless --image is given")
    add("--exit-image", metavar="FILE", help="what the zoom opens into at its widest")
    add("--key-frames", type=int, metavar="K", help="default: 5, or as --duration needs")
    add("--zoom", type=float, metavar="Z", help="factor from one key frame to the next; default: 2")
    add("--border", metavar="PX[xPX]", help="in place of --zoom: what each key frame adds")
    add("--overlap", type=int, metavar="PX", help="width of the ring that is drawn again")
    add("--feather", type=int, metavar="PX", help="width of the soft edge in it")
    add(
        "--no-colour-matching",
        dest="colour_matching",
        action="store_false",
        default=None,
        help="leave the colours of key frames as the model paints them",
    )


def given(arguments: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields that were given as flags."""
    found = {name: getattr(arguments, name) for name in names}
    values = {name: value for name, value in found.items() if value is not None}
    for name in PROMPT_TABLES:
        if name in values:
            values[name] = _table(name, values[name])
    if "border" in values and "x" not in values["border"]:
        values["border"] = f"{values['border']}x{values['border']}"
    if "film_size" in values:
        size = canonical_fields({"size": values.pop("film_size")})
        values |= {f"film_{side}": pixels for side, pixels in size.items()}
    return values


def _table(name: str, text: str) -> object:
    is_inline = text.lstrip().startswith(("{", "["))
    flag = f"--{name.replace('_', '-')}"
    try:
        return json.loads(text if is_inline else read_bounded(Path(text)))
    except WrongUsage as error:
        error.field, error.hint = flag, 'A table in place is like {"0": "a valley"}'
        raise
    except (ValueError, RecursionError):
        raise WrongUsage("not a prompt table in JSON", field=flag, value=text) from None

"""The flags of zooms and their films."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from winepress.job_files.job_file import read_bounded
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.film_cut import Direction, Easing, FilmCut
from winepress_shared.jobs.zoom import ZoomVideo

#: Fields of a film that a flag of the same name may give; ``film_size`` is its width and height.
FILM_FIELDS = ("film_size", *FilmCut.model_fields)
ZOOM_FIELDS = (*ZoomVideo.model_fields,)  #: the same of a zoom
PROMPT_TABLES = ("prompts", "prompts_by_second")
_FORMATS = ("mp4", "webm", "gif", "webp", "frames")


def add_film(group: argparse._ArgumentGroup, *, own: bool = False) -> None:
    """Add the flags of a film; ``own`` adds --format and --size, which name those of the film."""
    add = group.add_argument
    names = ("--format", "--film-format") if own else ("--film-format",)
    add(*names, dest="film_format", choices=_FORMATS, help="default: mp4; frames are PNG in a ZIP")
    names = ("--size", "--film-size") if own else ("--film-size",)
    add(
        *names,
        dest="film_size",
        metavar="WxH",
        help="in pixels; default: the size of the key frames",
    )
    add("--direction", choices=tuple(Direction), help="direction of the camera; default: out")
    add("--ease", dest="easing", choices=tuple(Easing), help="how the camera starts and stops")
    add("--seconds-per-key-frame", type=float, metavar="S", help="default: 1")
    add(
        "--duration",
        type=float,
        metavar="S",
        help="length of the film, instead of key frames or seconds per key frame",
    )
    add("--hold", type=float, metavar="S", help="seconds of standstill at either end")
    add("--fps", type=float, metavar="N", help="frames a second; default: 30")
    add("--audio", metavar="FILE", help="sound for mp4 and webm: WAV, FLAC, MP3, Ogg or M4A")


def add_zoom(group: argparse._ArgumentGroup) -> None:
    """Add the flags of the key frames."""
    add = group.add_argument
    table = 'JSON or a JSON file: {"0": "a valley", "3": "a castle"}'
    add("--prompts", metavar="TABLE", help=f"key frame → prompt; {table}")
    add("--prompts-by-second", metavar="TABLE", help="second of the film → prompt")
    add("--prefix", dest="prompt_prefix", metavar="T", help="before every prompt")
    add("--suffix", dest="prompt_suffix", metavar="T", help="after every prompt")
    add("--first-model", metavar="M", help="model of key frame 0, unless --image is given")
    add("--exit-image", metavar="FILE", help="picture around the widest key frame")
    add("--key-frames", type=int, metavar="K", help="default: 5, or as many as --duration needs")
    add("--zoom", type=float, metavar="Z", help="zoom factor between key frames; default: 2")
    add("--border", metavar="PX[xPX]", help="instead of --zoom: pixels that each key frame adds")
    add(
        "--overlap",
        type=int,
        metavar="PX",
        help="width of the ring of the key frame before that is redrawn",
    )
    add("--feather", type=int, metavar="PX", help="width of the soft edge of that ring")
    add(
        "--no-colour-matching",
        dest="colour_matching",
        action="store_false",
        default=None,
        help="keep the colours of key frames as the model draws them",
    )


def given_fields(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Those of the fields ``names`` that were given as flags, by name."""
    found = {name: getattr(arguments, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def zoom_fields(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """`given_fields` of a zoom, with prompt tables read and sizes split into width and height.

    Raises WrongUsage and InvalidJob.
    """
    values = given_fields(arguments, names)
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
        error.field = flag
        error.hint = 'Give JSON such as {"0": "a valley"}, or the name of a JSON file'
        raise
    except (ValueError, RecursionError):
        raise WrongUsage("the prompt table is not valid JSON", field=flag, value=text) from None

"""``winepress info``: the generation metadata of a picture file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from winepress.console import Console
from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.jobs.picture import MAX_FILE_BYTES
from winepress_shared.regular_file import read_regular

if TYPE_CHECKING:
    from winepress_shared.metadata import PictureInfo


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "info",
        help="show how a picture was made",
        description="Print the parameters in a picture file. With --json: the job that draws the "
        "picture again, for `winepress submit --file`.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="PNG, JPEG or WebP")
    parser.add_argument("--json", action="store_true", help="the job as one JSON object")
    parser.set_defaults(run=_info)


def _info(arguments: argparse.Namespace) -> int:
    from winepress_shared.metadata import read

    try:
        return _show(arguments, read(_read(arguments.file)))
    except InvalidJob as error:
        error.value = str(arguments.file)
        raise


def _show(arguments: argparse.Namespace, found: PictureInfo) -> int:
    if arguments.json:
        Console(json_lines=True).result(found.job().model_dump(mode="json"))
    elif found.parameters is None:
        raise InvalidJob("the file contains no generation metadata")
    else:
        Console().result({}, *found.parameters.split("\n"))
    return 0


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise WrongUsage(f"cannot read the picture: {error.strerror}", value=str(path)) from None

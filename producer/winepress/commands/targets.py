"""Where results are to be saved, looked at before anything is queued or waited for."""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from winepress_shared.errors import WrongUsage

#: Flags that name a folder to be made, or a file to be written in a folder that is there.
_FOLDERS, _FILES = ("out", "previews"), ("preview",)


def check_targets(arguments: argparse.Namespace) -> None:
    """Raise WrongUsage when what the flags name could not be written: later is too late.

    Nothing is left behind: a job that is refused makes no folder.
    """
    for flag in (*_FOLDERS, *_FILES):
        path: Path | None = getattr(arguments, flag, None)
        if path is None:
            continue
        try:
            problem = _why_no_folder(path) if flag in _FOLDERS else _why_no_file(path)
        except OSError as error:
            problem = f"cannot save here: {error.strerror}"
        if problem:
            raise WrongUsage(problem, field=f"--{flag}", value=str(path))


def _why_no_folder(path: Path) -> str | None:
    """Make the folder and something in it, and remove both; raises OSError.

    Rights do not tell everything: below /proc, on a full or a read-only disk and under a name that
    is too long even root makes nothing.
    """
    made: list[Path] = []
    folder = path.absolute()
    try:
        for one in (*reversed(folder.parents), folder):
            if not os.path.lexists(one):
                one.mkdir()
                made.append(one)
            elif not one.is_dir():
                return f"{one} is not a folder"
        Path(tempfile.mkdtemp(prefix=".winepress-", dir=folder)).rmdir()
    except PermissionError as error:
        return f"no permission to write in {Path(error.filename).parent}"
    finally:
        for one in reversed(made):
            with suppress(OSError):  # somebody put something there
                one.rmdir()
    return None


def _why_no_file(path: Path) -> str | None:
    """Make a file of nearly that name beside it, and remove it; raises OSError."""
    if path.is_dir():
        return "this is a folder, and a file is wanted"
    if path.exists() and not path.is_file():
        return "this is not a plain file"  # a device would be replaced by one
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    problem = _why_no_folder(path.parent)
    if problem is None:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        Path(name).unlink()
    return problem

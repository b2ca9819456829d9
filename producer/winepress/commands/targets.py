"""Where results are to be saved, looked at before anything is queued or waited for."""

from __future__ import annotations

import argparse
import os
import tempfile
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
    """Look at the folder, or at the nearest one above it that exists; raises OSError.

    Rights do not tell everything: below /proc and on a full or read-only disk even root makes
    nothing. So a folder is made there, and removed.
    """
    found = path.absolute()
    while not os.path.lexists(found):
        found = found.parent
    if not found.is_dir():
        return f"{found} is not a folder"
    if not os.access(found, os.W_OK | os.X_OK):
        return f"no permission to write in {found}"
    Path(tempfile.mkdtemp(prefix=".winepress-", dir=found)).rmdir()
    return None


def _why_no_file(path: Path) -> str | None:
    if path.is_dir():
        return "this is a folder, and a file is wanted"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    return _why_no_folder(path.parent)

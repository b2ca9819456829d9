"""Checks of the places for results, made before anything is queued or waited for."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from winepress_shared.errors import WrongUsage

#: Flags that name a folder, which is made if need be; flags that name a file in a folder.
_FOLDERS, _FILES = ("out", "previews"), ("preview",)


def check_targets(arguments: argparse.Namespace) -> None:
    """Raise WrongUsage if a place that a flag names cannot be written.

    Leaves nothing behind, so a refused job makes no folder.
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
    """Make an entry in the folder, and remove it; returns what is wrong, raises OSError.

    Permissions are not enough: below /proc, on a full or a read-only disk, and with a name that is
    too long, even root cannot make a folder. What is missing of the path is made inside the entry,
    so that nobody else who wants the same folder meets it.
    """
    folder = found = Path(os.path.normpath(path.absolute()))
    while not os.path.lexists(found):
        found = found.parent
    if not found.is_dir():
        return f"{found} is not a folder"
    try:
        with tempfile.TemporaryDirectory(prefix=".winepress-", dir=found) as entry:
            Path(entry, folder.relative_to(found)).mkdir(parents=True, exist_ok=True)
    except PermissionError:
        return f"no permission to write in {found}"
    return None


def _why_no_file(path: Path) -> str | None:
    """Make a file with a similar name, and remove it; returns what is wrong, raises OSError."""
    if path.is_dir():
        return "this is a folder, not a file"
    if path.exists() and not path.is_file():
        return "this is not a plain file"  # a file would replace a device
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    problem = _why_no_folder(path.parent)
    if problem is None:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        Path(name).unlink()
    return problem

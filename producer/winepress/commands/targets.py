"""Checks of the places for results, made before anything is queued or waited for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from winepress_shared.errors import WrongUsage


def check_targets(arguments: argparse.Namespace) -> None:
    """Raise WrongUsage if ``--out`` or ``--preview`` cannot be written.

    Creates nothing, so a refused job leaves no folder behind.
    """
    for flag in ("out", "preview"):
        path: Path | None = getattr(arguments, flag, None)
        if path is None:
            continue
        try:
            problem = _why_no_folder(path) if flag == "out" else _why_no_file(path)
        except OSError as error:
            problem = f"cannot save here: {error.strerror}"
        if problem:
            raise WrongUsage(problem, field=f"--{flag}", value=str(path))


def _why_no_folder(path: Path) -> str | None:
    """What is wrong with the folder, or with its nearest existing parent."""
    found = path.absolute()
    while not os.path.lexists(found):
        found = found.parent
    if not found.is_dir():
        return f"{found} is not a folder"
    if not os.access(found, os.W_OK | os.X_OK):
        return f"no permission to write in {found}"
    return None


def _why_no_file(path: Path) -> str | None:
    if path.is_dir():
        return "this is a folder, not a file"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    return _why_no_folder(path.parent)

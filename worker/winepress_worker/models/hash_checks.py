"""Which prepared models had the right hashes when they were last read whole.

A file ``PRECISION.checked`` beside a model's folder holds what its files looked like then. Reading
gigabytes again before the first picture would take as long as loading them.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from winepress_shared.atomic_file import atomic_write
from winepress_worker.models.manifest import Manifest

_SUFFIX = ".checked"
_MOST_BYTES = 64  #: of a record: a SHA-256 in hexadecimal digits


class HashChecks:
    """Remembers checks in this process, and beside the models where that can be written."""

    def __init__(self) -> None:
        self._seen: set[tuple[Path, str]] = set()

    def hold(self, manifest: Manifest, folder: Path) -> bool:
        """Whether every file has its recorded hash; reads only what changed since a check.

        Raises OSError if a file is gone.
        """
        looks = _looks(manifest, folder)
        if (folder, looks) in self._seen:
            return True
        if _recorded(folder) != looks:
            if not manifest.hashes_match(folder):
                return False
            with suppress(OSError):  # models may lie on a disk that is not to be written
                atomic_write(_record(folder), looks.encode("ascii"))
        self._seen.add((folder, looks))
        return True


def forget_check(folder: Path) -> None:
    """Remove the record of a model that is removed; raises OSError."""
    _record(folder).unlink(missing_ok=True)


def _looks(manifest: Manifest, folder: Path) -> str:
    """A hash of the manifest and of all files' times; copying or changing a file changes it."""
    text = f"{manifest.model_dump_json()}{manifest.times(folder)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _recorded(folder: Path) -> str:
    try:
        with _record(folder).open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return ""


def _record(folder: Path) -> Path:
    return folder.with_name(folder.name + _SUFFIX)

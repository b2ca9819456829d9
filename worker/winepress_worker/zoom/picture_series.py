"""A film as single pictures: PNG files in one ZIP archive, numbered from 0."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Self

from PIL import Image

from winepress_worker.zoom.planes import Frame

_PNG_LEVEL = 1  #: of zlib; the higher ones take five times as long for a tenth less


class PictureSeries:
    """Writes frames as ``000000.png`` and so on; a context manager like `FilmFile`."""

    wants_rgb = True

    def __init__(self, path: Path) -> None:
        # Stored as they are: PNG is compressed already.
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def write(self, samples: Frame) -> None:
        """Append one RGB frame."""
        buffer = io.BytesIO()
        Image.fromarray(samples).save(buffer, "PNG", compress_level=_PNG_LEVEL)
        # A ZipInfo of its own carries no time of day: equal films are equal files.
        entry = zipfile.ZipInfo(f"{self._written:06d}.png")
        self._archive.writestr(entry, buffer.getvalue())
        self._written += 1

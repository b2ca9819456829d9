"""Pictures that come from outside: bounded, checked and made canonical before anything else.

A picture travels as a reference ``sha256:<hex>`` to an object of the store; the bytes behind it
are always an RGB (or, for masks, greyscale) PNG without metadata, so equal pictures share one
object and a printed job can be submitted again.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

from winepress_shared.errors import InvalidJob

MAX_FILE_BYTES = 32 * 2**20  #: largest picture file accepted, in bytes
MAX_SIDE_PX = 4096  #: longest side accepted, in pixels
_FORMATS = ("PNG", "JPEG", "WEBP")
_REFERENCE = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Picture:
    """One input picture: its reference, and its canonical PNG bytes while they are at hand."""

    reference: str  #: ``sha256:`` and 64 hexadecimal digits
    size: tuple[int, int] | None = None  #: width and height in pixels, when known
    png: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """Key of the object in the store."""
        return f"inputs/{self.reference.removeprefix('sha256:')}.png"

    @classmethod
    def parse(cls, text: str) -> Picture:
        """Read a reference; raises InvalidJob for anything else."""
        if not _REFERENCE.match(text):
            raise InvalidJob(
                "not a picture reference", value=text, allowed="sha256:<64 hex digits>"
            )
        return cls(text)

    @classmethod
    def load(cls, source: Path | bytes | Image.Image, mode: str = "RGB") -> Picture:
        """Make a canonical picture of a file, encoded bytes or a PIL image.

        ``mode`` is ``RGB`` for pictures and ``L`` for masks. Raises InvalidJob when the source
        is missing, too large, broken or of another format than PNG, JPEG or WebP.
        """
        image = source if isinstance(source, Image.Image) else _decode(_read(source))
        _check_sides(image)
        image = image.convert(mode)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        png = buffer.getvalue()
        return cls(f"sha256:{hashlib.sha256(png).hexdigest()}", image.size, png)


def _read(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        try:
            if source.stat().st_size > MAX_FILE_BYTES:
                raise InvalidJob("picture file is too large", value=str(source), allowed=_ALLOWED)
            data = source.read_bytes()
        except OSError as error:
            raise InvalidJob(
                f"cannot read the picture: {error.strerror}", value=str(source)
            ) from None
    if len(data) > MAX_FILE_BYTES:
        raise InvalidJob("picture is too large", value=f"{len(data)} bytes", allowed=_ALLOWED)
    return data


def _decode(data: bytes) -> Image.Image:
    """Decode after looking at the header only, so a decompression bomb is never unpacked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            _check_sides(image)
            image.load()
            return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning) as error:
        raise InvalidJob(f"not a readable picture: {error}", allowed=_ALLOWED) from None


def _check_sides(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE_PX or min(image.size) < 1:
        raise InvalidJob(
            "picture is too large", value=f"{image.width}x{image.height}", allowed=_ALLOWED
        )


_ALLOWED = f"PNG, JPEG or WebP up to {MAX_SIDE_PX}x{MAX_SIDE_PX} px and {MAX_FILE_BYTES >> 20} MiB"

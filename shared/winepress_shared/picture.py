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

from PIL import ExifTags, Image, UnidentifiedImageError

from winepress_shared.errors import InvalidJob
from winepress_shared.regular_file import read_regular

MAX_FILE_BYTES = 32 * 2**20  #: largest picture file accepted, in bytes
MAX_SIDE_PX = 4096  #: longest side accepted, in pixels
#: What Pillow raises for bytes that are no picture.
_BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning)
#: EXIF orientation (EXIF 2.32, tag 274) → what brings the picture upright.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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
        data = _read(source) if isinstance(source, Path) else source
        try:
            image = data if isinstance(data, Image.Image) else _decode(data)
            _check_sides(image)
            png = _encode(image, mode)
        except _BROKEN as error:
            shown = str(source) if isinstance(source, Path) else None
            raise InvalidJob(_problem(error), value=shown, allowed=_ALLOWED) from None
        return cls(f"sha256:{hashlib.sha256(png).hexdigest()}", image.size, png)


def _problem(error: Exception) -> str:
    """What Pillow says, but for texts that name its own objects and limits."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "picture is too large"
    is_plain = not isinstance(error, UnidentifiedImageError)
    return f"not a readable picture: {error}" if is_plain else "not a readable picture"


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise InvalidJob(f"cannot read the picture: {error.strerror}", value=str(path)) from None


def _decode(data: bytes) -> Image.Image:
    """Decode after looking at the header only, so a decompression bomb is never unpacked."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidJob("picture file is too large", allowed=_ALLOWED)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    _check_sides(image)
    image.load()
    # ImageOps.exif_transpose would write the other EXIF tags again, and trips over hostile ones.
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _encode(image: Image.Image, mode: str) -> bytes:
    if image.mode == "I;16":  # convert() would clip the 65536 greys, not scale them
        image = image.point(lambda grey: grey / 257)
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _check_sides(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE_PX or min(image.size) < 1:
        raise InvalidJob(
            "picture is too large", value=f"{image.width}x{image.height}", allowed=_ALLOWED
        )


_ALLOWED = f"PNG, JPEG or WebP up to {MAX_SIDE_PX}x{MAX_SIDE_PX} px and {MAX_FILE_BYTES >> 20} MiB"

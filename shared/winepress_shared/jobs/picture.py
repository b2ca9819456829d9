"""Input pictures: bounded, checked and converted to a canonical form.

Jobs hold a reference ``sha256:<hex>`` to an object in the store, which is always an RGB (or, for
masks, greyscale) PNG without metadata, upright and in sRGB; so equal pictures share one object and
a printed job can be submitted again.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast

from PIL import Image, ImageChops, UnidentifiedImageError

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.picture_warnings import heard_warnings
from winepress_shared.jobs.pixels import Pixels
from winepress_shared.regular_file import read_regular

MAX_FILE_BYTES = 32 * 2**20  #: largest picture file accepted, in bytes
MAX_SIDE_PX = 4096  #: longest side accepted, in pixels
#: Pillow's errors for invalid pictures.
_BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning)
WHITE = "#ffffff"
#: From this level of 255 on, a mask counts as white for models that repaint by it.
_DRAWN_ANEW = 128
_FORMATS = ("PNG", "JPEG", "WEBP")
_REFERENCE = re.compile(r"sha256:[0-9a-f]{64}\Z")

MaskMode = Literal["auto", "luminance", "alpha"]
#: Source of a picture: a path, bytes, an open binary file, or a Pillow image.
Source = Path | bytes | bytearray | memoryview | IO[bytes] | Image.Image


@dataclass(frozen=True)
class Picture:
    """One input picture: its reference, and its canonical PNG bytes if loaded."""

    reference: str  #: ``sha256:`` and 64 hexadecimal digits
    size: tuple[int, int] | None = None  #: width and height in pixels, if known
    png: bytes | None = field(default=None, repr=False, compare=False)
    #: Warnings from reading it, each the end of a sentence about it.
    warnings: tuple[str, ...] = field(default=(), repr=False, compare=False)

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
    def load(cls, source: Source, background: str = WHITE) -> Picture:
        """Make a canonical picture; transparent areas show ``background``, as ``#rrggbb``.

        Raises InvalidJob if the source is missing, too large, damaged or not PNG, JPEG or WebP.
        """
        return _load(source, lambda pixels: (pixels.on(background), ()))

    @classmethod
    def load_mask(cls, source: Source, mode: MaskMode = "auto") -> Picture:
        """Make a canonical mask, whose white area is repainted; raises what `load` raises.

        It is read by its brightness, or by its alpha, whose transparent area is repainted: ``auto``
        uses alpha if it varies.
        """
        return _load(source, lambda pixels: _mask(pixels, mode))


def _load(
    source: Source, reading: Callable[[Pixels], tuple[Image.Image, tuple[str, ...]]]
) -> Picture:
    data = source if isinstance(source, Image.Image) else _read(source)
    try:
        with heard_warnings() as heard:
            image = data if isinstance(data, Image.Image) else _decode(data)
            _check_sides(image)
            pixels = Pixels.of(image)
        shown, doubts = reading(pixels)
        buffer = io.BytesIO()
        shown.save(buffer, "PNG", compress_level=1)
    except _BROKEN as error:
        name = str(source) if isinstance(source, Path) else None
        raise InvalidJob(_problem(error), value=name, allowed=_ALLOWED) from None
    png = buffer.getvalue()
    # Pillow's warnings, for example about a damaged EXIF block.
    said = (*dict.fromkeys(heard), *pixels.warnings, *doubts)
    return Picture(f"sha256:{hashlib.sha256(png).hexdigest()}", shown.size, png, said)


def _mask(pixels: Pixels, mode: MaskMode) -> tuple[Image.Image, tuple[str, ...]]:
    """The mask as greys, with white to be repainted, and warnings about it."""
    varies = pixels.alpha is not None and len(set(pixels.alpha.getextrema())) > 1
    said: tuple[str, ...] = ()
    if mode == "alpha" and pixels.alpha is None:
        raise InvalidJob(
            "the mask has no transparency to read",
            field="mask_mode",
            value=mode,
            allowed="auto, luminance",
        )
    if pixels.alpha is not None and (mode == "alpha" or (mode == "auto" and varies)):
        shown = ImageChops.invert(pixels.alpha)
        if mode == "auto":
            said = (
                "is read by its alpha: transparent is repainted, unless mask_mode is luminance",
            )
    else:
        shown = pixels.on("black").convert("L")
    darkest, brightest = cast("tuple[int, int]", shown.getextrema())  # of one band
    if brightest < _DRAWN_ANEW:
        said += ("selects nothing: no part of the picture is repainted",)
    elif darkest >= _DRAWN_ANEW:
        said += ("selects everything: no part of the picture is kept",)
    return shown, said


def _problem(error: Exception) -> str:
    """Pillow's message, unless it names Pillow's own objects and limits."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "picture is too large"
    is_plain = not isinstance(error, UnidentifiedImageError)
    return f"not a readable picture: {error}" if is_plain else "not a readable picture"


def _read(source: Path | bytes | bytearray | memoryview | IO[bytes]) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    name = str(source if isinstance(source, Path) else getattr(source, "name", "open file"))
    try:
        if isinstance(source, Path):
            return read_regular(source, MAX_FILE_BYTES)
        data = source.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a closed file
        problem = getattr(error, "strerror", None) or str(error)
        raise InvalidJob(f"cannot read the picture: {problem}", value=name) from None
    if not isinstance(data, bytes):
        raise InvalidJob("the file is not open for bytes", value=name, hint='Open it with "rb"')
    return data


def _decode(data: bytes) -> Image.Image:
    """Read only the header, so that a decompression bomb is never unpacked."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidJob("picture file is too large", allowed=_ALLOWED)
    return Image.open(io.BytesIO(data), formats=_FORMATS)


def _check_sides(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE_PX or min(image.size) < 1:
        raise InvalidJob(
            "picture is too large", value=f"{image.width}x{image.height}", allowed=_ALLOWED
        )


_ALLOWED = f"PNG, JPEG or WebP up to {MAX_SIDE_PX}x{MAX_SIDE_PX} px and {MAX_FILE_BYTES >> 20} MiB"

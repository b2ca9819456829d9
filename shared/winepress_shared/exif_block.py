"""Writes an Exif block with text, by hand, because Pillow types bytes as BYTE.

Exif 2.32 requires type UNDEFINED for ``UserComment`` and ``MakerNote``, and other programs read
only that.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_EXIF_POINTER, _LONG, _UNDEFINED = 0x8769, 4, 7  #: TIFF 6.0, section 2
_INLINE_BYTES = 4  #: values up to this length are stored in their entry


def exif_of(values: Mapping[int, bytes]) -> bytes:
    """The block, big-endian as A1111 writes it, with ``values`` by their tags."""
    first = struct.pack(">HHHII4x", 1, _EXIF_POINTER, _LONG, 1, 8 + 18)
    at = 8 + len(first) + 2 + 12 * len(values) + 4  # offset of the values
    entries, body = b"", b""
    for tag, value in sorted(values.items()):
        entries += struct.pack(">HHI", tag, _UNDEFINED, len(value))
        if len(value) <= _INLINE_BYTES:
            entries += value.ljust(_INLINE_BYTES, b"\0")
        else:
            entries += struct.pack(">I", at + len(body))
            body += value + b"\0" * (len(value) % 2)  # values start at even offsets
    private = struct.pack(">H", len(values)) + entries + bytes(4)
    return b"Exif\0\0MM\0*" + struct.pack(">I", 8) + first + private + body

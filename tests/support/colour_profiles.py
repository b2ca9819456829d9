"""Small ICC profiles (ICC.1) whose meaning can be told by eye."""

from __future__ import annotations

import itertools
import struct

from PIL import ImageCms

#: What pure cyan ink is in `cmyk`, as CIE L*a*b*; the other inks are black.
CYAN_INK = (53, 80, 67)  # sRGB's red
_D50 = (0.9642, 1.0, 0.8249)


def srgb() -> bytes:
    """SRGB as LittleCMS writes it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def lab() -> bytes:
    """L*a*b* itself."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def red_is_green() -> bytes:
    """SRGB with the first two channels exchanged."""
    names = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    data = bytearray(srgb())
    (count,) = struct.unpack_from(">I", data, 128)
    for at in range(132, 132 + 12 * count, 12):
        name = bytes(data[at : at + 4])
        data[at : at + 4] = names.get(name, name)
    return bytes(data)


def linear_grey() -> bytes:
    """Greys that count light, not what the eye makes of it."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(8), b"wtpt": _xyz(_D50)})


def cmyk() -> bytes:
    """Four inks on white paper: cyan is `CYAN_INK`, and any other is black."""
    nodes = itertools.product((False, True), repeat=4)
    table = b"".join(_node(*inks) for inks in nodes)
    curve = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (at % 4 == 0) for at in range(9)))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + curve * 4 + table + curve * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut}, kind=b"prtr")


def _node(cyan: bool, *others: bool) -> bytes:
    lightness, a, b = (0, 0, 0) if any(others) else CYAN_INK if cyan else (100, 0, 0)
    return bytes((round(lightness * 2.55), a + 128, b + 128))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: tuple[float, ...]) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(space: bytes, target: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    at = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data.ljust(-len(data) % 4 + len(data), b"\0")
    date = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    head = bytes(4) + b"\x02\x40\0\0" + kind + space + target + date + b"acsp" + bytes(28)
    head += _fixed(_D50)
    size = struct.pack(">I", 128 + len(table) + len(body))
    return size + head.ljust(124, b"\0") + table + body

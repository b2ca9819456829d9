"""Recognises a sound file's container and damage, without a decoder.

It is not stricter than FFmpeg: a file that plays in part is accepted, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

_CUT_OFF = "is cut off: the film is silent where it ends"
#: Bytes searched before the samples, including a cover picture. Unlimited, 8 million empty chunks
#: in the largest file would take half a minute.
_WAV_HEAD_BYTES = 4 * 2**20
_OGG_HEAD_BYTES = 2**16  #: within which each stream declares its type
_OGG_CODECS = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")
_WAV_KINDS = (b"RIFF", b"RF64", b"BW64", b"RIFX")  #: the last one is big-endian
_UNKNOWN_SIZES = (0, 2**32 - 1)  #: of a WAV written to a pipe
_MP3_JUNK_BYTES = 2**16  #: before the first frame
_MP3_HEADER = re.compile(b"\xff[\xe2-\xff]..", re.DOTALL)
_ID3_FLAG_FOOTER = 0x10

#: Bit rates in kbit/s by MPEG version 1 or 2 and layer (ISO 11172-3, table 2.4.2.3; 13818-3).
_MPEG2_RATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_RATES = {
    (1, 1): tuple(range(32, 449, 32)),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): _MPEG2_RATES,
    (2, 3): _MPEG2_RATES,
}
#: Sampling rates in Hz, by the version bits of the header.
_MP3_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def container_of(data: bytes) -> str | None:
    """``wav``, ``flac``, ``mp3``, ``ogg`` or ``m4a``; None for anything else."""
    return next((name for name, test in _MAGIC.items() if test(data)), None)


def look(container: str, data: bytes) -> str | None:
    """The warning about a file of that container, usually empty; None if it is damaged."""
    return _LOOKS[container](data)


def _wav(data: bytes) -> str | None:
    """Chunks follow each other (Microsoft, RIFF WAVE): ``fmt`` and then ``data``."""
    order: Literal["big", "little"] = "big" if data[:4] == b"RIFX" else "little"
    at, has_format = 12, False
    while at + 8 <= min(len(data), _WAV_HEAD_BYTES):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], order)
        at += 8
        if name == b"data":
            is_cut = size not in _UNKNOWN_SIZES and at + size > len(data)
            return None if not has_format or at >= len(data) else _CUT_OFF if is_cut else ""
        has_format = has_format or name == b"fmt "
        at += size + size % 2
    return None


def _flac(data: bytes) -> str | None:
    """The first block is STREAMINFO of 34 bytes with a sampling rate (RFC 9639, 8.2)."""
    block = data[4:42]
    is_info = block[:1] != b"" and block[0] & 0x7F == 0 and block[1:4] == b"\0\0\x22"
    return "" if len(data) > 42 and is_info and any(block[14:17]) else None


def _ogg(data: bytes) -> str | None:
    """A known codec starts on one of the first pages (RFC 3533, 6)."""
    if not any(codec in data[:_OGG_HEAD_BYTES] for codec in _OGG_CODECS):
        return None
    last = data.rfind(b"OggS")
    segments = data[last + 27 : last + 27 + data[last + 26]] if last + 26 < len(data) else b""
    return "" if last + 27 + len(segments) + sum(segments) <= len(data) else _CUT_OFF


def _m4a(data: bytes) -> str | None:
    """The table of samples exists, wherever its boxes are (ISO 14496-12, 8.5)."""
    if b"moov" not in data or b"stbl" not in data:
        return None
    samples = data.find(b"mdat") - 4
    size = int.from_bytes(data[max(samples, 0) : samples + 4], "big")
    return _CUT_OFF if samples >= 0 and samples + size > len(data) else ""


def _mp3(data: bytes) -> str | None:
    return None if _first_frame(data) is None else ""


def _first_frame(data: bytes) -> int | None:
    """The offset of two consecutive frames: after an ID3v2 tag, or after junk."""
    after_tag = 0
    if data[:3] == b"ID3" and len(data) > 10:
        tag = sum(
            (byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True)
        )
        after_tag = 10 + tag + (10 if data[5] & _ID3_FLAG_FOOTER else 0)
    for begin in {after_tag: None, 0: None}:  # a tag may give a wrong length
        for found in _MP3_HEADER.finditer(data, begin, begin + _MP3_JUNK_BYTES):
            length = _frame_bytes(found[0])
            after = found.start() + (length or 0)
            if length is not None and _frame_bytes(data[after : after + 4]) is not None:
                return found.start()
    return None


def _frame_bytes(header: bytes) -> int | None:
    """Length of a frame by its header (ISO 11172-3, 2.4.1.3); None if it is not a header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate, hertz, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or not 1 <= rate <= 14 or hertz == 3:
        return None
    bits = _MP3_RATES[1 if version == 3 else 2, layer][rate - 1] * 1000
    if layer == 1:
        return (12 * bits // _MP3_HERTZ[version][hertz] + padding) * 4
    slots = 72 if version != 3 and layer == 3 else 144
    return slots * bits // _MP3_HERTZ[version][hertz] + padding


_MAGIC: dict[str, Callable[[bytes], bool]] = {
    "wav": lambda data: data[:4] in _WAV_KINDS and data[8:12] == b"WAVE",
    "flac": lambda data: data[:4] == b"fLaC",
    "ogg": lambda data: data[:4] == b"OggS",
    "m4a": lambda data: data[4:8] == b"ftyp",
    "mp3": lambda data: data[:3] == b"ID3" or _first_frame(data) is not None,
}
_LOOKS: dict[str, Callable[[bytes], str | None]] = {
    "wav": _wav,
    "flac": _flac,
    "ogg": _ogg,
    "m4a": _m4a,
    "mp3": _mp3,
}

"""Sound files that come from outside: bounded and checked before a film is queued.

The check reads the container only, without a decoder: producers stay light. It finds files of
another kind, cut off or scrambled; the worker decodes them under the one container found here.
"""

from __future__ import annotations

import hashlib
import io
import re
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from winepress_shared.errors import InvalidJob
from winepress_shared.regular_file import read_regular

MAX_SOUND_BYTES = 64 * 2**20  #: largest sound file accepted, in bytes
_REFERENCE = re.compile(r"sha256:([0-9a-f]{64})\.(wav|flac|mp3|ogg|m4a)\Z")
_MIN_MP3_FRAMES = 3  #: that follow each other; two bytes that look like one are easy to find
_ID3_FLAG_FOOTER = 0x10
#: What stands before the samples, cover picture and all; of chunks without content that would be 8
#: million in the largest file, and half a minute.
_WAV_HEAD_BYTES = 4 * 2**20
_MOST_BOXES = 100_000  #: of an M4A file, for the same reason; one of fragments has two a second

#: MPEG 1 layer III, bit rates in kbit/s (ISO 11172-3, table 2.4.2.3), and those of MPEG 2.
_MP3_RATES_V1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_RATES_V2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
#: Sampling rates in Hz, by the version bits of the header.
_MP3_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True)
class Sound:
    """One sound file: its reference, and its bytes while they are at hand."""

    reference: str  #: ``sha256:``, 64 hexadecimal digits, a dot and the container
    data: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def container(self) -> str:
        """``wav``, ``flac``, ``mp3``, ``ogg`` or ``m4a``."""
        return self.reference.rpartition(".")[2]

    @property
    def key(self) -> str:
        """Key of the object in the store."""
        return f"inputs/{self.reference.removeprefix('sha256:')}"

    @classmethod
    def parse(cls, text: str) -> Sound:
        """Read a reference; raises InvalidJob for anything else."""
        if not _REFERENCE.match(text):
            raise InvalidJob(
                "not a sound reference", value=text, allowed="sha256:<64 hex digits>.<container>"
            )
        return cls(text)

    @classmethod
    def load(cls, source: Path | bytes) -> Sound:
        """Check a file or its bytes; raises InvalidJob when it is too large or not a sound."""
        data = _read(source) if isinstance(source, Path) else source
        if len(data) > MAX_SOUND_BYTES:
            raise InvalidJob(
                "sound file is too large", value=f"{len(data)} bytes", allowed=_ALLOWED
            )
        container = next((name for name, test in _MAGIC.items() if test(data)), None)
        if container is None:
            raise InvalidJob("not a sound file", allowed=_ALLOWED)
        if not _CHECKS[container](data):
            raise InvalidJob(f"broken or cut off {container} file", allowed=_ALLOWED)
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}.{container}", data)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_SOUND_BYTES)
    except OSError as error:
        raise InvalidJob(f"cannot read the sound: {error.strerror}", value=str(path)) from None


def _is_wav(data: bytes) -> bool:
    try:
        with wave.open(io.BytesIO(data[:_WAV_HEAD_BYTES])) as file:
            wanted = file.getnframes() * file.getnchannels() * file.getsampwidth()
            return bool(0 < wanted <= len(data) and 1000 <= file.getframerate() <= 384_000)
    except (wave.Error, EOFError, RuntimeError):  # the last for sizes that point out of the file
        return False


def _is_flac(data: bytes) -> bool:
    """The first block is STREAMINFO of 34 bytes with a sampling rate (RFC 9639, 8.2)."""
    block = data[4:42]
    return (
        len(data) > 42 and block[0] & 0x7F == 0 and block[1:4] == b"\0\0\x22" and any(block[14:17])
    )


def _is_ogg(data: bytes) -> bool:
    """Pages follow each other to the end (RFC 3533, 6); the first names Vorbis, Opus or FLAC."""
    at, first = 0, b""
    while at < len(data):
        if data[at : at + 4] != b"OggS" or at + 27 > len(data):
            return False
        segments = data[at + 27 : at + 27 + data[at + 26]]
        body = at + 27 + data[at + 26]
        first = first or data[body : body + 8]
        at = body + sum(segments)
    return at == len(data) and first.startswith((b"OpusHead", b"\x01vorbis", b"\x7fFLAC"))


def _is_m4a(data: bytes) -> bool:
    """Boxes follow each other to the end (ISO 14496-12, 4.2), ``moov`` and ``mdat`` among them."""
    at, boxes, wanted = 0, 0, {b"moov", b"mdat"}
    while at + 8 <= len(data) and boxes < _MOST_BOXES:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        elif size == 0:
            size = len(data) - at
        if size < 8:
            return False
        wanted.discard(name)
        at, boxes = at + size, boxes + 1
    return at == len(data) and not wanted


def _is_mp3(data: bytes) -> bool:
    """Frames follow each other from the first one on, behind an ID3v2 tag if there is one."""
    at = 0
    if data[:3] == b"ID3" and len(data) > 10:
        tag = sum(
            (byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True)
        )
        at = 10 + tag + (10 if data[5] & _ID3_FLAG_FOOTER else 0)
    for _ in range(_MIN_MP3_FRAMES):
        length = _mp3_frame_bytes(data[at : at + 4])
        if length is None or at + length > len(data):
            return False
        at += length
    return True


def _mp3_frame_bytes(header: bytes) -> int | None:
    """Length of a layer III frame by its header (ISO 11172-3, 2.4.1.3); None for no header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, rate, hertz = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or not 1 <= rate <= 14 or hertz == 3:
        return None
    table, slots = (_MP3_RATES_V1, 144) if version == 3 else (_MP3_RATES_V2, 72)
    return slots * table[rate - 1] * 1000 // _MP3_HERTZ[version][hertz] + (header[2] >> 1 & 1)


_MAGIC: dict[str, Callable[[bytes], bool]] = {
    "wav": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WAVE",
    "flac": lambda data: data[:4] == b"fLaC",
    "ogg": lambda data: data[:4] == b"OggS",
    "m4a": lambda data: data[4:8] == b"ftyp",
    "mp3": lambda data: data[:3] == b"ID3" or _mp3_frame_bytes(data[:4]) is not None,
}
_CHECKS: dict[str, Callable[[bytes], bool]] = {
    "wav": _is_wav,
    "flac": _is_flac,
    "ogg": _is_ogg,
    "m4a": _is_m4a,
    "mp3": _is_mp3,
}
_ALLOWED = f"WAV, FLAC, MP3, Ogg or M4A up to {MAX_SOUND_BYTES >> 20} MiB"


def _sound(value: Any, info: ValidationInfo) -> Sound:
    try:
        if isinstance(value, Sound):
            return value
        if isinstance(value, str):
            return Sound.parse(value) if value.startswith("sha256:") else Sound.load(Path(value))
        if isinstance(value, Path | bytes):
            return Sound.load(value)
        raise InvalidJob("not a sound", value=value, allowed="a path or bytes")
    except InvalidJob as error:
        error.field = info.field_name
        raise


#: A field that takes a reference, a path or bytes; a Sound ever after.
SoundField = Annotated[
    Sound, BeforeValidator(_sound), PlainSerializer(lambda sound: sound.reference, return_type=str)
]

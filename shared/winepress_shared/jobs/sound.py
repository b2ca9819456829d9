"""Sound files from outside, bounded and checked before a film is queued.

The decoder checks whether a file plays, if it is installed; producers without it check only the
container. The worker decodes a file only as the container found here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.sound_container import container_of, look
from winepress_shared.jobs.sound_decoder import plays
from winepress_shared.regular_file import read_regular

MAX_SOUND_BYTES = 64 * 2**20  #: largest sound file accepted, in bytes
_REFERENCE = re.compile(r"sha256:([0-9a-f]{64})\.(wav|flac|mp3|ogg|m4a)\Z")


@dataclass(frozen=True)
class Sound:
    """One sound file: its reference, and its bytes if loaded."""

    reference: str  #: ``sha256:``, 64 hexadecimal digits, a dot and the container
    data: bytes | None = field(default=None, repr=False, compare=False)
    #: Warnings from reading it, each the end of a sentence about it.
    warnings: tuple[str, ...] = field(default=(), repr=False, compare=False)

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
        """Check a file or its bytes; raises InvalidJob if it is too large or not a sound."""
        data = _read(source) if isinstance(source, Path) else source
        if len(data) > MAX_SOUND_BYTES:
            raise InvalidJob(
                "sound file is too large", value=f"{len(data)} bytes", allowed=_ALLOWED
            )
        container = container_of(data)
        if container is None:
            raise InvalidJob("not a sound file", allowed=_ALLOWED)
        said = look(container, data)
        is_playable = plays(data, container)
        if not (said is not None if is_playable is None else is_playable):
            raise InvalidJob(
                f"damaged {container} file: it has no playable sound", allowed=_ALLOWED
            )
        warnings = (said,) if said else ()
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}.{container}", data, warnings)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_SOUND_BYTES)
    except OSError as error:
        raise InvalidJob(f"cannot read the sound: {error.strerror}", value=str(path)) from None


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


if TYPE_CHECKING:
    # Accepts a path or bytes; always holds a Sound.
    SoundField = Any
else:
    SoundField = Annotated[
        Sound,
        BeforeValidator(_sound),
        PlainSerializer(lambda sound: sound.reference, return_type=str),
    ]

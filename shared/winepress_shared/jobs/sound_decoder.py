"""What can be heard in a sound file, by PyAV (FFmpeg's libraries) where it is installed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import AudioFrame

#: Container of a sound file → FFmpeg's name of the one demuxer that may read it.
_DEMUXERS = {"wav": "wav", "flac": "flac", "mp3": "mp3", "ogg": "ogg", "m4a": "mov"}


class NothingToHear(ValueError):
    """No piece of the file can be decoded."""


def heard(data: bytes, container: str) -> Iterator[AudioFrame]:
    """Every piece that can be decoded, in order; raises NothingToHear for none at all.

    A damaged one between them is left out, as players do.
    """
    import av

    is_silent = True
    try:
        source, demuxer = io.BytesIO(data), _DEMUXERS[container]
        # Titles of songs are seldom the UTF-8 that PyAV expects.
        with av.open(source, "r", format=demuxer, metadata_errors="replace") as file:
            for packet in file.demux(audio=0):
                with suppress(av.InvalidDataError):
                    for frame in packet.decode():
                        is_silent = False
                        yield frame
    except (av.FFmpegError, IndexError) as error:  # the latter without any track
        if is_silent:
            raise NothingToHear(str(error)) from None
    if is_silent:
        raise NothingToHear("it is empty")


def plays(data: bytes, container: str) -> bool | None:
    """Whether something can be heard; None where there is no decoder to ask."""
    try:
        return next(heard(data, container)) is not None
    except NothingToHear:
        return False
    except ImportError:
        return None

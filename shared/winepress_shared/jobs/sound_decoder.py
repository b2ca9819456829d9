"""Decodes sound files with PyAV (FFmpeg's libraries), if it is installed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import AudioFrame

#: Container of a sound file → FFmpeg's only permitted demuxer.
_DEMUXERS = {"wav": "wav", "flac": "flac", "mp3": "mp3", "ogg": "ogg", "m4a": "mov"}


class NothingToHear(ValueError):
    """No part of the file can be decoded."""


def heard(data: bytes, container: str) -> Iterator[AudioFrame]:
    """Every decodable frame in order; raises NothingToHear if there is none.

    Damaged frames are skipped, as players do.
    """
    import av

    is_silent = True
    try:
        source, demuxer = io.BytesIO(data), _DEMUXERS[container]
        # Song titles are often not the UTF-8 that PyAV expects.
        with av.open(source, "r", format=demuxer, metadata_errors="replace") as file:
            for packet in file.demux(audio=0):
                with suppress(av.InvalidDataError):
                    for frame in packet.decode():
                        is_silent = False
                        yield frame
    except (av.FFmpegError, IndexError) as error:  # IndexError: no track
        if is_silent:
            raise NothingToHear(str(error)) from None
    if is_silent:
        raise NothingToHear("it is empty")


def plays(data: bytes, container: str) -> bool | None:
    """Whether the file plays; None if there is no decoder."""
    try:
        return next(heard(data, container)) is not None
    except NothingToHear:
        return False
    except ImportError:
        return None

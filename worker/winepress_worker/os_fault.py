"""Turns refusals of the operating system or the store into EnvironmentFault."""

from __future__ import annotations

import errno

from winepress_shared.errors import AccessRefused, DiskFull, EnvironmentFault

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  #: disk full, quota exceeded, file too large


def os_fault(problem: str, error: Exception, value: object = None) -> EnvironmentFault:
    """The fault for an OSError, or a similar error of FFmpeg."""
    kind = DiskFull if getattr(error, "errno", None) in _FULL else EnvironmentFault
    return kind(f"{problem}: {getattr(error, 'strerror', None) or error}", value=value)


def seen_through(error: Exception) -> Exception:
    """The fault for an unforeseen OSError, or for a refusal of this worker's own key.

    Returns other errors unchanged. An OSError without a number is Pillow's, for an invalid picture.
    """
    if isinstance(error, AccessRefused):
        return EnvironmentFault(error.message)
    if isinstance(error, OSError) and error.errno:
        return os_fault("the operating system reported an error", error)
    return error

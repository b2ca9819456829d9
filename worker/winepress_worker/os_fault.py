"""What the operating system, or the store, refuses this worker is a fault of its surroundings."""

from __future__ import annotations

import errno

from winepress_shared.errors import AccessRefused, DiskFull, EnvironmentFault

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  #: no room, a quota, the largest file allowed


def os_fault(problem: str, error: Exception, value: object = None) -> EnvironmentFault:
    """The fault that an OSError, or FFmpeg's of the same kind, amounts to."""
    kind = DiskFull if getattr(error, "errno", None) in _FULL else EnvironmentFault
    return kind(f"{problem}: {getattr(error, 'strerror', None) or error}", value=value)


def seen_through(error: Exception) -> Exception:
    """The fault that an unforeseen OSError amounts to, or a refusal of this worker's own key.

    Any other error as it is. An OSError without a number is Pillow's, of a picture that is none.
    """
    if isinstance(error, AccessRefused):
        return EnvironmentFault(error.message)
    if isinstance(error, OSError) and error.errno:
        return os_fault("this machine is at fault", error)
    return error

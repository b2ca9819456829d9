"""The file in which a film is made, and whose fault it is when that does not fit on the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom

from winepress_shared.errors import DiskFull, EnvironmentFault, RetryElsewhere
from winepress_worker.os_fault import os_fault

_LARGE_BYTES = 256 * 2**20  #: a film that takes so much is too large; less is no film's fault
_BLOCK_BYTES = 512  #: in which st_blocks counts


@contextmanager
def scratch_file() -> Iterator[BufferedRandom]:
    """A file without a name: it is gone with this process, however that ends.

    Raises RetryElsewhere when the disk is full and the file itself takes much of it: 256 MiB, or
    half of the disk. Raises DiskFull when others have filled it, and EnvironmentFault for whatever
    else the system refuses.
    """
    try:
        with tempfile.TemporaryFile(prefix="winepress-film-") as file:
            try:
                yield file
            except (DiskFull, OSError) as error:
                fault = error if isinstance(error, DiskFull) else _fault(error)
                if isinstance(fault, DiskFull):
                    _blame(file)
                raise fault from None
    except OSError as error:
        raise _fault(error) from None


def _fault(error: OSError) -> EnvironmentFault:
    return os_fault("cannot write the film", error)


def _blame(file: BufferedRandom) -> None:
    """Raise RetryElsewhere when it is the file that filled its disk."""
    disk = os.fstatvfs(file.fileno())
    taken = os.fstat(file.fileno()).st_blocks * _BLOCK_BYTES
    if taken >= min(_LARGE_BYTES, disk.f_blocks * disk.f_frsize // 2):
        raise RetryElsewhere(
            f"the film is too large for the disk: no room is left after {taken / 2**20:.1f} MiB",
            hint="ask for fewer frames, a smaller size or another film_format",
        )

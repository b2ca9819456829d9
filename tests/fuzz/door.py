"""A door of the product, and what may come out of it when something is put in."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from winepress_shared.errors import Refused, WinepressError, WrongUsage

CPU_S = 20.0  #: most seconds of processor time of one input; the slowest need a fifth
MEMORY_BYTES = 3 * 2**29  #: most address space that one input may take
_KILL_S = 60.0  #: of processor time, for code that no exception can end
_MOST_SENTENCE = 5_000  #: characters of an error
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OURS = re.compile(r"/winepress(?:_\w+)?/")
_OUTSIDE = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.getaddrinfo")

Enter = Callable[[bytes], object]
#: Makes a door in an empty folder, where alone it may write.
Opened = Callable[[Path], AbstractContextManager[Enter]]


@dataclass(frozen=True)
class Door:
    """What reads one kind of input from outside."""

    name: str
    opened: Opened
    refusals: tuple[type[WinepressError], ...] = (Refused, WrongUsage)
    share: int = 100  #: of all inputs, relative to other doors: dear doors get few


class TooSlow(BaseException):
    """An input has taken too much processor time; no door may catch this."""


class WentOutside(BaseException):
    """An input made a door write, run or look up something outside of its folder."""


@dataclass(frozen=True)
class Fault:
    """What came out and must not."""

    kind: str
    where: str  #: the innermost place in the product
    told: str


@dataclass(frozen=True)
class Outcome:
    """How one input fared."""

    taken: bool
    cpu_s: float
    fault: Fault | None = None


class Trial:
    """Puts inputs into an open door, within bounds of time, memory and place."""

    def __init__(self, door: Door, enter: Enter, folder: Path) -> None:
        self._door = door
        self._enter = enter
        self._folder = str(folder)
        self._watches = False
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGPROF, _too_slow)

    def bound_memory(self) -> None:
        """From now on, this process may grow by `MEMORY_BYTES`."""
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def put_in(self, data: bytes) -> Outcome:
        """Put one input in."""
        began, fault, taken = time.process_time(), None, False
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        signal.setitimer(signal.ITIMER_VIRTUAL, _KILL_S)
        self._watches = True
        try:
            self._enter(data)
            taken = True
        except self._door.refusals as error:
            fault = _of_sentence(error)
        except BaseException as error:
            fault = _fault(error)
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            self._watches = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return Outcome(taken, time.process_time() - began, fault)

    def _audit(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._watches:
            return
        if event in _OUTSIDE:
            raise WentOutside(f"{event}{given!r}"[:300])
        writes = event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink") or (
            event == "open" and isinstance(given[2], int) and given[2] & _WRITING
        )
        place = os.fspath(given[0]) if writes and not isinstance(given[0], int) else None
        if isinstance(place, str) and place.startswith("/") and not self._is_inside(place):
            raise WentOutside(f"{event} {place}")

    def _is_inside(self, place: str) -> bool:
        # Python keeps what it has compiled of a module that is imported at its first use.
        return place.startswith(self._folder) or "__pycache__" in place


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlow(f"more than {CPU_S} s of processor time")


def _of_sentence(error: WinepressError) -> Fault | None:
    sentence = str(error)
    if 0 < len(sentence) <= _MOST_SENTENCE:
        return None
    return Fault("an error that tells too much", type(error).__name__, sentence[:200])


def _fault(error: BaseException) -> Fault:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if _OURS.search(one.filename) and "/tests/" not in one.filename]
    last = (ours or list(frames))[-1]
    where = f"{Path(last.filename).name}:{last.lineno} {last.name}"
    return Fault(type(error).__name__, where, str(error)[:200])


@contextmanager
def strict() -> Iterator[None]:
    """Warnings are errors while inside, as in all tests, but for files that nobody closed.

    Starlette leaves the files of a form that is cut off to Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        yield

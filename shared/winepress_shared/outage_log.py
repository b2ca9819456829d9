"""An outage in the log of a service: said once, then how long it lasts, then that it is over.

Many parts of a process meet the same outage every few seconds. Each of them logs its error, and who
asks a server notes whether it answered (`Contact`). What of that is written is decided here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from winepress_shared.errors import (
    BrokerUnreachable,
    ObjectMissing,
    ObjectTooLarge,
    StoreUnreachable,
)

log = logging.getLogger(__name__)

_FIRST_S = 60.0  #: after the first line; then the pause doubles
_LONGEST_S = 3600.0
_MOST_LINES = 100  #: different ones that are said of one outage
_OF_CELERY = "celery.worker.consumer"
_CELERY_WORDS = ("consumer: Cannot connect to", "consumer: Connection to broker lost")

Name = Literal["broker", "store"]


class Contact:
    """Notes whether a server answered what was asked during the ``with`` block."""

    def __init__(self, name: Name) -> None:
        self._name = name
        self._is_lost = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if _server_of(error) is not None:
            self._is_lost = True
        elif error is None and self._is_lost:
            self._is_lost = False
            log.info("the %s answers again", self._name, extra={"answers": self._name})


def say_outages_once() -> None:
    """Have the handlers of this process write of an outage only what is new."""
    log.setLevel(logging.INFO)
    outages = OutageFilter()
    for handler in logging.getLogger().handlers:
        if not any(isinstance(one, OutageFilter) for one in handler.filters):
            handler.addFilter(outages)


@dataclass
class _Outage:
    since: float
    told_at: float
    pause_s: float = _FIRST_S
    left_out: int = 0
    said: set[tuple[str, str]] = field(default_factory=set)


class OutageFilter(logging.Filter):
    """Passes each line about an outage once, then one now and then with the time it has lasted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._outages: dict[str, _Outage] = {}
        self._turn = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be written; may add to it how long the outage has lasted."""
        answers: str | None = getattr(record, "answers", None)
        server = _told_server(record)
        if answers is None and server is None:
            return True
        with self._turn:
            return self._ended(answers, record) if answers else self._goes_on(str(server), record)

    def _goes_on(self, server: str, record: logging.LogRecord) -> bool:
        now, line = self._clock(), (record.name, str(record.msg))
        outage = self._outages.setdefault(server, _Outage(now, now))
        if line not in outage.said and len(outage.said) < _MOST_LINES:
            outage.said.add(line)
            return True
        if now - outage.told_at < outage.pause_s:
            outage.left_out += 1
            return False
        outage.told_at, outage.pause_s = now, min(2 * outage.pause_s, _LONGEST_S)
        _add(record, f"{record.getMessage()} (for {_time(now - outage.since)} now", outage)
        return True

    def _ended(self, server: str, record: logging.LogRecord) -> bool:
        outage = self._outages.pop(server, None)
        if outage is None:
            return False  # somebody else of this process has said so, or nobody was disturbed
        lasted_s = self._clock() - outage.since
        _add(record, f"{record.getMessage()} (it was away for {_time(lasted_s)}", outage)
        return True


def _add(record: logging.LogRecord, text: str, outage: _Outage) -> None:
    left_out = f"; {outage.left_out} lines like this left out" if outage.left_out else ""
    record.msg, record.args, outage.left_out = f"{text}{left_out})", (), 0


def _told_server(record: logging.LogRecord) -> Name | None:
    """Which server a line says is away."""
    if record.name.startswith(_OF_CELERY) and str(record.msg).startswith(_CELERY_WORDS):
        return "broker"
    given = record.args if isinstance(record.args, tuple) else ()
    return next((name for one in given if (name := _server_of(one))), None)


def _server_of(error: object) -> Name | None:
    if isinstance(error, BrokerUnreachable):
        return "broker"
    if isinstance(error, StoreUnreachable) and not isinstance(
        error, ObjectMissing | ObjectTooLarge
    ):
        return "store"
    return None


def _time(seconds: float) -> str:
    minutes, left_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left_s} s" if minutes else f"{left_s} s"

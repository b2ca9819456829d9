"""The events of several jobs in one loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, Queue
from typing import Self

from winepress.handle import JobHandle
from winepress_shared.ledger.events import Event

_MOST_WAITING = 1_000  #: events; whoever takes none is read for no further

_IDLE_S = 0.5  #: without an event

_Arrival = tuple[JobHandle, Event | Exception | None]


class JointEvents:
    """Reads each job in a thread of its own, while its ``with`` block runs.

    The threads wait; one more, of the client, reads for all of them: see `EventReader`.
    """

    def __init__(
        self,
        handles: Sequence[JobHandle],
        timeout: float | None = None,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        """``timeout`` is in seconds, see `JobHandle.events`; ``idle`` is called between events."""
        self._streams = [(handle, handle.events(timeout)) for handle in handles]
        self._arrivals: Queue[_Arrival] = Queue(_MOST_WAITING)
        self._idle = idle
        self._is_closed = False

    def __enter__(self) -> Self:
        for place in range(len(self._streams)):
            threading.Thread(target=self._read, args=(place,), name="watch", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_closed = True
        for _, stream in self._streams:
            stream.close()
        with suppress(Empty):  # a thread may wait for room
            while True:
                self._arrivals.get_nowait()

    def __iter__(self) -> Iterator[tuple[JobHandle, Event | None]]:
        """Every event, and None when a job is over.

        A job that cannot be followed any more keeps nobody from the others: why is raised last.
        """
        fault: Exception | None = None
        going_on = len(self._streams)
        while going_on:
            try:
                handle, arrival = self._arrivals.get(timeout=_IDLE_S)
            except Empty:
                self._idle()
                continue
            if isinstance(arrival, Exception):
                fault = fault or arrival
            else:
                yield handle, arrival
            going_on -= not isinstance(arrival, Event)
        if fault:
            raise fault

    def _read(self, place: int) -> None:
        handle, stream = self._streams[place]
        try:
            for event in stream:
                self._arrivals.put((handle, event))
                if self._is_closed:
                    return
            self._arrivals.put((handle, None))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: the loop must hear
            self._arrivals.put((handle, error))

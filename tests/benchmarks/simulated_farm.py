"""A farm in virtual time: its real ledger, the jobs that come, and what is counted."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from support.audited_farm import AuditedFarm
from support.virtual_time import VirtualTime

from winepress_shared.ledger.lanes import LaneIndex

MODELS = 50
_PICTURE_S = (3.0, 10.0)  #: least and most, by model
_ARRIVALS_PER_S = 5.0  #: interactive jobs of one to four pictures that come meanwhile
START_UP_S = 150.0  #: every worker loads its models
WINDOW_S = 1_800.0
_TICKETS_OF_JOB = 16  #: as a client leaves at most
_TICKET = "x" * 1036  #: bytes of a ticket as Celery writes it


class Farm:
    """Everything that waits, and the time."""

    def __init__(self, audited: AuditedFarm, seed: int, window_s: float = WINDOW_S) -> None:
        """What happens in the ``window_s`` after the start-up is counted."""
        self.audited = audited
        self.window_s = window_s
        self.lane_index = LaneIndex(audited.settings)
        self.chance = random.Random(seed)
        self.lanes = [f"model-{number:02d}.fp16" for number in range(MODELS)]
        #: Few models are wanted by many, as everywhere (Zipf).
        self._wanted = [1 / (rank + 1) for rank in range(MODELS)]
        self.picture_s = {lane: self.chance.uniform(*_PICTURE_S) for lane in self.lanes}
        self._submitted = 0
        self.time = VirtualTime(audited, self.lane_index)
        self.began = self.time.now_s
        self.busy_s = 0.0  #: within the window
        self.drawn = self.loads = self.reports = 0  #: within the window
        self.waits: list[float] = []  #: of interactive jobs, until a picture is begun
        self.warm_waits: list[float] = []  #: those for models that some worker held
        self.warm: dict[str, int] = {}  #: lane → workers that hold its model
        self._came: dict[str, tuple[float, bool]] = {}
        self.idle: dict[Life, Sequence[str]] = {}  #: who waits for a ticket, and in which queues
        self.woken: list[Life] = []  #: of those, who is to go on now
        self._kinds: dict[str, tuple[int, int, int]] = {}  # of jobs that are replaced at their end

    def fill(self) -> None:
        """Nine tenths in bulk jobs, the rest in middling and small ones."""
        for jobs, units, users, priority in (
            (90, 10_000, 5, 2),
            (900, 100, 40, 1),
            (2_500, 4, 55, 1),
        ):
            for _ in range(jobs):
                self.submit(units, users, priority)

    def submit(self, units: int, users: int, priority: int) -> None:
        """One job of a user and for a model drawn at random."""
        self._submitted += 1
        job = f"j{self._submitted}"
        lane = self.chance.choices(self.lanes, self._wanted)[0]
        user = f"u{priority}-{self.chance.randrange(users)}"
        self.audited.submit(job, units, lane=lane, user=user, priority=priority)
        missing = min(units, _TICKETS_OF_JOB) - int(self.audited.redis.llen(self.queue(lane)))
        self.leave_tickets(lane, missing)
        if priority == 0:
            self._came[job] = (self.time.now_s, self.warm.get(lane, 0) > 0)
        else:
            self._kinds[job] = (units, users, priority)

    def replace(self, job: str) -> None:
        """Another job of its kind follows each that ends: the load is steady."""
        if job in self._kinds:
            self.submit(*self._kinds.pop(job))

    def queue(self, lane: str) -> str:
        """Where the tickets of a lane wait."""
        return self.audited.key("queue", lane)

    def leave_tickets(self, lane: str, count: int) -> None:
        """Say that a lane has work; nothing for a count below one."""
        if count <= 0:
            return
        queue = self.queue(lane)
        self.audited.redis.lpush(queue, *[_TICKET] * count)
        for life in [life for life, queues in self.idle.items() if queue in queues][:count]:
            del self.idle[life]
            self.woken.append(life)

    def arrivals(self) -> Iterator[float]:
        """Interactive jobs, for as long as the farm runs; yields the time to the next."""
        while True:
            self.submit(self.chance.randint(1, 4), 30, 0)
            yield self.chance.expovariate(_ARRIVALS_PER_S)

    def note_begun(self, job: str) -> None:
        """The first picture of a slice is begun."""
        came, is_warm = self._came.pop(job, (None, False))
        if came is not None and self._in_window(came):
            self.waits.append(self.time.now_s - came)
            if is_warm:
                self.warm_waits.append(self.waits[-1])

    def note_end(self) -> None:
        """Whoever still waits has waited so long at least."""
        for job in list(self._came):
            self.note_begun(job)

    def note_drawing(self, picture_s: float, reports: int) -> None:
        """A picture is begun that takes that long, with so many reports of progress."""
        began, ended = self.time.now_s, self.time.now_s + picture_s
        start, end = self.began + START_UP_S, self.began + START_UP_S + self.window_s
        self.busy_s += max(0.0, min(ended, end) - max(began, start))
        if self._in_window(ended):
            self.drawn += 1
            self.reports += reports

    def note_load(self) -> None:
        """A cold model was loaded."""
        self.loads += self._in_window(self.time.now_s)

    def _in_window(self, at: float) -> bool:
        return START_UP_S <= at - self.began < START_UP_S + self.window_s


@dataclass(eq=False)
class Life:
    """What goes on by itself: of a worker, or arrivals."""

    rest: Iterator[float]
    turn: int = 0  #: of the entries in the agenda that name it, the one that counts

"""The workers of a farm in virtual time: real claims and order of lanes, simulated loads."""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Generator, Iterator

from simulated_farm import START_UP_S, Farm, Life

from winepress_shared.cost import SLICE_S
from winepress_shared.ledger.records import BEAT_S, Directive, Slice, UnitOutcome
from winepress_shared.ticket_policy import missing_tickets
from winepress_worker.lane_order import LaneWatch
from winepress_worker.options import WorkerOptions
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.renderer import TICKET_S
from winepress_worker.renderer.step_reports import UNWATCHED_S

WORKERS = 1_000
ROOM = 2  #: models a worker holds
STEPS = 20
_LOAD_S = 20.0
_CALL_S = 0.001  #: a worker waits this long for each answer of the broker
_IDLE_S = 1.0  #: kombu waits so long for a ticket in the queues it asks for, then it asks anew


class Worker:
    """A worker's parent and renderer without Celery and without pictures."""

    def __init__(self, farm: Farm, name: str) -> None:
        self._farm = farm
        self._ledger, self._redis = farm.audited.ledger, farm.audited.redis
        self._name, self._holder = name, f"{name}/1"
        self._watch = LaneWatch(farm.lane_index, WorkerOptions(name))
        self._warm: OrderedDict[str, None] = OrderedDict()
        self._coming: tuple[str, float] | None = (
            None  # what is preloaded, and when it will be there
        )
        self._pace = Pace()
        self._facts = {"device": "CPU", "lanes": farm.lanes}
        self._told: object = None
        self._told_at = 0.0
        self.lives = (Life(self._beats()), Life(self._draws()))

    def _beats(self) -> Iterator[float]:
        """What its parent does."""
        while True:
            reply = self._ledger.beat(self._name, self._holder, self._facts, life=self._name)
            lanes = (self._ledger.sweep() if reply.is_sweep_due else None) or ()
            workers = self._ledger.worker_count() if lanes else 0
            for lane, units, queued in lanes:
                self._farm.leave_tickets(lane, missing_tickets(units, workers, queued))
            yield BEAT_S

    def _draws(self) -> Iterator[float]:
        """What its renderer does, and Celery for it."""
        self._describe()
        while True:
            chosen, left = self._watch.choose()
            yield _CALL_S
            rest = [lane for lane in self._farm.lanes if lane not in chosen and lane not in left]
            queues = [self._farm.queue(lane) for lane in (*chosen, *rest)]
            found = self._redis.lmpop(len(queues), *queues, direction="RIGHT") if queues else None
            if found:
                yield from self._renderer(str(found[0]).rpartition(":")[2])
                continue
            self._farm.idle[self.lives[1]] = queues
            yield _IDLE_S
            self._farm.idle.pop(self.lives[1], None)

    def _renderer(self, lane: str) -> Generator[float]:
        """As `Renderer.run`."""
        began = self._farm.time.now_s
        self._take_in_preloaded()
        if lane not in self._warm and not self._farm.lane_index.begin_load(self._name, lane):
            self._describe()
            return
        while self._farm.time.now_s - began < TICKET_S:
            yield _CALL_S
            most = self._pace.units_for(lane, SLICE_S)
            is_warm = lane in self._warm
            slice_ = self._ledger.claim(lane, self._name, self._holder, most, begin=is_warm)
            if slice_ is None:
                break
            if slice_.waiting and not slice_.tickets:
                self._farm.leave_tickets(lane, 1)
            yield from self._make_warm(lane)
            self._preload(lane)
            self._farm.note_begun(slice_.job_id)
            drawn_from = self._farm.time.now_s
            for unit in slice_.units:
                is_begun = slice_.begun and unit == slice_.units[0]
                if not (is_begun or self._begins(slice_, unit, self._farm.time.now_s - drawn_from)):
                    self._ledger.release(slice_.fence, self._holder)
                    break
                yield from self._draw(lane, slice_, unit)
            self._take_in_preloaded()
            if self._is_description_due:
                self._describe()
            self._watch._looked_at = float("-inf")  # its clock is the real one
            if self._watch.gives_way(lane):
                self._farm.leave_tickets(lane, 1)
                break
        else:
            self._farm.leave_tickets(lane, 1)
        self._describe()

    def _make_warm(self, lane: str) -> Iterator[float]:
        if self._coming and self._coming[0] == lane:
            yield max(0.0, self._coming[1] - self._farm.time.now_s)
            self._take_in_preloaded()
        if lane not in self._warm:
            yield _LOAD_S
            self._farm.note_load()
            while len(self._warm) >= ROOM - (self._coming is not None):
                self._hold(self._warm.popitem(last=False)[0], -1)
            self._warm[lane] = None
            self._hold(lane, 1)
            self._describe()
        self._warm.move_to_end(lane)

    def _preload(self, lane: str) -> None:
        """As `Preloader`: beside the drawing, where there is room."""
        if self._coming or len(self._warm) >= ROOM:
            return
        self._watch._looked_at = float("-inf")  # its clock is the real one
        cold = self._watch.next_cold(lane)
        if cold and self._farm.lane_index.begin_load(self._name, cold):
            self._coming = (cold, self._farm.time.now_s + _LOAD_S)

    def _take_in_preloaded(self) -> None:
        if self._coming and self._coming[1] <= self._farm.time.now_s:
            lane, self._coming = self._coming[0], None
            self._warm[lane] = None
            self._warm.move_to_end(lane, last=False)
            self._hold(lane, 1)

    def _hold(self, lane: str, change: int) -> None:
        self._farm.warm[lane] = self._farm.warm.get(lane, 0) + change

    def _begins(self, slice_: Slice, unit: int, drawn_s: float) -> bool:
        """As `Executor._begin`."""
        directive = self._ledger.start(slice_.fence, unit)
        self._watch._looked_at = float("-inf")  # its clock is the real one
        is_called = directive is Directive.CALLED and self._watch.calls_away(slice_, drawn_s)
        return directive is not Directive.GIVE_WAY and not is_called

    def _draw(self, lane: str, slice_: Slice, unit: int) -> Iterator[float]:
        picture_s = self._farm.picture_s[lane] * self._farm.chance.uniform(0.95, 1.05)
        signs = int(picture_s / UNWATCHED_S)
        reports = signs + (signs > 0)  # nobody watches; the last step follows a sign
        self._farm.note_drawing(picture_s, reports)
        yield _CALL_S + picture_s + reports * _CALL_S
        self._pace.learn(lane, picture_s, STEPS, 1.0)
        if self._ledger.commit(slice_.fence, unit, {"key": "k"}) is UnitOutcome.LAST:
            self._ledger.finish(slice_.fence)
            self._farm.replace(slice_.job_id)

    @property
    def _state(self) -> object:
        return list(self._warm), list(self._pace.rates())

    @property
    def _is_description_due(self) -> bool:
        """As `Description.is_due`."""
        return self._told != self._state or self._farm.time.now_s - self._told_at > BEAT_S

    def _describe(self) -> None:
        self._told, self._told_at = self._state, self._farm.time.now_s
        self._ledger.describe_renderer(
            self._name,
            {
                "warm": list(self._warm),
                "load_s": dict.fromkeys(self._warm, _LOAD_S),
                "seconds_per_picture": self._pace.facts(),
                "megapixel_steps_per_s": self._pace.rates(),
            },
        )
        if self._coming:  # as `Preloader.renew`
            self._farm.lane_index.begin_load(self._name, self._coming[0])


def run(farm: Farm) -> Iterator[None]:
    """Let the farm live; stops to look around when the start-up is over, and at the end."""
    agenda: list[tuple[float, int, Life]] = []
    entries = itertools.count()

    def go_on(life: Life, at: float) -> None:
        life.turn = next(entries)
        heapq.heappush(agenda, (at, life.turn, life))

    go_on(Life(farm.arrivals()), farm.began)
    for number in range(WORKERS):
        for life in Worker(farm, f"w{number:04d}").lives:
            go_on(life, farm.began + farm.chance.uniform(0, BEAT_S))
    stops = [START_UP_S, START_UP_S + farm.window_s]
    while stops:
        at, turn, life = heapq.heappop(agenda)
        if turn != life.turn:
            continue  # a ticket has come before the end of its wait
        if at - farm.began >= stops[0]:
            stops.pop(0)
            yield
        farm.time.advance_to(at)
        go_on(life, at + next(life.rest))
        while farm.woken:
            go_on(farm.woken.pop(), at + _CALL_S)

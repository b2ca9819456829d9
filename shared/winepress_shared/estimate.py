"""How long work will take, by the paces that workers measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from winepress_shared.cost import SLICE_S, limit_s
from winepress_shared.ledger.lanes import InHand, LaneView, Place
from winepress_shared.ledger.records import BANDS, JobRow, Worker


@dataclass(frozen=True)
class Estimate:
    """What can be said about the time of a job; None where no pace was measured, or it is held."""

    ahead: int  #: pictures that go before its next one
    draws_s: float | None  #: to draw what is left, with every worker of the lane and no one else
    starts_in_s: float | None  #: until its next picture is begun
    ends_in_s: float | None  #: until its last picture is done
    limit_s: float | None  #: a picture that takes longer is given up on that worker


@dataclass(frozen=True)
class Work:
    """What is to be estimated: a job, or one that may be submitted."""

    lane: str
    band: int  #: index into `BANDS`
    units: int  #: that have not ended
    cost: float  #: megapixel-steps of a unit
    is_held: bool = False  #: paused, or worked on in a part of the day

    @classmethod
    def of(cls, row: JobRow) -> Work:
        """What is left of a job."""
        left = row.units - row.done - row.failed
        is_held = row.paused or row.window is not None
        return cls(row.lane, BANDS.index(row.priority), left, row.cost, is_held)


class Paces:
    """The measured pace of every lane, per worker and device."""

    def __init__(self, workers: Iterable[Worker], measured: Mapping[str, float]) -> None:
        """``measured`` is what `LaneIndex.paces` says, for workers that have not drawn yet."""
        self._workers = list(workers)
        self._measured = measured

    def serving(self, lane: str) -> list[Worker]:
        """The live workers that serve ``lane``."""
        return [worker for worker in self._workers if worker.serves(lane)]

    def rates(self, lane: str) -> list[float]:
        """Megapixel-steps per second of each worker that serves ``lane``.

        Of one that has not drawn there it is that of its device, else the mean; empty when
        nothing is known.
        """
        rates = [self._rate(worker, lane) for worker in self.serving(lane)]
        known = [rate for rate in rates if rate]
        return [rate or fmean(known) for rate in rates] if known else []

    def _rate(self, worker: Worker, lane: str) -> float:
        own = worker.renderer.get("megapixel_steps_per_s", {}).get(lane)
        return float(own or self._measured.get(f"{lane} {worker.facts.get('device')}", 0.0))

    def picture_s(self, lane: str, cost: float) -> float:
        """Seconds one worker takes for a usual picture of ``lane``; 0 when nothing is known.

        ``cost`` in megapixel-steps stands for the usual one where none was drawn yet.
        """
        drawn = [
            worker.renderer.get("seconds_per_picture", {}).get(lane)
            for worker in self.serving(lane)
        ]
        known = [seconds for seconds in drawn if seconds]
        rates = self.rates(lane)
        if known or not rates:
            return fmean(known) if known else 0.0
        return cost / fmean(rates)

    def in_hand(self, place: Place, work: Work) -> tuple[list[int], list[float]]:
        """Pictures, and seconds, that each worker of a lane draws of its slices before ``work``."""
        units: dict[str, int] = {}
        seconds: dict[str, float] = {}
        for worker in self.serving(work.lane):
            units[worker.name], seconds[worker.name] = 0, 0.0
            for part in place.in_hand:
                if part.worker == worker.name:
                    first = _goes_first(part, work, worker)
                    units[worker.name] += first
                    seconds[worker.name] += first * self._own_picture_s(worker, part.lane, work)
        return list(units.values()), list(seconds.values())

    def _own_picture_s(self, worker: Worker, lane: str, work: Work) -> float:
        own = worker.renderer.get("seconds_per_picture", {}).get(lane)
        return float(own or self.picture_s(lane, work.cost))

    def share_workers(self, lane: str, other: str) -> bool:
        """Whether a worker serves both lanes."""
        return any(worker.serves(other) for worker in self.serving(lane))


def estimate(work: Work, place: Place, views: Sequence[LaneView], paces: Paces) -> Estimate:
    """When the turn of ``work`` comes, and when it is done; ``views`` are the lanes with work."""
    rates = paces.rates(work.lane)
    usual_s = paces.picture_s(work.lane, work.cost)
    mine_s = work.cost / fmean(rates) if rates and work.cost else usual_s
    hands = max(1, len(rates))
    own_s = work.units * mine_s / hands
    draws_s = max(own_s, mine_s) or None
    ahead, last = _before(work, place, usual_s, hands)
    drawing, free_s = paces.in_hand(place, work)
    limit = limit_s(work.cost, min(rates, default=0.0))
    told = ahead + len(drawing) * min(drawing, default=0)
    if not usual_s or work.is_held or place.paused or place.parked:
        return Estimate(told, draws_s, None, None, limit)
    first_s = min(free_s)
    starts_s = _done_s(free_s, ahead * usual_s) - first_s
    ends_s = _done_s(free_s, last * usual_s + own_s * hands) - first_s
    starts_s = first_s + _with_other_lanes(starts_s, work, views, paces)
    ends_s = first_s + _with_other_lanes(ends_s, work, views, paces)
    return Estimate(told, draws_s, starts_s, max(ends_s, starts_s + mine_s), limit)


def _goes_first(part: InHand, work: Work, worker: Worker) -> int:
    """Pictures of a slice in hand that come before ``work``: a lower band ends with its call."""
    if part.band <= work.band:
        return part.units
    per_call = worker.renderer.get("pictures_per_call", {}).get(part.lane.partition("@")[0], 1)
    return min(part.units, int(per_call))


def _done_s(free_s: Sequence[float], work_s: float) -> float:
    """When workers that are free from ``free_s`` on have done work of ``work_s`` together."""
    at, hands = 0.0, 0
    for free in sorted(free_s):
        if hands and (free - at) * hands >= work_s:
            break
        work_s -= (free - at) * hands
        at, hands = free, hands + 1
    return at + work_s / hands


def _before(work: Work, place: Place, usual_s: float, hands: int) -> tuple[int, int]:
    """Pictures of others that go before the first one of ``work``, and before its last one.

    Users of a band share the workers as processor sharing has it: of each other one goes first one
    slice, then no more than one's own work.
    """
    turn = max(1, int(SLICE_S / usual_s)) if usual_s else 1
    firsts = [
        min(units, place.mine + min(turn, math.ceil(units / (2 * hands)))) for units in place.others
    ]
    lasts = [
        max(first, min(units, place.mine + work.units))
        for first, units in zip(firsts, place.others, strict=True)
    ]
    before = place.higher + place.mine
    return before + sum(firsts), before + sum(lasts)


def _with_other_lanes(seconds: float, work: Work, views: Sequence[LaneView], paces: Paces) -> float:
    """What becomes of ``seconds`` in the lane of ``work`` while its workers serve others too.

    Lanes of one band share them as users do; those of higher bands go first.
    """
    total = seconds
    for view in views:
        is_rival = view.lane != work.lane and view.band <= work.band
        if is_rival and paces.share_workers(work.lane, view.lane):
            hands = max(1, len(paces.rates(view.lane)))
            theirs = view.units * paces.picture_s(view.lane, work.cost) / hands
            total += theirs if view.band < work.band else min(theirs, seconds)
    return total

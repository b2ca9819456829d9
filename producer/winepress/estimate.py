"""When a job will begin and end, by the measured paces: the mathematics of the queue.

The estimate adds up the terms of the order of service:

- **Service time.** ``service_s`` is the mean time in seconds that one worker takes for a picture.
- **Backlog.** *m* workers draw λ = m / ``service_s`` pictures a second. A backlog of *L* pictures
  takes W = L / λ seconds (Little's law: Little, Operations Research 9, 1961).
- **Residual work.** A worker joins in when it has drawn its share of the slices in hand. So *W*
  solves Σ max(0, W − rᵢ) = L × ``service_s``, where rᵢ is the residual of worker *i* in seconds.
- **Priority.** Pictures of higher priorities go first (head-of-line priority: Cobham, Operations
  Research 2, 1954), and so do the earlier jobs of the same user.
- **Sharing.** Users of one priority take turns, so each other user goes before a job with no more
  pictures than the job has itself (processor sharing: Kleinrock, Journal of the ACM 14, 1967).
  Lanes of one priority share the workers that serve both of them in the same way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from winepress.paces import Paces, pictures_before
from winepress_shared.cost import SLICE_S, limit_s
from winepress_shared.ledger.records import PRIORITIES, JobRow, Worker

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress_shared.ledger.lanes import LaneIndex, LaneView, Place


@dataclass(frozen=True)
class Estimate:
    """What is known about the time of a job; None where no pace is measured or the job is held."""

    ahead: int  #: pictures that go before its next one
    draws_s: float | None  #: to draw what is left, with every worker of the lane and no other job
    starts_in_s: float | None  #: until its next picture is begun
    ends_in_s: float | None  #: until its last picture is done
    limit_s: float | None  #: a worker gives up a picture that takes longer


@dataclass(frozen=True)
class Work:
    """What to estimate: a job, or one that may be submitted."""

    lane: str
    priority: int  #: index into `PRIORITIES`
    units: int  #: that have not ended
    cost: float  #: megapixel-steps of a unit
    is_held: bool = False  #: paused, pending, or limited to a part of the day

    @classmethod
    def of(cls, row: JobRow) -> Work:
        """What is left of a job."""
        left = row.units - row.done - row.failed
        is_held = row.paused or row.pending or row.window is not None
        return cls(row.lane, PRIORITIES.index(row.priority), left, row.cost, is_held)


def estimate_of(row: JobRow, place: Place, lanes: LaneIndex, workers: Sequence[Worker]) -> Estimate:
    """The estimate of a submitted job at its ``place``; an earliest start comes on top."""
    views, _ = lanes.look("")
    found = estimate(Work.of(row), place, views, Paces(workers, lanes.paces()))
    if found.starts_in_s is None or found.ends_in_s is None:
        return found
    wait_s = max(0.0, (row.starts or 0.0) - time.time())
    return replace(
        found, starts_in_s=found.starts_in_s + wait_s, ends_in_s=found.ends_in_s + wait_s
    )


def estimate_new(connections: Connections, work: Work, user: str) -> Estimate:
    """The estimate of a job that ``user`` submits now."""
    lanes = connections.lanes
    place = lanes.place(work.lane, work.priority, user)
    paces = Paces(connections.ledger.workers(), lanes.paces())
    return estimate(work, place, lanes.look("")[0], paces)


def estimate(work: Work, place: Place, views: Sequence[LaneView], paces: Paces) -> Estimate:
    """When the turn of ``work`` comes and when it is done; ``views`` are the lanes with work."""
    rates = paces.rates(work.lane)
    worker_count = max(1, len(rates))
    service_s = paces.picture_s(work.lane, work.cost)
    own_service_s = work.cost / fmean(rates) if rates and work.cost else service_s
    own_work_s = work.units * own_service_s  # of one worker
    draws_s = max(own_work_s / worker_count, own_service_s) or None
    before_first, before_last = _pictures_ahead(work, place, service_s, worker_count)
    in_hand, residuals_s = _residuals(work, place, paces)
    ahead = before_first + len(in_hand) * min(in_hand, default=0)
    limit = limit_s(work.cost, min(rates, default=0.0))
    if not service_s or work.is_held or place.paused or place.parked:
        return Estimate(ahead, draws_s, None, None, limit)

    first_free_s = min(residuals_s)

    def drained_s(work_s: float) -> float:
        """Seconds until the lane's workers have done ``work_s`` of work, and other lanes' share."""
        in_lane_s = _drained_s(residuals_s, work_s) - first_free_s
        return first_free_s + _with_other_lanes(in_lane_s, work, views, paces)

    starts_s = drained_s(before_first * service_s)
    ends_s = drained_s(before_last * service_s + own_work_s)
    return Estimate(ahead, draws_s, starts_s, max(ends_s, starts_s + own_service_s), limit)


def _pictures_ahead(
    work: Work, place: Place, service_s: float, worker_count: int
) -> tuple[int, int]:
    """Pictures of other jobs that go before the first picture of ``work``, and before its last.

    Of each other user, one slice goes before the first picture, and before the last one no more
    pictures than the user of ``work`` has drawn by then.
    """
    slice_units = max(1, int(SLICE_S / service_s)) if service_s else 1
    firsts, lasts = [], []
    for units in place.others:
        guided = math.ceil(units / (2 * worker_count))  # see `claim.lua`: half of an equal share
        first = min(units, place.mine + min(slice_units, guided))
        firsts.append(first)
        lasts.append(max(first, min(units, place.mine + work.units)))
    certain = place.higher + place.mine
    return certain + sum(firsts), certain + sum(lasts)


def _residuals(work: Work, place: Place, paces: Paces) -> tuple[list[int], list[float]]:
    """What each worker of the lane draws of its slices in hand before ``work``.

    Returns the pictures, and the seconds for them, in the order of the workers.
    """
    pictures, seconds = [], []
    for worker in paces.serving(work.lane):
        held = [slice_ for slice_ in place.in_hand if slice_.worker == worker.name]
        counts = [pictures_before(slice_, work.priority, worker) for slice_ in held]
        pictures.append(sum(counts))
        seconds.append(
            sum(
                count * paces.picture_s_of(worker, slice_.lane, work.cost)
                for slice_, count in zip(held, counts, strict=True)
            )
        )
    return pictures, seconds


def _drained_s(residuals_s: Sequence[float], work_s: float) -> float:
    """The time W at which the workers have done ``work_s``: Σ max(0, W − residual) = ``work_s``."""
    at_s, busy = 0.0, 0
    for residual_s in sorted(residuals_s):
        if busy and (residual_s - at_s) * busy >= work_s:
            break
        work_s -= (residual_s - at_s) * busy
        at_s, busy = residual_s, busy + 1
    return at_s + work_s / busy


def _with_other_lanes(
    in_lane_s: float, work: Work, views: Sequence[LaneView], paces: Paces
) -> float:
    """What ``in_lane_s`` becomes when the lane's workers serve other lanes too, in seconds.

    A lane with a higher priority goes first. One of the same priority takes as much time as this.
    """
    total_s = in_lane_s
    for view in views:
        is_rival = view.lane != work.lane and view.priority <= work.priority
        if is_rival and paces.share_workers(work.lane, view.lane):
            worker_count = max(1, len(paces.rates(view.lane)))
            backlog_s = view.units * paces.picture_s(view.lane, work.cost) / worker_count
            total_s += backlog_s if view.priority < work.priority else min(backlog_s, in_lane_s)
    return total_s

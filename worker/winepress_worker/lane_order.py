"""Which lane a worker serves next: highest priority, then warm, then oldest, with a fair bound.

Preferring warm models saves loads (Invoke looks ahead for a warm model); a time limit keeps lanes
from starving. A cold lane is left briefly to the worker that holds it warm (SwarmUI), unless so
much waits there that loading it here is faster (Ray #48741 left it for ever).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from winepress_shared.cost import SLICE_S
from winepress_shared.errors import BrokerUnreachable, InvalidJob
from winepress_shared.lane import FILM, Lane, model_key
from winepress_shared.ledger.lanes import LaneIndex, LaneView
from winepress_shared.ledger.ledger import PATIENCE_MS
from winepress_shared.ledger.records import Slice
from winepress_worker.options import WorkerOptions

log = logging.getLogger(__name__)

LEAVE_S = 1.5  #: a cold lane is left this long to a live worker that holds it warm
FAIR_BOUND_S = 120.0  #: a lane that has waited longer goes before those that are warm
_WORTH = 5  #: waiting work per worker, in load times, for which a busy worker serves a cold lane
_LOAD_S = 10.0  #: assumed load time of a model that was never measured
_PICTURE_S = 1.0  #: assumed time per picture in a lane that was never measured
_NO_LANE = "no-lane"  #: a queue that is always empty
_LOOK_S = 0.2  #: least time between two looks after slices, which may be short


def order_of(views: Iterable[LaneView], renderer: dict[str, Any]) -> list[str]:
    """The lanes to serve, best first, without those to leave to other workers.

    ``renderer`` is the state that this worker's rendering process reports.
    """
    warm, unfit = renderer.get("warm", ()), renderer.get("unfit", ())
    views = [view for view in views if not view.is_shunned and view.model not in unfit]
    is_busy = any(_is_warm(view, warm) for view in views)
    mine = [
        view
        for view in views
        if _is_warm(view, warm) or not _is_left(view, renderer, is_busy=is_busy)
    ]
    return [view.lane for view in sorted(mine, key=lambda view: _rank(view, warm))]


def _rank(view: LaneView, warm: Collection[str]) -> tuple[int, int, int, float]:
    """Sort key. A lane that has waited beyond its priority's patience ranks as the highest.

    Of cold lanes, those without a worker come first, by age; then the one with most work per
    serving worker, as SwarmUI chooses the model to load.
    """
    priority = 0 if view.longest_s > max(PATIENCE_MS[1:]) / 1000 else view.priority
    is_overdue = view.idle_s > FAIR_BOUND_S
    hands = view.holders + view.loading
    if _is_warm(view, warm) or not hands:
        place = (0 if _is_warm(view, warm) else 1, -view.idle_s)
    else:
        place = (2, -view.urgent / hands)
    return (priority, 0 if is_overdue else 1, *place)


def _is_warm(view: LaneView, warm: Collection[str]) -> bool:
    """Whether the lane can be served without a load, as films always can."""
    return view.model in warm or view.lane == FILM


def _is_left(view: LaneView, renderer: dict[str, Any], *, is_busy: bool) -> bool:
    """Whether to leave a cold lane to workers that have or are loading its model.

    It is left for `LEAVE_S`; or for one load time if one of them will be free sooner than that: a
    thousand workers must not drop warm models for each urgent picture. A worker that ``is_busy``
    with warm lanes leaves those only for several load times of work, or for interactive pictures.
    """
    hands = view.holders + view.loading
    if not hands:
        return False
    load_s = _load_s(view, renderer)
    work_s = view.urgent * _picture_s(view, renderer)
    if work_s / hands > load_s * (_WORTH if is_busy else 1):
        # See `LaneIndex.begin_load`: loads spread in doubling steps.
        return view.loading > 0 and view.loading >= view.holders and view.waited_s < load_s
    # With N slices running, the next one ends within 1/N of a slice's time.
    is_soon = (SLICE_S + work_s) / hands <= load_s
    if view.loading or is_soon or (is_busy and view.priority > 0):
        return view.waited_s < load_s
    return view.waited_s < LEAVE_S


def _need(view: LaneView, renderer: dict[str, Any]) -> float:
    """How much a lane gains by one more worker with room for it; 0 if a load does not pay."""
    if view.is_shunned or view.model in renderer.get("unfit", ()):
        return 0.0
    hands = view.holders + view.loading
    load_s, work_s = _load_s(view, renderer), view.units * _picture_s(view, renderer)
    if not hands:
        return math.inf
    return view.units / hands**2 if work_s / hands > load_s else 0.0


def _load_s(view: LaneView, renderer: dict[str, Any]) -> float:
    return float(renderer.get("load_s", {}).get(view.model, _LOAD_S))


def _picture_s(view: LaneView, renderer: dict[str, Any]) -> float:
    return float(renderer.get("seconds_per_picture", {}).get(view.lane, _PICTURE_S))


def _is_worth(view: LaneView, renderer: dict[str, Any], drawn_s: float) -> bool:
    """Whether a lane is worth the rest of a slice; see `LaneWatch.calls_away`."""
    if _is_warm(view, renderer.get("warm", ())):
        return True
    return not (view.holders or view.loading) and drawn_s >= 2 * _load_s(view, renderer)


class LaneWatch:
    """One worker's view of all lanes, refreshed when asked; thread-safe."""

    def __init__(self, lane_index: LaneIndex, options: WorkerOptions) -> None:
        self._lane_index = lane_index
        self._options = options
        self._turn = threading.Lock()
        self._looked_at = 0.0
        self._views: list[LaneView] = []
        self._renderer: dict[str, Any] = {}

    def choose(self) -> tuple[list[str], list[str]]:
        """Lanes with work, best first, and lanes to leave to others; both empty in an outage."""
        views, renderer = self._look(0.0)
        chosen = order_of(views, renderer)
        return chosen, [view.lane for view in views if view.lane not in chosen]

    def sees_work(self) -> bool:
        """Whether any lane of this worker has waiting units; False in an outage."""
        views, _ = self._look(0.0)
        return bool(views)

    def is_unfit(self, lane: str) -> bool:
        """Whether the renderer reports that it cannot serve the model of ``lane`` now."""
        return model_key(lane) in self._renderer.get("unfit", ())

    def gives_way(self, lane: str) -> bool:
        """Whether a lane of a higher priority, or an overdue one, should go first."""
        views, renderer = self._look(_LOOK_S)
        warm = renderer.get("warm", ())
        ranks = {view.lane: _rank(view, warm)[:2] for view in views}
        chosen = order_of(views, renderer)
        return lane in ranks and bool(chosen) and ranks[chosen[0]] < ranks[lane]

    def calls_away(self, slice_: Slice, drawn_s: float) -> bool:
        """Whether to end a slice, drawn for ``drawn_s``, for another lane of a higher priority.

        A cold lane ends it only if no worker holds or loads its model, and not before the time of
        two loads, there and back: until then another worker may take that lane.
        """
        views, renderer = self._look(_LOOK_S)
        chosen = set(order_of(views, renderer)) - {slice_.lane}  # whose own is told by the ledger
        higher = [view for view in views if view.lane in chosen and view.priority < slice_.priority]
        if not any(_is_worth(view, renderer, drawn_s) for view in higher):
            return False
        self._looked_at = 0.0  # the next choice must see the rest of the slice waiting
        return True

    def next_cold(self, lane: str) -> str | None:
        """The next model, with its precision, to be loaded after ``lane``, if any.

        Holders of models approach the square root of what waits for each: the rare ones have few
        and the wanted ones not all of them (Cohen and Shenker, SIGCOMM 2002).
        """
        views, renderer = self._look(_LOOK_S)
        warm = [FILM, model_key(lane), *renderer.get("warm", ())]
        cold = sorted(
            (view for view in views if view.model not in warm), key=lambda view: _rank(view, warm)
        )
        best = max(cold, key=lambda view: _need(view, renderer), default=None)
        return best.model if best and _need(best, renderer) else None

    def _look(self, least_s: float) -> tuple[list[LaneView], dict[str, Any]]:
        """Views and renderer state of one look, returned together: another thread may look too."""
        with self._turn:
            if time.monotonic() - self._looked_at >= least_s:
                self._looked_at = time.monotonic()
                try:
                    views, self._renderer = self._lane_index.look(self._options.name)
                except BrokerUnreachable as error:
                    log.warning("cannot read the lanes, so they are served in turn: %s", error)
                    views = []
                self._views = [view for view in views if self._serves(view.lane)]
            return self._views, self._renderer

    def _serves(self, lane: str) -> bool:
        try:
            return self._options.serves(Lane.parse(lane))
        except InvalidJob:  # from a later version: a farm is upgraded worker by worker
            return False


class LaneCycle:
    """Decides for kombu from which queue a worker takes its next ticket.

    Implements kombu's ``queue_order_strategy``: ``consume`` returns the queues to poll, in order.
    """

    def __init__(self, watch: LaneWatch, asked: Callable[[], None] = lambda: None) -> None:
        """``asked`` is called whenever the worker asks for a ticket."""
        self._watch = watch
        self._asked = asked
        self._queues: list[str] = []

    def update(self, queues: Iterable[str]) -> None:
        """Set the queues this worker consumes from; known ones keep their order."""
        new = list(queues)
        kept = [queue for queue in self._queues if queue in new]
        self._queues = kept + [queue for queue in new if queue not in kept]

    def rotate(self, last_used: str) -> str:
        """Move the queue of the last ticket to the end of the default order."""
        if last_used in self._queues:
            self._queues.remove(last_used)
            self._queues.append(last_used)
        return last_used

    def consume(self, count: int) -> list[str]:
        """Lanes with work, best first, then the others, without lanes left to other workers."""
        self._asked()
        chosen, left = self._watch.choose()
        mine = [queue for queue in self._queues if not self._watch.is_unfit(queue)]
        rest = [queue for queue in mine if queue not in chosen and queue not in left]
        listened = [lane for lane in chosen if lane in mine] + rest
        # Without any queue the worker would not wait.
        return listened[:count] or mine[:count] or [_NO_LANE]

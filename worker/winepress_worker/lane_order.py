"""Which lane a worker serves next: highest band waiting, warm here, oldest; within a fair bound.

Warmth first saves loads (Invoke looks ahead for a warm model), bounded in time so that no lane
starves. A cold lane is left for a moment to the worker that holds it warm (SwarmUI), unless so much
waits there that loading it here is quicker (the fault of Ray #48741 was to leave it for ever).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable
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
_WORTH = 5  #: times the load: what waits in a cold lane per worker, to leave warm ones for it
_LOAD_S = 10.0  #: to load a model whose load was never measured
_PICTURE_S = 1.0  #: to draw in a lane whose pace was never measured
_NO_LANE = "no-lane"  #: a queue to which nobody sends
_LOOK_S = 0.2  #: least time between two looks after a slice, which may be short


def order_of(views: Iterable[LaneView], renderer: dict[str, Any]) -> list[str]:
    """The lanes to be served, best first; those to be left to others are not among them.

    ``renderer`` is what the rendering process of this worker says of itself.
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
    """Smallest first. A lane with a band out of patience counts as of the highest.

    Of cold lanes those that nobody serves come first, by age; then the one with most work for each
    worker that serves it, as SwarmUI weighs which model to load by how many wait.
    """
    band = 0 if view.longest_s > max(PATIENCE_MS[1:]) / 1000 else view.band
    is_overdue = view.idle_s > FAIR_BOUND_S
    hands = view.holders + view.loading
    if _is_warm(view, warm) or not hands:
        place = (0 if _is_warm(view, warm) else 1, -view.idle_s)
    else:
        place = (2, -view.urgent / hands)
    return (band, 0 if is_overdue else 1, *place)


def _is_warm(view: LaneView, warm: Collection[str]) -> bool:
    """Whether nothing need be loaded to serve a lane; for films nothing ever need."""
    return view.model in warm or view.lane == FILM


def _is_left(view: LaneView, renderer: dict[str, Any], *, is_busy: bool) -> bool:
    """Whether a lane that is cold here is better served by workers that have or load its model.

    They are left it for a moment; and for as long as a load takes when one of them will be free
    sooner than that: a thousand workers must not drop what is warm for each picture that cannot
    wait. A worker ``is_busy`` with warm lanes leaves those only for a load that brings several
    times its own time of work, or for a picture that somebody waits in front of.
    """
    hands = view.holders + view.loading
    if not hands:
        return False
    load_s = float(renderer.get("load_s", {}).get(view.model, _LOAD_S))
    picture_s = float(renderer.get("seconds_per_picture", {}).get(view.lane, _PICTURE_S))
    work_s = view.urgent * picture_s
    if work_s / hands > load_s * (_WORTH if is_busy else 1):
        # See `LaneIndex.begin_load`: it is spread in doubling steps.
        return view.loading > 0 and view.loading >= view.holders and view.waited_s < load_s
    # Of so many slices under way one ends in a part of the time of one.
    is_soon = (SLICE_S + work_s) / hands <= load_s
    if view.loading or is_soon or (is_busy and view.band > 0):
        return view.waited_s < load_s
    return view.waited_s < LEAVE_S


class LaneWatch:
    """One worker's view of all lanes, looked at now and then; threads may share it."""

    def __init__(self, book: LaneIndex, options: WorkerOptions) -> None:
        self._book = book
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

    def is_unfit(self, lane: str) -> bool:
        """Whether the renderer said that it cannot serve the model of ``lane`` now."""
        return model_key(lane) in self._renderer.get("unfit", ())

    def gives_way(self, lane: str) -> bool:
        """Whether a lane of a higher band, or one that has waited too long, should go first."""
        views, renderer = self._look(_LOOK_S)
        warm = renderer.get("warm", ())
        ranks = {view.lane: _rank(view, warm)[:2] for view in views}
        chosen = order_of(views, renderer)
        return lane in ranks and bool(chosen) and ranks[chosen[0]] < ranks[lane]

    def calls_away(self, part: Slice, drawn_s: float) -> bool:
        """Whether a slice that has been drawn for so long ends here for another lane's better band.

        A cold lane has it end where nobody else holds or loads its model, and no sooner than the
        loads there and back take: between slices, others may turn out to be better placed.
        """
        views, renderer = self._look(_LOOK_S)
        chosen = order_of(views, renderer)
        first = next((view for view in views if [view.lane] == chosen[:1]), None)
        if first is None or first.band >= part.band:
            return False
        if not _is_warm(first, renderer.get("warm", ())):
            load_s = float(renderer.get("load_s", {}).get(first.model, _LOAD_S))
            if first.holders or first.loading or drawn_s < 2 * load_s:
                return False
        self._looked_at = 0.0  # the rest of the slice will wait too, when the next lane is chosen
        return True

    def next_cold(self, lane: str) -> str | None:
        """The model, with its precision, that will have to be loaded after ``lane``, if any."""
        views, renderer = self._look(_LOOK_S)
        models = [model_key(lane) for lane in order_of(views, renderer)]
        warm = [FILM, model_key(lane), *renderer.get("warm", ())]
        return next((model for model in models if model not in warm), None)

    def _look(self, least_s: float) -> tuple[list[LaneView], dict[str, Any]]:
        """What was seen in one look: another thread may look again meanwhile."""
        with self._turn:
            if time.monotonic() - self._looked_at >= least_s:
                self._looked_at = time.monotonic()
                try:
                    views, self._renderer = self._book.look(self._options.name)
                except BrokerUnreachable as error:
                    log.warning("lanes are served in turn: %s", error)
                    views = []
                self._views = [view for view in views if self._serves(view.lane)]
            return self._views, self._renderer

    def _serves(self, lane: str) -> bool:
        try:
            return self._options.serves(Lane.parse(lane))
        except InvalidJob:  # of a later version: a farm is not brought up to date at one stroke
            return False


class LaneCycle:
    """Decides for kombu from which queues a worker takes its next ticket.

    A ``queue_order_strategy``: ``consume`` names the queues to listen at, in their order.
    """

    def __init__(self, watch: LaneWatch) -> None:
        self._watch = watch
        self._queues: list[str] = []

    def update(self, queues: Iterable[str]) -> None:
        """Take over the queues this worker consumes from; those known keep their order."""
        new = list(queues)
        kept = [queue for queue in self._queues if queue in new]
        self._queues = kept + [queue for queue in new if queue not in kept]

    def rotate(self, last_used: str) -> str:
        """The queue that gave the last ticket goes to the end of those nothing is known of."""
        if last_used in self._queues:
            self._queues.remove(last_used)
            self._queues.append(last_used)
        return last_used

    def consume(self, count: int) -> list[str]:
        """Lanes with work, best first, then the others; lanes left to other workers are missing."""
        chosen, left = self._watch.choose()
        mine = [queue for queue in self._queues if not self._watch.is_unfit(queue)]
        rest = [queue for queue in mine if queue not in chosen and queue not in left]
        listened = [lane for lane in chosen if lane in mine] + rest
        # Without any queue the worker would not even wait.
        return listened[:count] or mine[:count] or [_NO_LANE]

"""The order in which a worker serves its lanes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.lanes import LaneView
from winepress_shared.ledger.records import Slice
from winepress_worker.lane_order import FAIR_BOUND_S, LaneCycle, LaneWatch, order_of
from winepress_worker.options import WorkerOptions

A, B, C = "a.fp16", "b.fp16", "c.fp16"


def view(lane: str, waited: float = 10.0, priority: int = 1, **values: Any) -> LaneView:
    units = values.pop("units", 1)
    return LaneView(lane, units, priority, units, waited, waited, waited, **values)


def warm(*models: str, **facts: Any) -> dict[str, Any]:
    return {"warm": list(models), **facts}


def test_the_highest_priority_goes_first_then_what_is_warm_then_the_oldest() -> None:
    """Priority inside the bound, warmth before age."""
    views = [view(A, 90), view(B, 5), view(C, 1, priority=0), view("d.fp16", 50)]
    assert order_of(views, warm("b.fp16")) == [C, B, A, "d.fp16"]


def test_a_lane_beyond_its_fair_bound_goes_before_a_warm_one() -> None:
    """Warmth may delay it so long, and no longer."""
    views = [view(A, 1), view(B, FAIR_BOUND_S - 1)]
    assert order_of(views, warm(A)) == [A, B]
    views = [view(A, 1), view(B, FAIR_BOUND_S + 1)]
    assert order_of(views, warm(A)) == [B, A]


def test_a_few_pictures_that_cannot_wait_are_left_to_many_holders() -> None:
    """One of twenty is free within seconds: sooner than the model is loaded here; not for ever."""
    renderer = warm(B, load_s={A: 20.0}, seconds_per_picture={A: 5.0})
    waiting = [view(B, 5, priority=2), view(A, 10, priority=0, units=2, holders=20)]
    assert order_of(waiting, renderer) == [B]
    assert order_of([waiting[0], view(A, 21, priority=0, units=2, holders=20)], renderer) == [A, B]
    assert order_of([waiting[0], view(A, 10, priority=0, units=2, holders=2)], renderer) == [A, B]
    many = view(A, 10, priority=0, units=999, holders=20)
    assert order_of([waiting[0], many], renderer) == [A, B]


def test_a_lane_with_nothing_but_what_this_worker_failed_at_is_left_to_others() -> None:
    """Even a warm one: it would take the tickets that call them."""
    assert order_of([view(A, is_shunned=True), view(B)], warm(A)) == [B]


def test_of_cold_lanes_those_of_nobody_go_first_then_those_with_most_work_per_worker() -> None:
    """So workers spread over the lanes by what waits in them."""
    views = [
        view(A, 90, units=900, holders=90),
        view(B, 60, units=900, holders=30),
        view(C, 30),
        view("d.fp16", 40),
    ]
    assert order_of(views, warm()) == ["d.fp16", C, B, A]


def test_warm_work_is_left_for_a_load_that_pays_and_no_less() -> None:
    """Per holder, five times as much must wait as for a worker that has nothing to do."""
    renderer = warm(B, load_s={A: 10.0}, seconds_per_picture={A: 1.0})
    warm_lane = view(B, 5, priority=2)
    for units, order in ((99, [B]), (101, [A, B])):
        cold_lane = view(A, 1, priority=1, units=units, holders=2)
        assert order_of([warm_lane, cold_lane], renderer) == order
    assert order_of([view(A, 1, priority=1, units=21, holders=2)], renderer) == [A]
    few = {"units": 1, "holders": 1}
    assert order_of([warm_lane, view(A, 5, priority=1, **few)], renderer) == [B]
    assert order_of([warm_lane, view(A, 11, priority=1, **few)], renderer) == [A, B]
    assert order_of([warm_lane, view(A, 5, priority=0, **few)], renderer) == [A, B]


def test_a_lane_is_not_overdue_for_a_low_priority_that_waits_behind_a_higher_one_of_it() -> None:
    """Another slice of it would go to the higher priority again: a cold load would help nobody."""
    behind = LaneView(B, 10, 1, 5, 2.0, FAIR_BOUND_S + 100, 2.0)
    assert order_of([view(A, 1), behind], warm(A)) == [A, B]


def test_a_hot_lane_is_spread_in_doubling_steps() -> None:
    """While one of two holders' worth of loads is under way, there is room for another."""
    renderer = warm(load_s={A: 10.0}, seconds_per_picture={A: 0.5})
    assert order_of([view(A, 1, units=999, holders=2, loading=1)], renderer) == [A]
    assert order_of([view(A, 1, units=999, holders=2, loading=2)], renderer) == []


def test_a_lane_of_a_low_priority_comes_first_when_its_patience_is_over() -> None:
    """An endless high priority does not starve it."""
    views = [view(A, 1, priority=0), view(B, 301, priority=2)]
    assert order_of(views, warm(A)) == [B, A]


@pytest.mark.parametrize(
    ("waited", "units", "is_loading", "is_left"),
    [
        (1.0, 1, False, True),
        (1.6, 1, False, False),
        (1.0, 100, False, False),
        (8.0, 1, True, True),
        (11.0, 1, True, False),
        (8.0, 100, True, True),
        (11.0, 100, True, False),
    ],
)
def test_a_cold_lane_is_left_for_a_while_to_whoever_holds_or_loads_its_model(
    waited: float, units: int, is_loading: bool, is_left: bool
) -> None:
    """1.5 s to its holder unless more waits there than a load takes; its load to who loads it."""
    one = view(A, waited, units=units, holders=int(not is_loading), loading=int(is_loading))
    renderer = warm(load_s={A: 10.0}, seconds_per_picture={A: 0.5})
    assert (order_of([one], renderer) == []) is is_left
    assert order_of([one], renderer | {"warm": [A]}) == [A]


class Book:
    """Shows what it was given."""

    def __init__(self, *views: LaneView, renderer: dict[str, Any] | None = None) -> None:
        self.views, self.renderer, self.is_away = views, renderer or {}, False

    def look(self, worker: str) -> tuple[Sequence[LaneView], dict[str, Any]]:
        if self.is_away:
            raise BrokerUnreachable("away")
        return self.views, self.renderer


def cycle_of(book: Book, monkeypatch: pytest.MonkeyPatch) -> LaneCycle:
    monkeypatch.setattr("winepress_worker.lane_order._LOOK_S", 0.0)
    watch = LaneWatch(book, WorkerOptions("w", device="CPU", lanes=("*",)))  # type: ignore[arg-type]
    cycle = LaneCycle(watch)
    cycle.update([A, B, C])
    return cycle


def test_a_worker_listens_at_the_best_lane_first_and_not_at_those_left_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lanes without work come last: work may come while it listens."""
    book = Book(view(B, 1.0, holders=1), view(C), view("x.fp16"), view("a.fp16@GPU"))
    cycle = cycle_of(book, monkeypatch)
    assert cycle.consume(3) == [C, A]


def test_a_lane_of_a_later_version_is_nobodys_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job in a precision that this worker has never heard of: others may know it."""
    assert cycle_of(Book(view("a.fp2"), view(C)), monkeypatch).consume(2) == [C, A]


def test_lanes_are_served_in_turn_while_the_broker_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last one served goes to the end; a lane added meanwhile is listened at."""
    book = Book()
    book.is_away = True
    cycle = cycle_of(book, monkeypatch)
    cycle.rotate(A)
    assert cycle.consume(3) == [B, C, A]
    cycle.update([A, B, C, "d.fp16"])
    assert cycle.consume(4) == [B, C, A, "d.fp16"]


def test_a_lane_this_worker_cannot_serve_is_not_listened_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither with work nor without, even when nothing else is left: others need its tickets."""
    unfit = {A: "broken", "c.fp16": "no memory"}
    book = Book(view(A), view(B, 1.0), renderer={"unfit": unfit})
    assert cycle_of(book, monkeypatch).consume(3) == [B]
    book.renderer["unfit"] = dict.fromkeys((A, B, C), "broken")
    (nothing,) = cycle_of(book, monkeypatch).consume(3)
    assert nothing not in (A, B, C)


def test_a_worker_always_listens_at_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when every lane is left to others: an empty list would end its waiting for good."""
    book = Book(*(view(lane, 1.0, holders=1) for lane in (A, B, C)))
    assert cycle_of(book, monkeypatch).consume(3) == [A, B, C]


@pytest.mark.parametrize(
    ("other", "gives_way"),
    [
        (view(B, 5, priority=0), True),
        (view(B, FAIR_BOUND_S + 1), True),
        (view(B, 50), False),
        (view(B, 50, priority=2), False),
    ],
)
def test_a_lane_gives_way_between_slices_to_a_higher_priority_and_to_an_overdue_one(
    monkeypatch: pytest.MonkeyPatch, other: LaneView, gives_way: bool
) -> None:
    """An interactive job waits for the slice in hand, not for the whole bulk."""
    monkeypatch.setattr("winepress_worker.lane_order._LOOK_S", 0.0)
    book = Book(view(A, 1), other, renderer=warm(A))
    watch = LaneWatch(book, WorkerOptions("w"))  # type: ignore[arg-type]
    assert watch.gives_way(A) is gives_way


@pytest.mark.parametrize(
    ("other", "drawn_s", "is_called"),
    [
        (view(B, 0.1, priority=0), 0.0, True),
        (view(B, 0.1, priority=1), 0.0, True),
        (view(B, 500, priority=2), 0.0, False),  # overdue: between slices
        (view(C, 0.1, priority=0), 39.0, False),  # cold, and not yet worth the loads there and back
        (view(C, 0.1, priority=0), 41.0, True),
        (view(C, 90, priority=0, holders=1), 41.0, False),  # whoever holds it ends a slice too
        (view(C, 90, priority=0, loading=1), 41.0, False),
        (view(A, 0.1, priority=0), 41.0, False),  # its own lane says so itself
    ],
)
def test_a_slice_ends_for_a_higher_priority_of_a_lane_that_the_worker_would_serve_first(
    other: LaneView, drawn_s: float, is_called: bool
) -> None:
    """At once for a warm one; a cold one must not have workers do nothing but load."""
    book = Book(view(A, 1, priority=2), other, renderer=warm(A, B, load_s={C: 20.0}))
    watch = LaneWatch(book, WorkerOptions("w"))  # type: ignore[arg-type]
    slice_ = Slice(1, "j", (0, 1), False, 0, 0, 0, priority=2, lane=A)
    assert watch.calls_away(slice_, drawn_s) is is_called


def test_a_lane_that_would_go_first_hides_none_of_a_higher_priority_behind_it() -> None:
    """An overdue lane goes first, and is no reason to end a slice; what waits in front of us is."""
    overdue, cold = view(B, 400, priority=2), view("d.fp16", 400, priority=0, holders=3)
    lanes = [view(A, 1, priority=1), overdue, cold, view(C, 0.1, priority=0)]
    book = Book(*lanes, renderer=warm(A, B, C))
    assert order_of(lanes, book.renderer).index(C) == 2
    watch = LaneWatch(book, WorkerOptions("w"))  # type: ignore[arg-type]
    slice_ = Slice(1, "j", (0, 1), False, 0, 0, 0, priority=1, lane=A)
    assert watch.calls_away(slice_, 0.0)


def test_where_there_is_room_models_are_loaded_ahead_by_the_root_of_what_waits() -> None:
    """Nothing is dropped for it; wanted models are held by more workers, and rare ones by some."""
    wanted = view(B, 30, units=90_000, holders=10)
    rare = view(C, 30, units=1_000, holders=1)
    for few, many, next_one in ((rare, wanted, C), (replace(rare, holders=2), wanted, B)):
        assert order_of([view(A), many, few], warm(A))[0] == A
        for held, loaded in (((A,), next_one), ((A, B), C), ((A, C), B), ((A, B, C), None)):
            book = Book(view(A), many, few, renderer=warm(*held))
            watch = LaneWatch(book, WorkerOptions("w"))  # type: ignore[arg-type]
            assert watch.next_cold(A) == loaded


def test_of_models_that_nobody_holds_the_first_in_turn_is_loaded_ahead() -> None:
    """However much waits for the others; and a model of two lanes counts by the one in need."""
    served = view("b.fp16@CPU", 30, units=1, holders=9)
    for lanes in ([view(A), view(B, 30), served], [view(A), served, view(B, 30)]):
        watch = LaneWatch(Book(*lanes, renderer=warm(A)), WorkerOptions("w"))  # type: ignore[arg-type]
        assert watch.next_cold(A) == B
    later, urgent = view(B, 30, units=900), view(C, 1, priority=0)
    watch = LaneWatch(Book(view(A), later, urgent, renderer=warm(A)), WorkerOptions("w"))  # type: ignore[arg-type]
    assert watch.next_cold(A) == C


@pytest.mark.parametrize(
    "other",
    [
        view(B, 30, units=30, holders=3),  # drawn before it would be there
        view(B, 30, units=900, holders=1, is_shunned=True),
    ],
)
def test_nothing_is_loaded_ahead_that_would_come_too_late(other: LaneView) -> None:
    """Nor what this worker cannot draw. A load takes cores from the picture that is drawn."""
    book = Book(view(A), other, renderer=warm(A, load_s={B: 20.0}, seconds_per_picture={B: 2.0}))
    watch = LaneWatch(book, WorkerOptions("w"))  # type: ignore[arg-type]
    assert watch.next_cold(A) is None


def test_another_thread_that_looks_meanwhile_changes_no_decision() -> None:
    """Lanes to be loaded ahead are looked for in the background, while a slice ends."""

    class Renderer(dict[str, Any]):
        """Has other lanes seen whenever it is asked for something."""

        def get(self, name: str, default: Any = None) -> Any:
            if threading.current_thread() is threading.main_thread():
                book.views = (view(C, priority=0),)
                looking = threading.Thread(target=watch.choose)
                looking.start()
                looking.join()
            return super().get(name, default)

    book = Book(view(A), view(B, priority=0))
    watch = LaneWatch(book, WorkerOptions("w"))  # type: ignore[arg-type]
    watch.choose()
    book.renderer = watch._renderer = Renderer(warm(A, B))
    assert watch.gives_way(A)

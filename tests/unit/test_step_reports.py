"""When a renderer tells the ledger of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pytest

from winepress_shared.errors import CancelRequested
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import Directive, Slice, StepReply
from winepress_worker.parent.supervisor import CANCEL_GRACE_S
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.step_reports import UNWATCHED_S, WATCHED_S, StepReports

_STEPS = 20


class _Ledger:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[list[tuple[int, int]], int, float]] = []
        self.watched: set[int] = set()
        self.directive = Directive.OK

    def progress_together(
        self, units: Sequence[tuple[int, int]], step: int, steps: int, age_s: float
    ) -> list[StepReply]:
        self.told.append((list(units), step, age_s))
        return [StepReply(self.directive, fence in self.watched) for fence, _ in units]

    @property
    def steps(self) -> list[int]:
        return [step for _, step, _ in self.told]


class _AtOnce:
    """A messenger that does not wait."""

    def send(self, kind: str, act: Callable[[], None]) -> None:
        act()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved on."""
    found = [1000.0]
    monkeypatch.setattr("winepress_worker.renderer.step_reports.time.monotonic", lambda: found[0])
    return found


@pytest.fixture
def ledger() -> _Ledger:
    return _Ledger()


@pytest.fixture
def reports(ledger: _Ledger, now: list[float]) -> StepReports:
    """Those of a process that draws unit 7 of slice 1."""
    one = StepReports(cast("Ledger", ledger), cast("Messenger", _AtOnce()))
    one.claimed([Slice(1, "job", (7,), False, 0, 0, 0)])
    one.begin(lambda: {1: 7}, list)
    return one


def _draw(reports: StepReports, now: list[float], steps: range, step_s: float) -> None:
    """As the step callback and the thread that hears orders do."""
    for step in steps:
        now[0] += step_s
        reports.give_sign()
        reports.step(step, _STEPS)
        reports.send_if_due()


def test_a_short_call_that_nobody_watches_is_not_reported(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """Its start and its end say all."""
    _draw(reports, now, range(1, _STEPS + 1), 0.9 * UNWATCHED_S / _STEPS)
    assert ledger.told == []


def test_a_long_call_gives_a_sign_now_and_then_and_tells_its_last_step(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """Whoever was told of a step takes silence for a standstill, and storing may take long."""
    _draw(reports, now, range(1, _STEPS + 1), 1.0)
    assert 2 <= len(ledger.steps) <= 4
    assert ledger.steps[-1] == _STEPS


def test_a_call_that_stands_still_says_when_its_last_step_was(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """The thread that draws says nothing then."""
    _draw(reports, now, range(1, 4), 0.1)
    for _ in range(3):
        now[0] += UNWATCHED_S + 1
        reports.give_sign()
    assert ledger.steps == [3, 3, 3]
    assert [age for _, _, age in ledger.told] == pytest.approx([9.0, 18.0, 27.0])


def test_nothing_is_reported_before_the_first_step_and_after_the_last(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """A model may be loaded before it, a store may be slow after it: that is no standstill."""
    now[0] += 10 * UNWATCHED_S
    reports.give_sign()
    reports.rest()
    reports.give_sign()
    assert ledger.told == []


def test_steps_that_are_watched_are_reported_until_nobody_watches(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """Four times a second at most; the ledger's answers say whether anybody still does."""
    ledger.watched = {1}
    reports.call_for(1)
    assert reports.has_news
    assert not reports.ask()
    assert not reports.has_news
    _draw(reports, now, range(1, 11), 2 * WATCHED_S)
    assert ledger.steps[1:] == list(range(1, 11))
    _draw(reports, now, range(11, 13), 0.4 * WATCHED_S)
    assert ledger.steps[-1] == 10
    ledger.watched = set()
    _draw(reports, now, range(13, 18), 2 * WATCHED_S)
    assert ledger.steps[-1] == 13


def test_whoever_begins_to_watch_sees_the_newest_step_at_once(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """The next one may take a minute, or never come."""
    ledger.watched = {1}
    _draw(reports, now, range(1, 4), 0.1)
    reports.call_for(5)
    assert ledger.told == []
    reports.call_for(1)
    assert ledger.told == [([(1, 7)], 3, 0.0)]


def test_a_slice_that_is_claimed_as_watched_is_reported_from_its_first_step(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """Nobody has to call for it."""
    ledger.watched = {2}
    reports.claimed([Slice(2, "job", (0,), False, 0, 0, 0, watched=True)])
    reports.begin(lambda: {2: 0}, lambda: [3])
    _draw(reports, now, range(1, 2), 2 * WATCHED_S)
    assert ledger.told == [([(3, -1), (2, 0)], 1, 0.0)]


def test_an_order_that_no_channel_carried_is_heard_of_before_the_time_to_obey_is_over(
    reports: StepReports, ledger: _Ledger, now: list[float]
) -> None:
    """Else the parent would kill a process, and its warm models, for a channel that was cut."""
    ledger.directive = Directive.CANCEL
    began = now[0]
    while not reports.has_news:
        _draw(reports, now, range(3, 4), 0.5)
    assert now[0] - began < CANCEL_GRACE_S
    assert isinstance(reports.ask()[1], CancelRequested)

"""What workers tell each other about lanes, on a real server."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk

from winepress_shared.lane_book import ALIVE_MS, LaneBook

MODEL = "vignette.fp16"


@pytest.fixture
def book(clerk: Clerk) -> LaneBook:
    """The lanes of the clerk's farm."""
    return LaneBook(clerk.settings)


def live(clerk: Clerk, worker: str, *warm: str) -> None:
    clerk.ledger.beat(worker, f"{worker}/1", {})
    clerk.ledger.describe_renderer(worker, {"warm": list(warm)})


def grow_old(clerk: Clerk, worker: str) -> None:
    clerk.redis.zincrby(clerk.key("workers"), -ALIVE_MS - 1, worker)


def test_a_lane_shows_its_highest_band_and_how_long_it_waits(clerk: Clerk, book: LaneBook) -> None:
    """Lanes without work and parked ones are not there."""
    assert book.look("me") == ([], {})
    clerk.submit("bulk", 3, band=2)
    clerk.redis.hincrby(clerk.key("served", LANE), "2", -90_000)
    clerk.submit("now", 1, band=0)
    (view,), _ = book.look("me")
    assert (view.lane, view.units, view.band) == (LANE, 4, 0)
    assert view.waited_s < 60 < 90 <= view.longest_s < 150
    clerk.redis.set(clerk.key("parked", LANE), "resting")
    assert book.look("me")[0] == []
    clerk.redis.delete(clerk.key("parked", LANE))


def test_holders_are_live_workers_other_than_the_one_who_asks(clerk: Clerk, book: LaneBook) -> None:
    """A worker that dropped the model, or fell silent, holds it no more."""
    clerk.submit("job")
    for worker in ("me", "other", "silent", "changed"):
        live(clerk, worker, MODEL)
    live(clerk, "changed", "else.fp16")
    grow_old(clerk, "silent")
    (view,), renderer = book.look("me")
    assert view.holders == 1
    assert renderer == {"warm": [MODEL]}
    clerk.ledger.leave("other")
    assert book.look("me")[0][0].holders == 0


def test_one_worker_at_a_time_loads_a_model(clerk: Clerk, book: LaneBook) -> None:
    """Until it is loaded, or its worker falls silent."""
    clerk.submit("job")
    for worker in ("me", "other"):
        live(clerk, worker)
    assert book.begin_load("other", MODEL)
    assert book.begin_load("other", MODEL)
    assert not book.begin_load("me", MODEL)
    assert book.begin_load("me", "else.fp16")
    assert book.look("me")[0][0].is_loading
    assert not book.look("other")[0][0].is_loading
    live(clerk, "other", MODEL)
    assert not book.look("me")[0][0].is_loading
    assert book.begin_load("other", MODEL)
    grow_old(clerk, "other")
    assert not book.look("me")[0][0].is_loading
    assert book.begin_load("me", MODEL)
    # The one that was silent does not take the mark of another away.
    live(clerk, "other")
    assert book.look("other")[0][0].is_loading

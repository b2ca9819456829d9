"""A chain whose last unit waits in another lane: the film of a zoom."""

from __future__ import annotations

import pytest
from clerk import LANE, Clerk

from winepress_shared.lane import FILM
from winepress_shared.ledger.records import UnitOutcome


def _submit(clerk: Clerk, units: int = 4) -> str:
    return clerk.submit("zoom", units, kind="zoom-video", chained=True, last_lane=FILM)


def test_the_film_waits_in_its_own_lane_once_every_key_frame_is_there(clerk: Clerk) -> None:
    """Not before, and whoever stores the last key frame hears where the rest waits."""
    _submit(clerk)
    part = clerk.claim()
    assert part.units == (0, 1, 2)
    assert clerk.try_claim(lane=FILM) is None
    assert clerk.draw(part) == [UnitOutcome.OK, UnitOutcome.OK, UnitOutcome.MOVED]
    clerk.audit()
    assert clerk.ledger.waiting() == {FILM: 1}
    assert clerk.ledger.get("zoom").lane == FILM
    assert clerk.try_claim() is None
    film = clerk.claim(lane=FILM)
    assert film.units == (3,)
    assert clerk.draw(film) == [UnitOutcome.LAST]
    assert clerk.ledger.finish(film.fence) == "succeeded"
    assert clerk.ledger.waiting() == {}


def test_key_frames_handed_back_stay_in_the_lane_of_their_model(clerk: Clerk) -> None:
    """A worker that leaves or dies between them moves nothing."""
    _submit(clerk)
    part = clerk.claim()
    clerk.draw_one(part, 0)
    clerk.ledger.start(part.fence, 1)
    clerk.lose(part)
    clerk.audit()
    again = clerk.claim(worker="w2")
    assert (again.units, again.attempts) == ((1,), 1)
    assert clerk.draw(again) == [UnitOutcome.OK]
    rest = clerk.claim(worker="w2")
    assert rest.units == (2,)
    assert clerk.draw(rest) == [UnitOutcome.MOVED]
    clerk.audit()


def test_a_film_that_fails_is_tried_again_in_its_lane_and_key_frames_are_kept(
    clerk: Clerk,
) -> None:
    """Up to the limit of attempts; a retry of the job cuts the film and draws nothing."""
    _submit(clerk)
    clerk.draw(clerk.claim())
    for outcome in (UnitOutcome.RETRY, UnitOutcome.RETRY, UnitOutcome.LAST):
        clerk.make_due("zoom")
        film = clerk.claim(lane=FILM)
        clerk.ledger.start(film.fence, 3)
        assert clerk.fail(film, 3) is outcome
        clerk.audit()
    clerk.ledger.finish(film.fence, "told to")
    assert clerk.state("zoom") == "failed"
    clerk.ledger.control("zoom", "retry")
    clerk.audit()
    assert clerk.ledger.waiting() == {FILM: 1}
    assert clerk.claim(lane=FILM).units == (3,)


@pytest.mark.parametrize(("kept", "lane", "units"), [(2, LANE, (2,)), (3, FILM, (3,))])
def test_a_zoom_is_recovered_into_the_lane_it_was_in(
    clerk: Clerk, kept: int, lane: str, units: tuple[int, ...]
) -> None:
    """After the loss of the ledger the store tells which key frames exist."""
    clerk.ledger.keep_units("zoom", {unit: {"key": str(unit)} for unit in range(kept)})
    _submit(clerk)
    clerk.audit()
    assert clerk.claim(lane=lane).units == units


def test_a_film_that_waits_can_be_moved_and_canceled(clerk: Clerk) -> None:
    """Like any other job, in its own lane."""
    _submit(clerk)
    clerk.draw(clerk.claim())
    for verb, reason in (("reprioritise", "2"), ("front", ""), ("pause", ""), ("resume", "")):
        clerk.ledger.control("zoom", verb, reason)
        clerk.audit()
    clerk.ledger.control("zoom", "cancel")
    clerk.audit()
    assert clerk.ledger.waiting() == {}

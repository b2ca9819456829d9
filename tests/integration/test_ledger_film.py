"""A chain whose last unit waits in another lane: the film of a zoom."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.lane import FILM
from winepress_shared.ledger.records import UnitOutcome


def _submit(farm: AuditedFarm, units: int = 4) -> str:
    return farm.submit("zoom", units, kind="zoom-video", chained=True, last_lane=FILM)


def test_the_film_waits_in_its_own_lane_once_every_key_frame_is_there(farm: AuditedFarm) -> None:
    """Not before, and whoever stores the last key frame hears where the rest waits."""
    _submit(farm)
    slice_ = farm.claim()
    assert slice_.units == (0, 1, 2)
    assert farm.try_claim(lane=FILM) is None
    assert farm.draw(slice_) == [UnitOutcome.OK, UnitOutcome.OK, UnitOutcome.MOVED]
    farm.audit()
    assert farm.ledger.waiting() == {FILM: 1}
    assert farm.ledger.get("zoom").lane == FILM
    assert farm.try_claim() is None
    film = farm.claim(lane=FILM)
    assert film.units == (3,)
    assert farm.draw(film) == [UnitOutcome.LAST]
    assert farm.ledger.finish(film.fence) == "succeeded"
    assert farm.ledger.waiting() == {}


def test_key_frames_handed_back_stay_in_the_lane_of_their_model(farm: AuditedFarm) -> None:
    """A worker that leaves or dies between them moves nothing."""
    _submit(farm)
    slice_ = farm.claim()
    farm.draw_one(slice_, 0)
    farm.ledger.start(slice_.fence, 1)
    farm.lose(slice_)
    farm.audit()
    again = farm.claim(worker="w2")
    assert (again.units, again.attempts) == ((1,), 1)
    assert farm.draw(again) == [UnitOutcome.OK]
    rest = farm.claim(worker="w2")
    assert rest.units == (2,)
    assert farm.draw(rest) == [UnitOutcome.MOVED]
    farm.audit()


def test_a_film_that_fails_is_tried_again_in_its_lane_and_key_frames_are_kept(
    farm: AuditedFarm,
) -> None:
    """Up to the limit of attempts; a retry of the job cuts the film and draws nothing."""
    _submit(farm)
    farm.draw(farm.claim())
    for outcome in (UnitOutcome.RETRY, UnitOutcome.RETRY, UnitOutcome.LAST):
        farm.make_due("zoom")
        film = farm.claim(lane=FILM)
        farm.ledger.start(film.fence, 3)
        assert farm.fail(film, 3) is outcome
        farm.audit()
    farm.ledger.finish(film.fence, "told to")
    assert farm.state("zoom") == "failed"
    farm.ledger.control("zoom", "retry")
    farm.audit()
    assert farm.ledger.waiting() == {FILM: 1}
    assert farm.claim(lane=FILM).units == (3,)


@pytest.mark.parametrize(("kept", "lane", "units"), [(2, LANE, (2,)), (3, FILM, (3,))])
def test_a_zoom_is_recovered_into_the_lane_it_was_in(
    farm: AuditedFarm, kept: int, lane: str, units: tuple[int, ...]
) -> None:
    """After the loss of the ledger the store tells which key frames exist."""
    farm.ledger.keep_units("zoom", {unit: {"key": str(unit)} for unit in range(kept)})
    _submit(farm)
    farm.audit()
    assert farm.claim(lane=lane).units == units


def test_a_film_that_waits_can_be_moved_and_canceled(farm: AuditedFarm) -> None:
    """Like any other job, in its own lane."""
    _submit(farm)
    farm.draw(farm.claim())
    for verb, reason in (("reprioritise", "2"), ("front", ""), ("pause", ""), ("resume", "")):
        farm.ledger.control("zoom", verb, reason)
        farm.audit()
    farm.ledger.control("zoom", "cancel")
    farm.audit()
    assert farm.ledger.waiting() == {}

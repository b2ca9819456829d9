"""Units that were counted and have no object any more wait again, and nothing else changes."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.ledger.counted import CountedPictures
from winepress_shared.ledger.records import Directive, UnitOutcome
from winepress_shared.state import JobState


@pytest.fixture
def counted(farm: AuditedFarm) -> CountedPictures:
    return CountedPictures(farm.settings, farm.ledger._server)


def test_of_a_job_that_is_over_or_unknown_nothing_waits_again(
    farm: AuditedFarm, counted: CountedPictures
) -> None:
    """Nobody waits for its pictures."""
    farm.submit("job", 4)
    farm.draw(farm.claim(most=1))
    farm.ledger.control("job", "cancel")
    assert counted.draw_again("job", [0]) == (JobState.CANCELED, 0)
    assert counted.draw_again("nonesuch", [0]) == (None, 0)
    assert farm.ledger.get("job").done == 1


def test_only_what_was_counted_waits_again(farm: AuditedFarm, counted: CountedPictures) -> None:
    """Once, however often it is said, with a word in the events; slices in hand are left alone."""
    farm.submit("job", 8)
    farm.draw(farm.claim(most=2))
    slice_ = farm.claim(most=1)
    assert counted.draw_again("job", [1, 2, 7]) == (JobState.RUNNING, 1)
    assert counted.draw_again("job", [1]) == (JobState.RUNNING, 0)
    assert farm.ledger.waiting() == {LANE: 6}
    assert sorted(farm.ledger.outputs("job")) == [0]
    notes = [event.fields["message"] for event in farm.ledger.events("job") if event.name == "note"]
    assert notes == ["gone from the store, to be drawn again: 1"]
    farm.audit()
    assert farm.draw(slice_) == [UnitOutcome.OK]


def test_nobody_writes_the_result_of_a_job_that_lacks_pictures_again(
    farm: AuditedFarm, counted: CountedPictures
) -> None:
    """Whoever was about to do so is told at once, by the channel of its process."""
    farm.submit("job", 2)
    farm.draw(farm.claim())
    last = farm.claim()
    assert farm.draw(last) == [UnitOutcome.LAST]
    channel = farm.ledger.directives("w1/1")
    assert counted.draw_again("job", [0]) == (JobState.RUNNING, 1)
    told = [channel.get_message(timeout=1) for _ in range(3)]
    assert str(last.fence) in [message["data"] for message in told if message]
    channel.close()
    assert farm.ledger.finish(last.fence) == "lost"
    assert farm.claim(worker="w2").units == (0,)


def test_a_chain_goes_on_from_what_it_lost_first(
    farm: AuditedFarm, counted: CountedPictures
) -> None:
    """Whoever draws its rest builds on nothing, and what waits for a retry waits behind it."""
    farm.submit("zoom", 6, chained=True)
    slice_ = farm.claim(most=4)
    farm.draw(slice_, [0, 1, 2])
    assert counted.draw_again("zoom", [1]) == (JobState.RUNNING, 2)
    farm.audit()
    assert farm.ledger.start(slice_.fence, 3) is Directive.LOST
    again = farm.claim(worker="w2")
    assert again.units == (1,)
    farm.draw(again)
    following = farm.claim(worker="w2", most=2)
    assert following.units == (2, 3)
    farm.ledger.start(following.fence, 2)
    assert farm.fail(following, 2) is UnitOutcome.RETRY
    assert counted.draw_again("zoom", [0]) == (JobState.RUNNING, 2)
    farm.audit()
    assert farm.claim(worker="w2").units == (0,)


def test_a_chain_that_lacks_its_result_alone_is_drawn_again_to_its_end(
    farm: AuditedFarm, counted: CountedPictures
) -> None:
    """The last unit builds on those before it like any other."""
    farm.submit("zoom", 4, chained=True)
    slice_ = farm.claim()
    assert farm.draw(slice_)[-1] is UnitOutcome.LAST
    assert counted.draw_again("zoom", [1]) == (JobState.RUNNING, 3)
    assert farm.ledger.finish(slice_.fence) == "lost"
    assert set(farm.work_off()) == {"zoom"}
    assert farm.state("zoom") == "succeeded"

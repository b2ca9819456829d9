"""A slice whose first unit begins with its claim, in one round trip."""

from __future__ import annotations

import pytest
from clerk import Clerk

from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.records import Order, Slice, UnitOutcome

LANE = "vignette.fp16"


def claim(clerk: Clerk, most: int = 4) -> Slice:
    part = clerk.ledger.claim(LANE, "w1", holder_of("w1", 1), most, begin=True)
    assert part is not None
    return part


def attempts(clerk: Clerk, unit: int = 0) -> int:
    return int(clerk.redis.hget(clerk.key("attempts", "job"), str(unit)) or 0)


def started(clerk: Clerk) -> list[str]:
    events = clerk.ledger.events("job")
    return [event.fields["unit"] for event in events if event.name == "unit-started"]


def test_a_unit_begun_with_its_claim_is_counted_once(clerk: Clerk) -> None:
    """As if `start` had followed; to start it again counts nothing."""
    clerk.submit("job", 4)
    part = claim(clerk)
    assert (part.begun, part.attempts, attempts(clerk), started(clerk)) == (True, 0, 1, ["0"])
    assert clerk.ledger.start(part.fence, *part.units) is Order.OK
    assert [attempts(clerk, unit) for unit in part.units] == [1] * len(part.units)
    assert started(clerk) == [str(unit) for unit in part.units]


def test_a_slice_given_back_undrawn_costs_no_attempt(clerk: Clerk) -> None:
    """A pause, or a store that is away, is nobody's fault."""
    clerk.submit("job", 4)
    part = claim(clerk)
    clerk.ledger.release(part.fence, holder_of("w1", 1))
    assert attempts(clerk) == 0
    assert claim(clerk).begun


def test_a_worker_that_dies_over_it_has_tried_it(clerk: Clerk) -> None:
    """The attempt is in the ledger before the drawing; what was tried is begun apart."""
    clerk.submit("job", 1)
    claim(clerk)
    clerk.ledger.beat("w1", holder_of("w1", 2), {})  # another process in its place
    part = claim(clerk)
    assert (part.begun, part.attempts, attempts(clerk)) == (False, 1, 1)
    assert clerk.ledger.start(part.fence, 0) is Order.OK
    assert attempts(clerk) == 2


def test_a_claim_whose_answer_was_lost_begins_nothing_twice(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is repeated, and so is what was sent with it."""
    clerk.submit("job", 4)
    monkeypatch.setattr(
        "winepress_shared.ledger.ledger.secrets.token_hex", lambda size: "ab" * size
    )
    first = claim(clerk)
    again = claim(clerk)
    assert (again.fence, again.units, again.begun) == (first.fence, first.units, True)
    assert again.attempts == 0, "what it counted itself is no earlier attempt"
    other = clerk.ledger.claim("tiny-sd.fp16", "w1", holder_of("w1", 1), 4, begin=True)
    assert other is not None
    assert (other.fence, other.lane) == (first.fence, LANE), "a fault of it is not the other lane's"
    assert (attempts(clerk), started(clerk)) == (1, ["0"])


def test_nothing_is_begun_where_there_is_nothing(clerk: Clerk) -> None:
    """An empty lane, and a job of which only the result is missing."""
    assert clerk.ledger.claim(LANE, "w1", holder_of("w1", 1), 4, begin=True) is None
    clerk.submit("job", 1)
    part = claim(clerk)
    assert clerk.ledger.commit(part.fence, 0, {}) is UnitOutcome.LAST
    clerk.ledger.beat("w1", holder_of("w1", 2), {})
    part = claim(clerk)
    assert (part.finish, part.begun) == (True, False)
    clerk.ledger.finish(part.fence)


def test_scripts_that_the_server_has_lost_are_loaded_again(clerk: Clerk) -> None:
    """A restarted broker knows none; nothing is asked about it beforehand."""
    clerk.submit("job", 4)
    clerk.redis.script_flush()
    assert claim(clerk).begun


def test_a_report_overtaken_by_the_end_of_its_unit_changes_nothing(clerk: Clerk) -> None:
    """Steps are told in the background: watchers must not see a finished picture go back."""
    clerk.submit("job", 4)
    part = claim(clerk, 2)
    assert clerk.ledger.commit(part.fence, 0, {}) is UnitOutcome.OK
    before = clerk.ledger.events("job")
    assert clerk.ledger.progress(part.fence, 0, 20, 20) is Order.OK
    assert clerk.ledger.events("job") == before
    assert clerk.redis.hget(clerk.key("lease", part.fence), "step") == "0"

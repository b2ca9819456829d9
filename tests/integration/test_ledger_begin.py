"""A slice whose first unit begins with its claim, in one round trip."""

from __future__ import annotations

import pytest
from support.audited_farm import AuditedFarm

from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome

LANE = "vignette.fp16"


def claim(farm: AuditedFarm, most: int = 4) -> Slice:
    slice_ = farm.ledger.claim(LANE, "w1", holder_of("w1", 1), most, begin=True)
    assert slice_ is not None
    return slice_


def attempts(farm: AuditedFarm, unit: int = 0) -> int:
    return int(farm.redis.hget(farm.key("attempts", "job"), str(unit)) or 0)


def started(farm: AuditedFarm) -> list[str]:
    events = farm.ledger.events("job")
    return [event.fields["unit"] for event in events if event.name == "unit-started"]


def test_a_unit_begun_with_its_claim_is_counted_once(farm: AuditedFarm) -> None:
    """As if `start` had followed; to start it again counts nothing."""
    farm.submit("job", 4)
    slice_ = claim(farm)
    assert (slice_.begun, slice_.attempts, attempts(farm), started(farm)) == (True, 0, 1, ["0"])
    assert farm.ledger.start(slice_.fence, *slice_.units) is Directive.OK
    assert [attempts(farm, unit) for unit in slice_.units] == [1] * len(slice_.units)
    assert started(farm) == [str(unit) for unit in slice_.units]


def test_a_slice_given_back_undrawn_costs_no_attempt(farm: AuditedFarm) -> None:
    """A pause, or a store that is away, is nobody's fault."""
    farm.submit("job", 4)
    slice_ = claim(farm)
    farm.ledger.release(slice_.fence, holder_of("w1", 1))
    assert attempts(farm) == 0
    assert claim(farm).begun


def test_a_worker_that_dies_over_it_has_tried_it(farm: AuditedFarm) -> None:
    """The attempt is in the ledger before the drawing; what was tried is begun apart."""
    farm.submit("job", 1)
    claim(farm)
    farm.ledger.beat("w1", holder_of("w1", 2), {})  # another process in its place
    slice_ = claim(farm)
    assert (slice_.begun, slice_.attempts, attempts(farm)) == (False, 1, 1)
    assert farm.ledger.start(slice_.fence, 0) is Directive.OK
    assert attempts(farm) == 2


def test_a_claim_whose_answer_was_lost_begins_nothing_twice(
    farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is repeated, and so is what was sent with it."""
    farm.submit("job", 4)
    monkeypatch.setattr(
        "winepress_shared.ledger.requests.secrets.token_hex", lambda size: "ab" * size
    )
    first = claim(farm)
    again = claim(farm)
    assert (again.fence, again.units, again.begun) == (first.fence, first.units, True)
    assert again.attempts == 0, "what it counted itself is no earlier attempt"
    other = farm.ledger.claim("tiny-sd.fp16", "w1", holder_of("w1", 1), 4, begin=True)
    assert other is not None
    assert (other.fence, other.lane) == (first.fence, LANE), "a fault of it is not the other lane's"
    assert (attempts(farm), started(farm)) == (1, ["0"])


def test_nothing_is_begun_where_there_is_nothing(farm: AuditedFarm) -> None:
    """An empty lane, and a job of which only the result is missing."""
    assert farm.ledger.claim(LANE, "w1", holder_of("w1", 1), 4, begin=True) is None
    farm.submit("job", 1)
    slice_ = claim(farm)
    assert farm.ledger.commit(slice_.fence, 0, {}) is UnitOutcome.LAST
    farm.ledger.beat("w1", holder_of("w1", 2), {})
    slice_ = claim(farm)
    assert (slice_.finish, slice_.begun) == (True, False)
    farm.ledger.finish(slice_.fence)


def test_scripts_that_the_server_has_lost_are_loaded_again(farm: AuditedFarm) -> None:
    """A restarted broker knows none; nothing is asked about it beforehand."""
    farm.submit("job", 4)
    farm.redis.script_flush()
    assert claim(farm).begun


def test_a_report_overtaken_by_the_end_of_its_unit_changes_nothing(farm: AuditedFarm) -> None:
    """Steps are told in the background: watchers must not see a finished picture go back."""
    farm.submit("job", 4)
    slice_ = claim(farm, 2)
    assert farm.ledger.commit(slice_.fence, 0, {}) is UnitOutcome.OK
    before = farm.ledger.events("job")
    assert farm.ledger.progress(slice_.fence, 0, 20, 20) is Directive.OK
    assert farm.ledger.events("job") == before
    assert farm.redis.hget(farm.key("lease", slice_.fence), "step") == "0"

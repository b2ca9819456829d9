"""What a worker reports in any order, twice, or after its job has ended: each counts once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.audited_farm import AuditedFarm

from winepress_shared.ledger.records import UnitOutcome


def _held(farm: AuditedFarm, worker: str = "w1") -> list[int]:
    """The slices that the ledger takes a worker's first process to hold."""
    return [lease.fence for lease in farm.ledger.beat(worker, f"{worker}/1", {}).leases]


def test_units_of_a_slice_may_end_in_any_order(farm: AuditedFarm) -> None:
    """Pictures of one call are stored side by side, and one store is slower than another."""
    farm.submit("job", 12)
    slice_ = farm.claim(most=6)
    for unit in (5, 3, 1, 0, 4, 2):
        assert farm.draw(slice_, [unit]) == [UnitOutcome.OK]
        farm.audit()


def test_a_fault_that_comes_after_the_cancel_is_not_counted(farm: AuditedFarm) -> None:
    """The job has ended without it; who has reported all its units holds nothing any more."""
    farm.submit("job", 4)
    slice_ = farm.claim(most=2)
    farm.ledger.control("job", "cancel")
    assert [farm.fail(slice_, unit) for unit in slice_.units] == [UnitOutcome.CANCEL] * 2
    row = farm.ledger.get("job")
    assert (row.state, row.failed, farm.leftovers("job")) == ("canceled", 0, [])
    assert _held(farm) == []


def test_the_fault_that_ends_a_job_may_be_reported_twice(farm: AuditedFarm) -> None:
    """Also of the first picture; the repetition is no word about the result of the job."""
    farm.submit("job")
    slice_ = farm.claim()
    assert [farm.fail(slice_, 0, retry=False) for _ in range(2)] == [UnitOutcome.LAST] * 2
    assert farm.state("job") == "running"
    assert farm.ledger.finish(slice_.fence, "told to") == "failed"


def test_a_slice_without_a_result_is_over_with_its_job(farm: AuditedFarm) -> None:
    """Its worker has said that the result cannot be written, and is not asked about it again."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.draw(slice_)
    assert farm.fail(slice_, -1) is UnitOutcome.FAILED
    assert _held(farm) == []


def test_whoever_lost_a_slice_and_finishes_it_has_given_it_up(farm: AuditedFarm) -> None:
    """Its parent sees at the next heartbeat that it obeyed."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.draw(slice_)
    farm.lose(slice_)
    assert farm.ledger.finish(slice_.fence) == "lost"
    assert _held(farm) == []


@pytest.mark.parametrize("way", ["gives it back", "leaves", "is replaced", "does not name it"])
def test_what_a_lost_slice_had_open_waits_once(farm: AuditedFarm, way: str) -> None:
    """Whatever becomes of the process that lost it: its units may be in other hands by then."""
    farm.submit("job", 4)
    lost = farm.claim(most=2)
    farm.lose(lost)
    theirs = farm.claim(most=2, worker="w2")
    ways: dict[str, Callable[[], object]] = {
        "gives it back": lambda: farm.ledger.release(lost.fence, "w1/1"),
        "leaves": lambda: farm.ledger.leave("w1"),
        "is replaced": lambda: farm.ledger.beat("w1", "w1/2", {}),
        "does not name it": lambda: farm.ledger.disown("w1/1", {}),
    }
    ways[way]()
    farm.audit()
    assert farm.places("job")["leased"] == set(theirs.units)
    assert set(lost.units) <= farm.places("job")["retry"] | set(theirs.units)


def test_a_slice_that_is_given_back_leaves_no_word_about_units_that_it_does_not_blame(
    farm: AuditedFarm,
) -> None:
    """Without a fault, and of a job that is over, nothing is remembered of who failed."""
    farm.submit("canceled", 4)
    slice_ = farm.claim(most=2)
    farm.ledger.control("canceled", "cancel")
    farm.ledger.release(slice_.fence, "w1/1", unserved=slice_.units[0])
    farm.submit("job", 4)
    farm.ledger.release(farm.claim(most=2).fence, "w1/1")
    assert not farm.redis.exists(farm.key("failers", "canceled"), farm.key("failers", "job"))


def test_a_job_that_succeeded_has_no_reason(farm: AuditedFarm) -> None:
    """A worker may bring one for the case that a picture failed."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.draw(slice_)
    assert farm.ledger.finish(slice_.fence, "one failed") == "succeeded"
    assert farm.ledger.get("job").reason == ""

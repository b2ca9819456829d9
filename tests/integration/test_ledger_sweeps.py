"""Sweeps: what they end, what they keep after an outage, and what they remember."""

from __future__ import annotations

from support.audited_farm import AuditedFarm

from winepress_shared.ledger.ledger import GONE_MS, LEASE_MS, SWEEP_MS
from winepress_shared.ledger.records import UnitOutcome

DAY_S = 86_400
MOST_LOST = 1000


def _ago(farm: AuditedFarm, seconds: float) -> float:
    now, _ = farm.redis.time()
    return (now - seconds) * 1000


def test_a_heartbeat_says_whether_a_sweep_is_due(farm: AuditedFarm) -> None:
    """So that not every worker asks for one; a clock that was set back does not stop them."""

    def is_due() -> bool:
        return farm.ledger.beat("w1", "w1/1", {}).is_sweep_due

    assert is_due(), "nobody has swept yet"
    for last_s, due in ((-SWEEP_MS / 1000, True), (0, False), (3600, True)):
        farm.redis.set(farm.key("swept"), int(_ago(farm, -last_s)))
        assert is_due() is due
        assert (farm.ledger.sweep() is not None) is due


def test_what_a_dead_renderer_held_is_told_at_once_though_a_sweep_was_just_now(
    farm: AuditedFarm,
) -> None:
    """Its worker issues a ticket for it, and a free worker need not wait for the next sweep."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.ledger.beat("w1", "w1/1", {})
    assert farm.ledger.sweep() == []
    farm.ledger.beat("w1", "w1/2", {})
    assert farm.ledger.sweep() is None
    told = farm.ledger.sweep(at_once=True)
    assert told is not None
    assert [units for _, units, _ in told] == [1]
    assert farm.draw(slice_) == [UnitOutcome.LOST]


def test_a_farm_that_was_never_swept_has_had_no_outage(farm: AuditedFarm) -> None:
    """What has run out is ended by the first sweep."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.redis.zadd(farm.key("leases"), {str(slice_.fence): 1})
    farm.redis.delete(farm.key("swept"))
    assert farm.ledger.sweep() is not None
    assert farm.draw(slice_) == [UnitOutcome.LOST]


def test_a_pause_of_the_sweeps_shorter_than_half_a_lease_is_no_outage(farm: AuditedFarm) -> None:
    """Whoever was silent meanwhile could have been heard."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.redis.zadd(farm.key("leases"), {str(slice_.fence): 1})
    farm.redis.set(farm.key("swept"), int(_ago(farm, 0.4 * LEASE_MS / 1000)))
    assert farm.ledger.sweep() is not None
    assert farm.draw(slice_) == [UnitOutcome.LOST]


def test_after_an_outage_a_silent_worker_is_forgotten_one_lease_later(farm: AuditedFarm) -> None:
    """It could not beat; one that has beaten since keeps the time of that."""
    for worker in ("silent", "back"):
        farm.ledger.beat(worker, f"{worker}/1", {})
    farm.redis.zadd(farm.key("workers"), {"silent": 1})
    beaten = farm.redis.zscore(farm.key("workers"), "back")
    farm.sweep(after_outage=True)
    assert farm.redis.zscore(farm.key("workers"), "back") == beaten
    seen = farm.redis.zscore(farm.key("workers"), "silent")
    assert seen is not None
    left_ms = float(seen) + GONE_MS - _ago(farm, 0)
    assert LEASE_MS - 10_000 < left_ms <= LEASE_MS + 1000


def test_the_newest_thousand_lost_workers_of_a_day_are_remembered(farm: AuditedFarm) -> None:
    """Whoever looks wants to know who is missing, and not who was replaced last week."""
    lost = {f"w{number:04d}": _ago(farm, 3600 - number) for number in range(MOST_LOST + 2)}
    farm.redis.zadd(farm.key("lost"), lost)
    farm.sweep()
    assert farm.redis.zrange(farm.key("lost"), 0, -1) == sorted(lost)[2:]
    farm.redis.delete(farm.key("lost"))
    ages = {"today": _ago(farm, DAY_S - 60), "yesterday": _ago(farm, DAY_S + 60)}
    farm.redis.zadd(farm.key("lost"), ages)
    farm.sweep()
    assert farm.redis.zrange(farm.key("lost"), 0, -1) == ["today"]


def test_a_slice_of_a_job_whose_record_is_dropped_is_nobodys(farm: AuditedFarm) -> None:
    """A renderer that hangs on a canceled job may hold it for longer than the record is kept."""
    farm.submit("job", 2)
    slice_ = farm.claim()
    farm.ledger.control("job", "cancel")
    farm.redis.zadd(farm.key("old"), {"job": 1})
    farm.sweep()
    assert farm.draw(slice_) == [UnitOutcome.LOST]
    assert farm.redis.zcard(farm.key("leases")) == 0
    assert not farm.redis.exists(farm.key("slices"))
    assert not [*farm.redis.scan_iter(farm.key("*:job"))]


def test_a_lease_whose_record_has_lapsed_is_no_longer_held(farm: AuditedFarm) -> None:
    """A day after it was taken from a process that goes on to beat."""
    farm.submit("job", 4)
    frozen, kept = farm.claim(most=1), farm.claim(most=1)
    farm.lose(frozen)
    assert {lease.fence for lease in farm.ledger.beat("w1", "w1/1", {}).leases} == {
        frozen.fence,
        kept.fence,
    }
    farm.redis.delete(farm.key("lease", frozen.fence))
    farm.ledger.beat("w1", "w1/1", {})
    assert farm.redis.smembers(farm.key("held", "w1/1")) == {str(kept.fence)}


def test_a_deadline_whose_job_was_deleted_by_hand_stops_no_sweep(farm: AuditedFarm) -> None:
    """That is the remedy for a damaged record, and the sweep looks after all other jobs."""
    farm.submit("job", expires_in_ms=3_600_000)
    farm.redis.delete(farm.key("job", "job"))
    farm.redis.zadd(farm.key("expiries"), {"job": 1})
    farm.sweep()
    assert not farm.redis.exists(farm.key("expiries"))
    assert farm.try_claim() is None

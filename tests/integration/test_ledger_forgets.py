"""What the ledger forgets, and when: workers that never return, and jobs that are entered again."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.errors import RetryElsewhere
from winepress_shared.ledger.counted import CountedPictures
from winepress_shared.ledger.records import Directive, UnitOutcome

DAY_MS = 86_400_000
#: Kept for as long as the farm: counters, and who has been lost.
OF_THE_FARM = {"fence", "turn", "swept", "open", "old", "lost"} | {
    *("job_counts", "work_counts", "counted_pictures"),
}


def _left_ms(farm: AuditedFarm) -> dict[str, int]:
    """Key without the name of the farm → how long it will be there; -1: for ever."""
    prefix = len(farm.settings.farm) + 1
    return {name[prefix:]: farm.redis.pttl(name) for name in farm.redis.scan_iter(farm.key("*"))}


def _have_blocked(farm: AuditedFarm) -> None:
    """Let w2 fail at what w1 draws, of a job of eight."""
    farm.submit("job", 8)
    for unit in range(4):
        farm.ledger.start((failed := farm.claim(1, "w2")).fence, unit)
        farm.ledger.fail(failed.fence, unit, RetryElsewhere("x"), retry=True)
    farm.make_due("job")
    for _ in range(4):
        farm.draw(farm.claim(1))


@pytest.fixture
def counted(farm: AuditedFarm) -> CountedPictures:
    return CountedPictures(farm.settings, farm.ledger._server)


def test_all_that_is_known_of_a_worker_lapses_a_day_after_it_was_last_heard_of(
    farm: AuditedFarm,
) -> None:
    """Names of workers and processes change with every container: a farm of years stays small."""
    facts = {"device": "CPU", "lanes": [LANE]}
    farm.ledger.beat("w1", "w1/1", facts, "life")
    farm.ledger.beat("w2", "w2/1", facts)
    _have_blocked(farm)
    frozen = farm.claim(1)
    farm.ledger.describe_renderer("w1", {"warm": ["a.fp16"], "counts": {"x": 1}, "process": "p"})
    farm.ledger.beat("w1", "w1/1", facts, "life")
    farm.lose(frozen)
    farm.ledger.control("job", "cancel")
    for worker in ("w1", "w2"):
        farm.redis.zadd(farm.key("workers"), {worker: 1})
    farm.sweep()
    left = _left_ms(farm)
    of_w1 = {"held:w1/1", "processes:w1", f"lease:{frozen.fence}"}
    assert of_w1 <= set(left)
    of_the_job = {name for name in left if name.startswith(("job", "done:", "units:", "events:"))}
    kept = {name for name, left_ms in left.items() if left_ms < 0}
    assert kept - of_the_job - OF_THE_FARM == set()
    assert all(left_ms <= DAY_MS for name, left_ms in left.items() if name not in of_the_job)


def _live_once(farm: AuditedFarm) -> set[str]:
    """Have a worker do all there is; returns the names of what lapses when it falls silent."""
    farm.submit("job", 2)
    for slice_ in (farm.claim(1), farm.claim(1)):
        facts = {"warm": ["a.fp16"], "counts": {"x": 1}, "process": "p"}
        farm.ledger.describe_renderer("w1", facts)
        if slice_.units[0] == 0:
            farm.draw(slice_)
    return {"renderer:w1", "counted:w1", "held:w1/1", "processes:w1", "drew:w1"} | {
        *("warm_models:w1", "warm_workers:a.fp16"),
    }


def _lasting(farm: AuditedFarm) -> set[str]:
    return {name for name, ms in _left_ms(farm).items() if DAY_MS - 60_000 < ms <= DAY_MS}


def test_what_a_live_worker_is_known_by_does_not_lapse_while_it_beats(farm: AuditedFarm) -> None:
    """A job of days is drawn by one process."""
    names = _live_once(farm)
    for name in names:
        assert farm.redis.pexpire(farm.key(name), 10_000)
    farm.ledger.beat("w1", "w1/1", {})
    assert names <= _lasting(farm)


@pytest.mark.parametrize(("hours", "is_renewed"), [(1.0, True), (0.9, False), (-0.1, True)])
def test_once_an_hour_is_enough(farm: AuditedFarm, hours: float, is_renewed: bool) -> None:
    """It lapses after a day. After a clock was set back nobody knows how long ago that was."""
    names = {*_live_once(farm), "life:w1"}
    at_ms = 1000 * (farm.redis.time()[0] - int(hours * 3600))
    farm.redis.set(farm.key("life", "w1"), f"life {at_ms}")
    for name in names:
        assert farm.redis.pexpire(farm.key(name), 10_000)
    farm.ledger.beat("w1", "w1/1", {}, "life")
    assert (names & _lasting(farm)) == (names if is_renewed else set())


def test_a_process_holds_nothing_that_has_ended(farm: AuditedFarm) -> None:
    """It draws a hundred thousand slices between two of its starts."""
    farm.submit("job", 4)
    farm.work_off()
    assert farm.state("job") == "succeeded"
    assert not farm.redis.exists(farm.key("held", "w1/1"))


def test_a_process_that_was_replaced_is_not_asked_about_again(farm: AuditedFarm) -> None:
    """Each picture that kills its renderer makes one; every heartbeat would look at all of them."""
    farm.submit("job")
    farm.claim()
    farm.ledger.beat("w1", "w1/2", {})
    assert not farm.redis.exists(farm.key("processes", "w1"))


def test_what_workers_held_and_did_lapses_though_nobody_is_left_to_sweep(farm: AuditedFarm) -> None:
    """They were switched off one after the other, and the broker was not."""
    _have_blocked(farm)
    farm.ledger.describe_renderer("w1", {"warm": ["a.fp16"]})
    farm.claim(1, "w3")
    left = _left_ms(farm)
    names = {"warm_workers:a.fp16", "warm_models:w1", "drew:w1", "disproved:w2", "blocked:w2"} | {
        *("held:w3/1", "processes:w3"),
    }
    assert all(DAY_MS - 60_000 < left[name] <= DAY_MS for name in names)


def test_who_could_not_read_a_job_is_forgotten_when_it_may_try_again(farm: AuditedFarm) -> None:
    """A job may wait for days for the first worker of its version, and all look at it till then."""
    farm.submit("job")
    farm.ledger.release(farm.claim().fence, "w1/1", unserved=-2)
    assert farm.try_claim() is None
    assert 0 < _left_ms(farm)["unread:job"] <= 600_000


def test_a_job_that_is_entered_again_is_nobodys_who_held_it_before(
    farm: AuditedFarm, counted: CountedPictures
) -> None:
    """Else a picture would be counted for the old slice and for the new one."""
    farm.submit("job", 4)
    old = farm.claim(most=2)
    farm.ledger.control("job", "cancel")
    assert counted.forget("job")
    farm.submit("job", 4)
    new = farm.claim(most=4, worker="w2")
    assert farm.ledger.start(old.fence, 0) is Directive.LOST
    assert farm.ledger.commit(old.fence, 0, {}) is UnitOutcome.LOST
    farm.sweep()
    assert farm.draw(new)[0] is UnitOutcome.OK
    assert farm.ledger.get("job").done == len(new.units)


def test_only_a_job_that_has_ended_is_forgotten(
    farm: AuditedFarm, counted: CountedPictures
) -> None:
    """With every trace of it; one that is unknown is none."""
    farm.submit("job")
    farm.submit("other")
    assert not counted.forget("job")
    assert not counted.forget("nonesuch")
    farm.ledger.control("job", "cancel")
    farm.ledger.control("other", "cancel")
    assert counted.forget("job")
    assert [row.id for row in farm.ledger.jobs()] == ["other"]
    assert farm.redis.zrange(farm.key("old"), 0, -1) == ["other"]
    assert not [name for name in _left_ms(farm) if name.endswith(":job")]

"""A worker that fails at what others draw gets no more of it, unless nobody else is there."""

from __future__ import annotations

import math

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.command_line import Run, lines

from winepress_shared.ledger.lanes import LaneIndex

GOOD, BAD = "good", "bad"


@pytest.fixture
def two(farm: AuditedFarm) -> AuditedFarm:
    """A farm with a good and a bad worker."""
    for name in (GOOD, BAD):
        farm.ledger.beat(name, f"{name}/1", {"device": "CPU", "lanes": [LANE]})
    return farm


def _fail(farm: AuditedFarm, job: str, *, is_due: bool = True) -> None:
    """The bad worker fails at the one unit of a job, which may be tried again if it ``is_due``."""
    slice_ = farm.claim(most=1, worker=BAD)
    assert slice_.job_id == job
    farm.ledger.start(slice_.fence, 0)
    farm.fail(slice_, 0)
    if is_due:
        farm.make_due(job)


def _draw(farm: AuditedFarm, worker: str) -> None:
    slice_ = farm.claim(most=1, worker=worker)
    farm.draw(slice_)
    farm.ledger.finish(slice_.fence)


def _disprove(farm: AuditedFarm, *jobs: str) -> None:
    """What the bad worker fails at the good one draws."""
    for job in jobs:
        farm.submit(job)
        _fail(farm, job)
        _draw(farm, GOOD)


@pytest.mark.case(42)
def test_a_worker_that_fails_at_what_another_draws_is_blocked(two: AuditedFarm) -> None:
    """After the third time, until it is unblocked; everything is drawn by the other one."""
    _disprove(two, "a", "b", "c")
    two.submit("d")
    assert two.try_claim(worker=BAD) is None
    assert two.state("a") == two.state("c") == "succeeded"
    assert LaneIndex(two.settings).unblock(BAD) == 1
    assert two.claim(worker=BAD).job_id == "d"


@pytest.mark.case(42)
def test_the_last_worker_of_a_lane_is_never_blocked(two: AuditedFarm) -> None:
    """Drawn with failures is better than not drawn; nor does a dead worker count."""
    _disprove(two, "a", "b", "c")
    two.submit("d")
    two.redis.zadd(two.key("workers"), {GOOD: 1})
    assert two.claim(worker=BAD).job_id == "d"


def test_a_job_at_which_everybody_fails_blocks_nobody(two: AuditedFarm) -> None:
    """It is the job's fault, and no worker's."""
    for job in ("a", "b", "c", "d"):
        two.submit(job)
        _fail(two, job)
        slice_ = two.claim(most=1, worker=GOOD)
        two.ledger.start(slice_.fence, 0)
        two.fail(slice_, 0, retry=False)
        two.ledger.finish(slice_.fence, "told to")
    two.submit("e")
    assert two.claim(worker=BAD).job_id == "e"


@pytest.mark.parametrize("begun", [False, True])
def test_who_gives_a_picture_back_has_not_failed_at_it(two: AuditedFarm, begun: bool) -> None:
    """Its farm pauses, or it is told to stop; that another one failed at it before is no matter."""
    two.ledger.beat("third", "third/1", {"device": "CPU", "lanes": [LANE]})
    for job in ("a", "b", "c"):
        two.submit(job)
        two.ledger.start((failed := two.claim(most=1, worker="third")).fence, 0)
        two.fail(failed, 0)
        two.make_due(job)
        slice_ = two.claim(most=1, worker=BAD)
        if begun:
            two.ledger.start(slice_.fence, 0)
        two.ledger.release(slice_.fence, f"{BAD}/1")
        _draw(two, GOOD)
    two.submit("d")
    assert two.claim(worker=BAD).job_id == "d"


def test_a_worker_that_draws_between_its_failures_is_not_blocked(two: AuditedFarm) -> None:
    """One picture in a hundred may fail on any device."""
    for job in ("a", "b", "c", "d"):
        _disprove(two, job)
        two.submit(f"own-{job}")
        _draw(two, BAD)
    two.submit("e")
    assert two.claim(worker=BAD).job_id == "e"


def test_pictures_that_others_draw_late_tell_of_no_later_failure(two: AuditedFarm) -> None:
    """A hail of kills hits a good worker again and again, and it draws between the blows."""
    for job in ("a", "b", "c"):
        two.submit(job)
        _fail(two, job, is_due=False)
        two.submit(f"own-{job}")
        _draw(two, BAD)
    _draw_late(two, "a", "b", "c")
    two.submit("d")
    assert two.claim(worker=BAD).job_id == "d"


def test_a_block_is_short_at_first_and_twice_as_long_each_time(two: AuditedFarm) -> None:
    """So that whoever was only unlucky is soon back, and who is broken is hardly ever asked."""
    _disprove(two, "a", "b", "c")
    lengths = [_blocked_s(two)]
    for number in range(6):
        two.redis.zadd(two.key("blocked", BAD), {LANE: 1})
        _disprove(two, f"again-{number}")
        lengths.append(_blocked_s(two))
    assert lengths == [30, 60, 120, 240, 480, 600, 600]
    two.redis.zadd(two.key("blocked", BAD), {LANE: 1})
    two.submit("own")
    _draw(two, BAD)
    _disprove(two, "x", "y", "z")
    assert _blocked_s(two) == 30


def _draw_late(farm: AuditedFarm, *jobs: str) -> None:
    """The good worker draws what the bad one failed at."""
    for job in jobs:
        farm.make_due(job)
        _draw(farm, GOOD)


def _blocked_s(farm: AuditedFarm) -> int:
    """For how long the bad worker is blocked from now on, in tens of seconds."""
    until = farm.redis.zscore(farm.key("blocked", BAD), LANE)
    seconds, micros = farm.redis.time()
    assert until is not None
    return 10 * math.ceil((float(until) / 1000 - seconds - micros / 1e6) / 10)


def test_what_is_drawn_during_a_block_does_not_lengthen_it(two: AuditedFarm) -> None:
    """It may have failed at many pictures before others came to draw them."""
    jobs = ("a", "b", "c", "d", "e")
    for job in jobs:
        two.submit(job)
        _fail(two, job, is_due=False)
    _draw_late(two, *jobs)
    assert _blocked_s(two) == 30


def test_nothing_is_left_to_a_blocked_worker(two: AuditedFarm) -> None:
    """Else it would lie there for a minute: the one gets nothing, and the other waits for it."""
    _disprove(two, "a", "b", "c")
    two.submit("d")
    slice_ = two.claim(most=1, worker=GOOD)
    two.ledger.start(slice_.fence, 0)
    two.lose(slice_)
    assert two.try_claim(worker=BAD) is None
    assert two.claim(worker=GOOD).job_id == "d"


def test_a_blocked_worker_leaves_the_tickets_of_its_lane_to_others(two: AuditedFarm) -> None:
    """Each that it took would call nobody."""
    _disprove(two, "a", "b", "c")
    two.submit("d")
    assert two.try_claim(worker=BAD) is None
    shunned = [LaneIndex(two.settings).look(worker)[0][0].is_shunned for worker in (BAD, GOOD)]
    assert shunned == [True, False]


def test_a_block_is_seen_and_ended(
    two: AuditedFarm, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `workers` and `doctor`, with the remedy; a worker that starts again is free too."""
    _disprove(two, "a", "b", "c")
    monkeypatch.setenv("WINEPRESS_FARM", two.settings.farm)
    assert f"gets nothing more of {LANE} for 0:" in run("workers").stdout
    (bad,) = [one for one in lines(run("workers", "--json")) if one["name"] == BAD]
    assert list(bad["blocked"]) == [LANE]
    doctor = run("doctor")
    assert "--unblock bad" in doctor.stdout
    assert run("workers", "--unblock", BAD).returncode == 0
    assert f"gets nothing more of {LANE}" not in run("workers").stdout
    _disprove(two, "d", "e", "f")
    two.ledger.leave(BAD)
    two.ledger.beat(BAD, f"{BAD}/2", {"device": "CPU", "lanes": [LANE]})
    two.submit("g")
    assert two.claim(worker=BAD).job_id == "g"

"""Slices of several jobs, given out together because their pictures can share a call."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.servers import ValkeyServer

from winepress_shared.ledger.ledger import MAX_ATTEMPTS, holder_of
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome

INTERACTIVE, NORMAL, BULK = 0, 1, 2


def like(farm: AuditedFarm, job: str, units: int = 1, **fields: object) -> str:
    return farm.submit(job, units, alike="a1", **fields)


def claim(
    farm: AuditedFarm, together: int = 4, *, most: int = 1000, worker: str = "w1", pid: int = 1
) -> list[Slice]:
    return farm.ledger.claim_together(LANE, worker, holder_of(worker, pid), most, together)


def jobs(slices: list[Slice]) -> list[str]:
    return [slice_.job_id for slice_ in slices]


def begin(farm: AuditedFarm, slices: list[Slice]) -> list[Directive]:
    """Start the first unit of each, as for one call."""
    return farm.ledger.start_together([(slice_.fence, slice_.units[0]) for slice_ in slices])


# -- who is given out --------------------------------------------------------------------------


def test_like_jobs_of_several_users_are_given_out_in_the_order_of_single_claims(
    farm: AuditedFarm,
) -> None:
    """Users take turns and a better priority is first, whether asked for one or for four."""
    waiting = [("a1", BULK), ("a2", NORMAL), ("a3", NORMAL), ("b1", NORMAL), ("c1", INTERACTIVE)]
    waiting += [("b2", BULK), ("a4", NORMAL), ("c2", BULK)]
    for job, priority in waiting:
        like(farm, job, user=job[0], priority=priority)
    together = [jobs(slices) for slices in iter(lambda: claim(farm), [])]
    assert together == [["c1", "a2", "b1", "a3"], ["a4", "a1", "b2", "c2"]]
    for job, priority in waiting:
        like(farm, f"{job}-again", user=job[0], priority=priority)
    single = [slice_.job_id for slice_ in iter(farm.try_claim, None)]
    assert single == [f"{job}-again" for slices in together for job in slices]
    farm.audit()


@pytest.mark.parametrize("alike", [None, "a2"])
def test_the_first_job_in_order_that_is_not_alike_ends_it(
    farm: AuditedFarm, alike: str | None
) -> None:
    """Nobody is overtaken for the sake of a full call."""
    like(farm, "j1")
    like(farm, "j2")
    farm.submit("other", alike=alike)
    like(farm, "j3")
    assert [jobs(claim(farm)) for _ in range(3)] == [["j1", "j2"], ["other"], ["j3"]]


def test_no_more_units_are_given_out_than_the_call_takes(farm: AuditedFarm) -> None:
    """Of the last job as many as there is room for; a job of a full call is alone."""
    like(farm, "j1", 2)
    like(farm, "j2", 40, user="bob")
    slices = claim(farm)
    assert [(one.job_id, one.units) for one in slices] == [("j1", (0,)), ("j2", (0, 1, 2))]
    slices = claim(farm, most=9)
    assert [(one.job_id, one.units) for one in slices] == [("j1", (1,)), ("j2", (3, 4, 5))]
    assert [len(one.units) for one in claim(farm, most=9)] == [9]


def test_several_workers_share_the_last_jobs(farm: AuditedFarm) -> None:
    """A worker that is free must not find that another one has taken all of them."""
    for worker in ("w1", "w2"):
        farm.ledger.beat(worker, holder_of(worker, 1), {"lanes": [LANE]})
    for number in range(4):
        like(farm, f"j{number}")
    assert jobs(claim(farm)) == ["j0", "j1"]
    assert jobs(claim(farm, worker="w2")) == ["j2"]


def test_the_limit_of_a_users_slices_holds_within_a_claim(valkey_server: ValkeyServer) -> None:
    """The next user goes on; nobody is set aside who may have more afterwards."""
    farm = AuditedFarm(valkey_server.url, user_running_limit=2)
    for number in range(3):
        like(farm, f"a{number}", user="a")
    assert jobs(claim(farm)) == ["a0", "a1"]
    farm.audit()
    assert jobs(claim(farm)) == ["a2"]
    farm.close()


def test_a_job_that_may_not_be_drawn_now_joins_no_call(farm: AuditedFarm) -> None:
    """Paused, due later, past its deadline, waiting for its result alone, or a chain."""
    like(farm, "drawn")
    assert farm.draw(farm.claim()) == [UnitOutcome.LAST]
    farm.ledger.beat("w1", holder_of("w1", 2), {})  # its worker died before it wrote the result
    for job, fields in (
        ("first", {}),
        ("paused", {}),
        ("later", {"starts_in_ms": 3_600_000}),
        ("expired", {}),
        ("last", {}),
    ):
        like(farm, job, **fields)
    farm.ledger.control("paused", "pause")
    farm.pass_deadline("expired", swept=False)
    like(farm, "chain", 3, chained=True)
    assert [jobs(claim(farm, pid=3)) for _ in range(4)] == [
        ["drawn"],
        ["first"],
        ["last"],
        ["chain"],
    ]
    assert farm.state("expired") == "expired"


def test_a_claim_whose_answer_was_lost_gets_all_its_slices_again(
    farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the one of them that was begun with it stays begun once."""
    for number in range(5):
        like(farm, f"j{number}")
    name = "winepress_shared.ledger.requests.secrets.token_hex"
    monkeypatch.setattr(name, lambda size: "ab" * size)
    terms = (LANE, "w1", holder_of("w1", 1), 1000, 4)
    first = farm.ledger.claim_together(*terms, begin=True)
    assert farm.ledger.claim_together(*terms, begin=True) == first
    assert jobs(first) == ["j0", "j1", "j2", "j3"]
    assert [slice_.begun for slice_ in first] == [True, False, False, False]
    assert begin(farm, first) == [Directive.OK] * 4
    assert [farm.redis.hget(farm.key("attempts", job), "0") for job in jobs(first)] == ["1"] * 4


def test_all_but_the_first_slice_of_a_claim_give_way(farm: AuditedFarm) -> None:
    """A better priority that came meanwhile waits for the call in hand, not for the claim."""
    farm.ledger.beat("w1", holder_of("w1", 1), {"lanes": [LANE]})
    for number in range(3):
        like(farm, f"j{number}")
    slices = claim(farm)
    farm.submit("urgent", user="bob", priority=INTERACTIVE)
    assert begin(farm, slices) == [Directive.OK, Directive.GIVE_WAY, Directive.GIVE_WAY]
    for slice_ in slices[1:]:
        farm.ledger.release(slice_.fence, "w1/1")
    assert farm.claim().job_id == "urgent"
    assert jobs(claim(farm)) == ["j1", "j2"]


# -- whose attempt counts ----------------------------------------------------------------------


def die(farm: AuditedFarm, pid: int, slices: list[Slice]) -> None:
    """The process is replaced."""
    farm.ledger.beat("w1", holder_of("w1", pid + 1), {})


def lose_leases(farm: AuditedFarm, pid: int, slices: list[Slice]) -> None:
    """The whole machine is lost."""
    farm.lose(*slices)


def lose_one_after_the_other(farm: AuditedFarm, pid: int, slices: list[Slice]) -> None:
    """The same, but the last lease was granted after the last beat, and ends later."""
    for slice_ in slices:
        farm.lose(slice_)


DEATHS = [die, lose_leases, lose_one_after_the_other]
Death = Callable[[AuditedFarm, int, list[Slice]], None]


@pytest.mark.parametrize("death", DEATHS)
def test_a_unit_that_kills_its_worker_takes_no_attempt_of_its_company(
    farm: AuditedFarm, death: Death
) -> None:
    """Each of the call is given out alone afterwards; three deaths alone give up the one."""
    names = ["j0", "poison", "j2", "j3"]
    for name in names:
        like(farm, name)
    deaths, tried = 0, {}
    for pid in range(1, 50):
        slices = claim(farm, pid=pid)
        if not slices:
            break
        if slices[0].finish:
            farm.ledger.finish(slices[0].fence)
            continue
        begin(farm, slices)
        tried[tuple(jobs(slices))] = slices[0].attempts
        if "poison" in jobs(slices):
            deaths += 1
            death(farm, pid, slices)
            farm.make_due("poison")
            continue
        for slice_ in slices:
            assert farm.draw(slice_) == [UnitOutcome.LAST]
            assert farm.ledger.finish(slice_.fence) == "succeeded"
    assert tried == {tuple(names): 0, ("j0",): 0, ("poison",): MAX_ATTEMPTS - 1} | {
        ("j2",): 0,
        ("j3",): 0,
    }
    assert deaths == 1 + MAX_ATTEMPTS
    assert "died 3 times" in farm.ledger.outputs("poison")[0]["message"]


def test_neighbours_within_a_job_are_treated_like_those_of_other_jobs(farm: AuditedFarm) -> None:
    """So is a picture that was drawn before and is still on its way to the store."""
    farm.submit("job", 8)
    slice_ = farm.claim(4)
    for unit in (0, 1, 2):
        farm.ledger.start(slice_.fence, unit)
    farm.lose(slice_)
    again = [farm.claim(4, "w2") for _ in range(4)]
    assert [(one.units, one.attempts, one.alone) for one in again] == [
        ((0,), 0, True),
        ((1,), 0, True),
        ((2,), 0, True),
        ((3,), 0, False),
    ]


def test_slices_that_were_not_begun_have_no_part_in_a_death(farm: AuditedFarm) -> None:
    """The one in hand was alone, so it counts; the others wait as if never given out."""
    for number in range(3):
        like(farm, f"j{number}")
    slices = claim(farm)
    begin(farm, slices[:1])
    die(farm, 1, slices)
    assert (farm.claim(pid=2).attempts, jobs(claim(farm, pid=2))) == (1, ["j1", "j2"])


def test_a_load_that_kills_its_worker_counts_for_the_first_slice_alone(farm: AuditedFarm) -> None:
    """The others of the claim were not what it loaded for."""
    for number in range(3):
        like(farm, f"j{number}")
    die(farm, 1, claim(farm))
    first = claim(farm, pid=2)
    assert [(one.job_id, one.attempts, one.alone) for one in first] == [("j0", 1, True)]
    assert [one.alone for one in claim(farm, pid=2)] == [False, False]


def test_what_was_given_back_is_marked_only_if_it_was_before(farm: AuditedFarm) -> None:
    """A pause clears nobody and blames nobody."""
    for number in range(2):
        like(farm, f"j{number}")
    for _ in range(2):
        slices = claim(farm)
        begin(farm, slices)
        assert [slice_.alone for slice_ in slices] == [False, False]
        for slice_ in slices:
            farm.ledger.release(slice_.fence, "w1/1")
    slices = claim(farm)
    begin(farm, slices)
    die(farm, 1, slices)
    for _ in range(2):
        suspect = farm.claim(pid=2)
        assert (suspect.attempts, suspect.alone) == (0, True)
        farm.ledger.start(suspect.fence, 0)
        farm.ledger.release(suspect.fence, "w1/2")


def test_a_lease_that_was_lost_before_is_no_company(farm: AuditedFarm) -> None:
    """A process that thaws and goes on has one unit in hand, whatever it had before."""
    like(farm, "j0", 2)
    frozen = farm.claim(1)
    farm.ledger.start(frozen.fence, 0)
    farm.lose(frozen)
    alone = farm.claim()
    assert alone.attempts == 1
    farm.ledger.start(alone.fence, 0)
    farm.lose(alone)
    assert farm.claim().attempts == 2


def test_a_beat_says_whether_several_units_are_in_hand(farm: AuditedFarm) -> None:
    """Then nobody can say which of them is stuck."""
    for number in range(2):
        like(farm, f"j{number}")
    slices = claim(farm)
    begin(farm, slices[:1])
    assert not farm.ledger.beat("w1", "w1/1", {}).is_shared
    begin(farm, slices)
    assert farm.ledger.beat("w1", "w1/1", {}).is_shared
    farm.draw(slices[0])
    assert not farm.ledger.beat("w1", "w1/1", {}).is_shared

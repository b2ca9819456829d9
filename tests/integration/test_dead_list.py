"""Pictures that were given up: listed with the reason, retried as the job goes on, or dropped."""

from __future__ import annotations

import pytest
from support.audited_farm import AuditedFarm
from support.command_line import Run, lines
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client
from winepress_shared.errors import BadOutput, Conflict
from winepress_shared.ledger.records import UnitOutcome


def _give_up(farm: AuditedFarm, *units: int) -> None:
    """Take the next slice, draw it but for some units, and give those up."""
    slice_ = farm.claim(most=4)
    for unit in slice_.units:
        farm.ledger.start(slice_.fence, unit)
        if unit in units:
            farm.fail(slice_, unit, retry=False)
        else:
            farm.ledger.commit(slice_.fence, unit, {"key": f"k{unit}"})


def test_what_a_job_gave_up_is_tried_again_while_it_goes_on(farm: AuditedFarm) -> None:
    """Nobody waits for the end of ten thousand pictures to repeat one."""
    farm.submit("job", 12)
    _give_up(farm, 1, 3)
    before = farm.ledger.get("job")
    assert (before.state, before.failed) == ("running", 2)
    farm.ledger.control("job", "retry")
    assert farm.ledger.get("job").failed == 0
    farm.audit()
    assert farm.work_off()
    row = farm.ledger.get("job")
    assert (row.state, row.done, row.failed) == ("succeeded", 12, 0)


def test_a_job_without_anything_given_up_is_not_retried(farm: AuditedFarm) -> None:
    """Nor one whose last picture has ended, until its result is written."""
    farm.submit("job", 4)
    with pytest.raises(Conflict):
        farm.ledger.control("job", "retry")
    slice_ = farm.claim()
    units = list(slice_.units)
    while len(units) < 4:
        farm.draw(slice_)
        slice_ = farm.claim()
        units += slice_.units
    farm.draw(slice_, slice_.units[:-1])
    farm.ledger.start(slice_.fence, 3)
    assert farm.fail(slice_, 3, retry=False) is UnitOutcome.LAST
    with pytest.raises(Conflict):
        farm.ledger.control("job", "retry")
    assert farm.ledger.finish(slice_.fence, "one failed") == "failed"


def test_a_job_that_gave_up_as_much_as_it_drew_has_begun(farm: AuditedFarm) -> None:
    """It is not queued again because nobody draws it at the moment."""
    farm.submit("job", 12)
    _give_up(farm, 1, 3)
    farm.ledger.release(farm.claim().fence, "w1/1")
    row = farm.ledger.get("job")
    assert (row.state, row.done, row.failed) == ("running", 2, 2)


def test_the_dead_are_listed_until_they_are_retried_or_dropped(
    run: Run, client: Client, manual_worker: ManualWorker
) -> None:
    """With the reason of each picture, for people and for programs; nothing else is changed."""
    manual_worker.live(LANE)
    assert "no picture was given up" in run("list", "--dead").stderr
    fine, failing, other = client.submit_many([apple(), apple(n=2), apple(n=2)])
    manual_worker.work(LANE, most=1)
    manual_worker.work(LANE, failing={1})
    assert [one["id"] for one in lines(run("list", "--dead", "--json"))] == [other.id, failing.id]
    (first, _) = lines(run("list", "--dead", "--json"))
    assert first["failures"] == [{"unit": 1, "error": "FailForGood", "message": "told to"}]
    shown = run("list", "--dead").stdout
    assert "picture 2: FailForGood: told to" in shown
    assert fine.id not in shown
    assert "winepress list --dead" in run("doctor").stdout
    assert run("drop", other.id).stdout == f"{other.id} failed\n"
    run("retry", failing.id)
    assert "no picture was given up" in run("list", "--dead").stderr
    manual_worker.work(LANE)
    assert client.get(failing.id).status().state == "succeeded"
    assert client.get(other.id).status().failed == 1
    assert run("list", "--dead", "--state", "failed").returncode == 2


def test_what_is_no_picture_is_drawn_once_more(farm: AuditedFarm) -> None:
    """By another worker, where there is one: if it is none then either, the job is at fault."""
    farm.submit("job", 2)
    ends = []
    for worker in ("w1", "w2"):
        slice_ = farm.claim(most=1, worker=worker)
        assert slice_.units == (0,)
        farm.ledger.start(slice_.fence, 0)
        ends.append(farm.ledger.fail(slice_.fence, 0, BadOutput("all one colour"), retry=True))
        farm.make_due("job")
    assert ends == [UnitOutcome.RETRY, UnitOutcome.FAILED]
    assert farm.ledger.outputs("job")[0]["error"] == "BadOutput"

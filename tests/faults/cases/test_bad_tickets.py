"""Tickets that are lost, copied or forged, and jobs that are submitted twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults.harness.farm import StruckFarm, await_true
from faults.harness.verifier import verify

from winepress import TextToImage

_COPIES = 100
_TWINS = 10


def _queue(farm: StruckFarm) -> str:
    return farm.key("queue:vignette.fp16")


@pytest.mark.case(4)
@pytest.mark.lengthy
def test_a_ticket_that_dies_with_a_worker_on_its_way_is_issued_again(farm: StruckFarm) -> None:
    """A frozen worker has asked for it: the broker hands it over, and then it is killed."""
    farm.submit(1)
    ticket = farm.broker.lindex(_queue(farm), 0)
    (frozen,) = farm.start_workers(1)
    farm.await_ended()
    frozen.keep(kept=False)

    def is_taken_by_a_frozen_worker() -> bool:
        frozen.freeze()
        farm.broker.lpush(_queue(farm), ticket)
        if not farm.broker.llen(_queue(farm)):
            return True
        farm.broker.delete(_queue(farm))  # between two of its requests for tickets
        frozen.freeze(thaw=True)
        return False

    await_true(is_taken_by_a_frozen_worker)
    farm.submit(1)
    farm.broker.delete(_queue(farm))  # so that the job has the lost ticket alone
    frozen.kill_group()
    farm.start_workers(1)
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(27)
def test_a_hundred_copies_of_a_ticket_draw_a_picture_once(farm: StruckFarm) -> None:
    """Whoever holds a ticket asks the ledger, and the ledger hands out each picture once."""
    farm.submit(2, n=2)
    ticket = farm.broker.lindex(_queue(farm), 0)
    assert isinstance(ticket, bytes)
    farm.broker.lpush(_queue(farm), *[ticket] * _COPIES)
    farm.start_workers(2)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    account.assert_begun_once()


@pytest.mark.case(26)
@pytest.mark.lengthy
def test_ten_submissions_at_once_under_one_key_are_one_job(farm: StruckFarm) -> None:
    """As clients do whose first answer was lost."""
    job = TextToImage(prompt="twin", seed=1, width=64, height=64, num_inference_steps=2)
    with ThreadPoolExecutor(_TWINS) as pool:
        calls = [
            pool.submit(farm.client.submit, job, idempotency_key="twin") for _ in range(_TWINS)
        ]
        ids = {call.result().id for call in calls}
    assert len(ids) == 1
    assert [row.id for row in farm.client.list()] == [*ids]
    farm.start_workers(1)
    farm.submit_jobs([])
    await_true(lambda: not farm.open_units())
    assert farm.witness.drawn().total() == 1


@pytest.mark.case(31)
@pytest.mark.lengthy
@pytest.mark.parametrize("kind", ["unknown-task", "other-version", "no-lane"])
def test_a_forged_ticket_harms_nobody(farm: StruckFarm, kind: str) -> None:
    """A worker drops it and goes on with the lane."""
    farm.submit(1)
    ticket = farm.broker.lindex(_queue(farm), 0)
    assert isinstance(ticket, bytes)
    forged = json.loads(ticket)
    if kind == "unknown-task":
        forged["headers"]["task"] = "winepress.unknown"
    elif kind == "other-version":
        forged["body"] = json.dumps([[], {"lane": "vignette.fp16", "new": 1}, {}])
        forged["properties"]["body_encoding"] = "utf-8"
    else:
        forged["body"] = json.dumps([[], {}, {}])
    farm.broker.rpush(_queue(farm), json.dumps(forged))  # the next to be taken
    farm.start_workers(1)
    farm.submit(1)
    farm.await_ended()
    verify(farm).assert_kept()

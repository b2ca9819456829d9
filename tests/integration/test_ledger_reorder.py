"""Changing the place of a job that waits."""

from __future__ import annotations

import pytest
from support.audited_farm import AuditedFarm

from winepress import Client, Priority, TextToImage
from winepress_shared.errors import Conflict, NotFound


def test_a_job_moved_to_the_front_goes_before_the_others_of_its_user(farm: AuditedFarm) -> None:
    """The latest moved comes first; the list of jobs keeps the order of submission."""
    for job in ("a1", "a2", "a3", "a4"):
        farm.submit(job)
    farm.ledger.control("a3", "front")
    farm.ledger.control("a4", "front")
    assert [row.id for row in farm.ledger.jobs()] == ["a4", "a3", "a2", "a1"]
    farm.audit()
    assert farm.work_off() == ["a4", "a3", "a1", "a2"]


def test_moving_a_job_to_the_front_takes_no_turn_from_other_users(farm: AuditedFarm) -> None:
    """Fairness between users stays as it was."""
    for job in ("a1", "b1", "a2", "b2"):
        farm.submit(job, user=job[0])
    farm.ledger.control("b2", "front")
    assert farm.work_off() == ["a1", "b2", "a2", "b1"]


def test_a_paused_job_keeps_its_place_at_the_front(farm: AuditedFarm) -> None:
    """It may be moved while it does not wait."""
    for job in ("a1", "a2"):
        farm.submit(job)
    farm.ledger.control("a2", "pause")
    farm.ledger.control("a2", "front")
    farm.audit()
    farm.ledger.control("a2", "resume")
    assert farm.work_off() == ["a2", "a1"]


def test_a_job_with_a_new_priority_is_served_with_the_others_of_it(farm: AuditedFarm) -> None:
    """Units in hand go on, what waits moves; the books stay in order."""
    farm.submit("first", 4, priority=1)
    farm.submit("bulk", 2, priority=2)
    slice_ = farm.claim(most=1)
    farm.ledger.control("bulk", "reprioritise", "0")
    farm.ledger.control("first", "reprioritise", "2")
    farm.audit()
    farm.draw(slice_)
    assert farm.work_off() == ["bulk", "bulk", "first", "first"]
    assert farm.state("first") == farm.state("bulk") == "succeeded"


def test_a_job_that_is_over_cannot_be_moved(farm: AuditedFarm) -> None:
    """Nor one that does not exist."""
    farm.submit("done")
    farm.work_off()
    for verb, word in (("front", ""), ("reprioritise", "0")):
        with pytest.raises(Conflict):
            farm.ledger.control("done", verb, word)
        with pytest.raises(NotFound):
            farm.ledger.control("nothing", verb, word)


def test_a_client_moves_jobs(client: Client) -> None:
    """The row shows the new priority."""
    handle = client.submit(TextToImage(prompt="a cat", priority=Priority.BULK))
    client.reprioritise(handle.id, Priority.INTERACTIVE)
    client.front(handle.id)
    assert handle.status().priority is Priority.INTERACTIVE

"""Changing the place of a job that waits."""

from __future__ import annotations

import pytest
from clerk import Clerk

from winepress import Client, Priority, TextToImage
from winepress_shared.errors import Conflict, NotFound


def test_a_job_moved_to_the_front_goes_before_the_others_of_its_user(clerk: Clerk) -> None:
    """The latest moved comes first; the list of jobs keeps the order of submission."""
    for job in ("a1", "a2", "a3", "a4"):
        clerk.submit(job)
    clerk.ledger.control("a3", "front")
    clerk.ledger.control("a4", "front")
    assert [row.id for row in clerk.ledger.jobs()] == ["a4", "a3", "a2", "a1"]
    clerk.audit()
    assert clerk.work_off() == ["a4", "a3", "a1", "a2"]


def test_moving_a_job_to_the_front_takes_no_turn_from_other_users(clerk: Clerk) -> None:
    """Fairness between users stays as it was."""
    for job in ("a1", "b1", "a2", "b2"):
        clerk.submit(job, user=job[0])
    clerk.ledger.control("b2", "front")
    assert clerk.work_off() == ["a1", "b2", "a2", "b1"]


def test_a_paused_job_keeps_its_place_at_the_front(clerk: Clerk) -> None:
    """It may be moved while it does not wait."""
    for job in ("a1", "a2"):
        clerk.submit(job)
    clerk.ledger.control("a2", "pause")
    clerk.ledger.control("a2", "front")
    clerk.audit()
    clerk.ledger.control("a2", "resume")
    assert clerk.work_off() == ["a2", "a1"]


def test_a_job_with_a_new_priority_is_served_with_its_band(clerk: Clerk) -> None:
    """Units in hand go on, what waits moves; the books stay in order."""
    clerk.submit("first", 4, band=1)
    clerk.submit("bulk", 2, band=2)
    part = clerk.claim(most=1)
    clerk.ledger.control("bulk", "reprioritise", "0")
    clerk.ledger.control("first", "reprioritise", "2")
    clerk.audit()
    clerk.draw(part)
    assert clerk.work_off() == ["bulk", "bulk", "first", "first"]
    assert clerk.state("first") == clerk.state("bulk") == "succeeded"


def test_a_job_that_is_over_cannot_be_moved(clerk: Clerk) -> None:
    """Nor one that does not exist."""
    clerk.submit("done")
    clerk.work_off()
    for verb, word in (("front", ""), ("reprioritise", "0")):
        with pytest.raises(Conflict):
            clerk.ledger.control("done", verb, word)
        with pytest.raises(NotFound):
            clerk.ledger.control("nothing", verb, word)


def test_a_client_moves_jobs(client: Client) -> None:
    """The row shows the new priority."""
    handle = client.submit(TextToImage(prompt="a cat", priority=Priority.BULK))
    client.reprioritise(handle.id, Priority.INTERACTIVE)
    client.front(handle.id)
    assert handle.status().priority is Priority.INTERACTIVE

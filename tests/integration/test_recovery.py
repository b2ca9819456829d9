"""The broker loses everything; the store knows enough."""

from __future__ import annotations

from press import LANE, Press, apple, forget_farm

from winepress import (
    Client,
)


def test_every_unfinished_job_comes_back_after_the_broker_lost_everything(
    client: Client, press: Press
) -> None:
    """Recovered: the open jobs. Not recovered: finished, canceled and expired ones."""
    finished = client.submit(apple())
    press.work(LANE)
    canceled = client.submit(apple())
    canceled.cancel()
    client.submit(apple(), expires_in=0.001)
    waiting = client.submit(apple(n=4, priority="bulk"), user="ada", idempotency_key="k1")
    press.live(LANE)
    press.work(LANE, most=1)
    before = waiting.status()
    forget_farm(client.settings)

    assert [handle.id for handle in client.recover()] == [waiting.id]

    row = waiting.status()
    assert (row.user, row.priority, row.units) == ("ada", before.priority, 4)
    assert row.done == before.done == 2
    assert finished.id not in [row.id for row in client.list()]
    again = client.submit(apple(n=4, priority="bulk"), user="ada", idempotency_key="k1")
    assert again.id == waiting.id
    assert client.ledger.waiting() == {LANE: 2}
    press.work(LANE)
    assert len(waiting.wait(timeout=60).images) == 4
    drawn = [event.fields["unit"] for event in waiting.events() if event.name == "unit-started"]
    assert sorted(drawn) == ["2", "3"]


def test_a_job_that_lacks_only_its_result_is_finished_without_drawing(
    client: Client, press: Press
) -> None:
    """Lost between the last picture and result.json: the next worker writes the result."""
    handle = client.submit(apple(n=2))
    press.work(LANE)
    client.archive.reopen_job(handle.id)
    forget_farm(client.settings)
    assert [one.id for one in client.recover()] == [handle.id]
    press.work(LANE)
    assert len(handle.wait(timeout=60).images) == 2
    assert "unit-started" not in [event.name for event in handle.events()]


def test_recovering_a_healthy_farm_changes_nothing(client: Client, press: Press) -> None:
    """Safe to run at any time."""
    handle = client.submit(apple(n=2))
    press.live(LANE)
    press.work(LANE, most=1)
    before = handle.status()
    assert client.recover() == []
    assert handle.status() == before


def test_a_damaged_description_does_not_stop_the_recovery_of_others(client: Client) -> None:
    """One unreadable job.json is passed over."""
    handle = client.submit(apple())
    forget_farm(client.settings)
    client.archive.store.put("jobs/broken/job.json", b"{")
    assert [one.id for one in client.recover()] == [handle.id]


def test_fences_of_the_lost_ledger_prove_nothing_in_the_new_one(
    client: Client, press: Press
) -> None:
    """A worker that still renders for the lost ledger cannot commit into another's slice."""
    handle = client.submit(apple(n=2))
    old = press.ledger.claim(LANE, "press", press.holder, 1)
    forget_farm(client.settings)
    client.recover()
    new = press.ledger.claim(LANE, "other", "other/1", 1)
    assert old is not None
    assert new is not None
    assert new.fence > old.fence
    assert press.ledger.commit(old.fence, 1, {}) == "lost"
    assert handle.status().done == 0

"""The broker loses everything; the store knows enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import Mock

import pytest
from support.manual_worker import LANE, ManualWorker, apple, forget_farm

from winepress import (
    BrokerUnreachable,
    Client,
    FarmUnreachable,
    JobState,
)
from winepress.commands.farm import check_jobs
from winepress.stored_jobs import StoredJobs
from winepress.submit_options import SubmitOptions


def test_every_unfinished_job_comes_back_after_the_broker_lost_everything(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Recovered: the open jobs. Not recovered: finished, canceled and expired ones."""
    finished = client.submit(apple())
    manual_worker.work(LANE)
    canceled = client.submit(apple())
    canceled.cancel()
    client.submit(apple(), expires_in=0.001)
    waiting = client.submit(apple(n=4, priority="bulk"), user="ada", idempotency_key="k1")
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1)
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
    manual_worker.work(LANE)
    assert len(waiting.wait(timeout=60).images) == 4
    drawn = [event.fields["unit"] for event in waiting.events() if event.name == "unit-started"]
    assert sorted(drawn) == ["2", "3"]


def test_a_job_that_lacks_only_its_result_is_finished_without_drawing(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Lost between the last picture and result.json: the next worker writes the result."""
    handle = client.submit(apple(n=2))
    manual_worker.work(LANE)
    client.archive.reopen_job(handle.id)
    forget_farm(client.settings)
    assert [one.id for one in client.recover()] == [handle.id]
    manual_worker.work(LANE)
    assert len(handle.wait(timeout=60).images) == 2
    assert "unit-started" not in [event.name for event in handle.events()]


def test_recovering_a_healthy_farm_changes_nothing(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Safe to run at any time."""
    handle = client.submit(apple(n=2))
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1)
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
    client: Client, manual_worker: ManualWorker
) -> None:
    """A worker that still renders for the lost ledger cannot commit into another's slice."""
    handle = client.submit(apple(n=2))
    old = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    forget_farm(client.settings)
    client.recover()
    new = manual_worker.ledger.claim(LANE, "other", "other/1", 1)
    assert old is not None
    assert new is not None
    assert new.fence > old.fence
    assert manual_worker.ledger.commit(old.fence, 1, {}) == "lost"
    assert handle.status().done == 0


# -- submissions that failed -----------------------------------------------------------------


@contextmanager
def lost_answers(client: Client) -> Iterator[None]:
    """Inside, the broker does what it is asked and cannot be heard once a job is to be accepted."""
    accept, away = client.pending.accept, BrokerUnreachable("the broker does not answer")

    def lose_answer(job_ids: Sequence[str]) -> None:
        accept(job_ids)
        raise away

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.pending, "accept", lose_answer)
        patch.setattr(client.pending, "withdraw", Mock(side_effect=away))
        yield


def test_a_job_submitted_again_after_a_lost_answer_is_not_doubled_by_a_recovery(
    client: Client,
) -> None:
    """Its producer was told that the first one failed."""
    with lost_answers(client), pytest.raises(BrokerUnreachable):
        client.submit(apple())
    again = client.submit(apple())
    forget_farm(client.settings)
    assert [one.id for one in client.recover()] == [again.id]


def test_a_key_finds_the_job_whose_answer_was_lost_and_a_recovery_enters_it_once(
    client: Client,
) -> None:
    """It is accepted when its producer hears of it, the second time."""
    with lost_answers(client), pytest.raises(BrokerUnreachable):
        client.submit(apple(), idempotency_key="k1")
    (lost,) = client.list()
    again = client.submit(apple(), idempotency_key="k1")
    assert again.id == lost.id
    forget_farm(client.settings)
    assert [one.id for one in client.recover()] == [lost.id]
    assert client.submit(apple(), idempotency_key="k1").id == lost.id


def test_a_double_under_the_same_key_is_forgotten(client: Client) -> None:
    """A key holds for a day: after that nobody would know that the two are one."""
    with lost_answers(client), pytest.raises(BrokerUnreachable):
        client.submit(apple(), idempotency_key="k1")
    forget_farm(client.settings)
    again = client.submit(apple(), idempotency_key="k1")
    assert client.recover() == []
    assert StoredJobs.list(client) == StoredJobs(frozenset({again.id}))


def test_a_key_whose_job_is_taken_back_is_free_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever tries again would be handed a job that was canceled behind their back."""
    with monkeypatch.context() as patch:
        patch.setattr("winepress.submission.issue_tickets", Mock(side_effect=KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            client.submit(apple(), idempotency_key="k1")
    again = client.submit(apple(), idempotency_key="k1")
    assert again.status().state is JobState.QUEUED
    forget_farm(client.settings)
    assert [one.id for one in client.recover()] == [again.id]


def test_the_mark_of_an_older_version_means_nothing(client: Client) -> None:
    """An object `accepted` beside a job, or left without one."""
    job = client.submit(apple())
    for folder in (job.id, "jffffffffffffffffffff"):
        client.archive.store.put(f"jobs/{folder}/accepted", b"")
    forget_farm(client.settings)
    assert [one.id for one in client.recover()] == [job.id]


def test_a_recovery_passes_over_what_is_refused(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """One job for which there is no room does not stop the others."""
    large, small = client.submit(apple(n=9)), client.submit(apple())
    forget_farm(client.settings)
    client.farm.set_limits({"queue_limit": 5})
    assert [one.id for one in client.recover()] == [small.id]
    assert large.id in caplog.text


def test_the_doctor_looks_at_every_job_of_the_store(
    client: Client, manual_worker: ManualWorker
) -> None:
    """One that the broker knows does not speak for the others."""
    manual_worker.live(LANE)
    lost = client.submit(apple())
    forget_farm(client.settings)
    manual_worker.live(LANE)
    known = client.submit(apple())
    stored = StoredJobs.list(client)
    assert stored == StoredJobs(frozenset({lost.id, known.id}))
    with pytest.raises(FarmUnreachable, match=rf"does not know 1 of 2 .*{lost.id}"):
        check_jobs(client)
    client.recover()
    assert check_jobs(client).text.startswith("2 unfinished in the store, none lost")


def test_of_two_jobs_with_one_key_one_is_entered(client: Client) -> None:
    """Their producer was told of one of them at most; the other is forgotten."""
    job = client.catalogue.resolve(apple())
    records = [SubmitOptions("ann", "k1").record(job, job.lane, "digest") for _ in range(2)]
    for record in records:
        client.archive.write_job(record)
    (entered,) = client.recover()
    assert StoredJobs.list(client).ids == {entered.id} < {record.id for record in records}


def test_a_farm_does_not_enter_the_jobs_of_another_in_its_store(client: Client) -> None:
    """Two farms share a folder or a bucket."""
    job = client.submit(apple())
    settings = client.settings.model_copy(update={"farm": f"{client.settings.farm}-two"})
    with Client(settings) as stranger:
        assert stranger.recover() == []
        assert StoredJobs.list(stranger) == StoredJobs(frozenset())
    assert StoredJobs.list(client).ids == {job.id}


def test_what_else_lies_in_the_store_is_no_job(client: Client) -> None:
    """Somebody's notes, for example."""
    client.archive.store.put("jobs/notes.txt", b"x")
    assert StoredJobs.list(client) == StoredJobs(frozenset())


def test_a_look_that_ends_early_says_so(client: Client) -> None:
    """What of a job was not seen is not concluded from."""
    for _ in range(3):
        client.submit(apple())
    stored = StoredJobs.list(client, 3)
    assert len(stored.ids) == 2
    assert not stored.is_all

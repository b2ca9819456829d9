"""The client's decisions when a part of the farm fails at the wrong moment."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from support.failing_ledger import FailingLedger

from winepress import (
    BrokerUnreachable,
    Client,
    ImageToImage,
    TextToImage,
)
from winepress.commands.farm import check_jobs, check_workers
from winepress.explanation import why_impossible
from winepress.handle import raise_unless_succeeded
from winepress_shared.errors import InvalidJob, JobCanceled, NotFound, StoreRefused, WrongUsage
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.settings import Settings
from winepress_shared.state import JobState
from winepress_shared.stores.base import StoredObject
from winepress_shared.ticket_policy import MOST_TICKETS

APPLE = TextToImage(prompt="a red apple", seed=7)


def test_a_submission_sends_no_more_tickets_than_a_lane_may_hold(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large farm is woken by the workers that come first, not by one producer."""
    sent: list[int] = []
    monkeypatch.setattr(
        "winepress_shared.broker.send_tickets", lambda app, lane, count: sent.append(count)
    )
    for number in range(50):
        ledger.beat(f"w{number}", f"w{number}/1", {})
    for units in (2, 100):
        client.submit(APPLE.model_copy(update={"n": units}))
    assert sent == [2, MOST_TICKETS]


@pytest.mark.parametrize("verb", ["retry", "resume"])
@pytest.mark.parametrize("lost", ["get", "missing_tickets"])
def test_a_job_that_waits_again_is_told_so_though_the_broker_is_lost_then(
    client: Client, ledger: FailingLedger, monkeypatch: pytest.MonkeyPatch, verb: str, lost: str
) -> None:
    """Told that it failed, its producer would repeat it, and meet a Conflict."""
    is_changed = False

    def change(*_: object) -> JobState:
        nonlocal is_changed
        is_changed = True
        return JobState.QUEUED

    def answer(name: str, found: object) -> Any:
        def call(*_: object) -> object:
            if name == lost and is_changed:
                raise BrokerUnreachable("the broker does not answer")
            return found

        return call

    row = SimpleNamespace(state=JobState.FAILED, lane="vignette.fp16", units=1, done=0)
    monkeypatch.setattr(ledger, "control", change)
    monkeypatch.setattr(ledger, "get", answer("get", row), raising=False)
    monkeypatch.setattr(ledger, "missing_tickets", answer("missing_tickets", 1), raising=False)
    assert getattr(client, verb)("some-job") is JobState.QUEUED


@pytest.mark.parametrize("timeout", [float("nan"), -1.0])
def test_a_time_to_wait_that_is_none_is_refused(client: Client, timeout: float) -> None:
    """As a sentence, before anything is waited for."""
    with pytest.raises(WrongUsage, match="timeout: not a timeout"):
        client.submit(APPLE).wait(timeout)


def test_a_reference_to_a_picture_that_the_store_lacks_is_refused(client: Client) -> None:
    """The job is wrong, not the store; nothing of it is left behind."""
    job = ImageToImage(prompt="a", image=f"sha256:{'0' * 64}")
    with pytest.raises(InvalidJob, match="does not hold this input picture"):
        client.submit(job)
    assert not list(client.archive.store.list(""))


def test_a_lane_of_an_absent_device_names_the_worker_that_serves_it() -> None:
    """Preparing a model would not help."""
    worker = Worker("one", 0.0, {"device": "CPU", "lanes": ["vignette.fp16"]}, {})
    reason = why_impossible("vignette.fp16@NPU", [worker])
    assert reason
    assert "winepress worker --device NPU" in reason
    assert "models" not in reason


def test_a_store_that_refuses_every_call_is_no_matter_of_roles(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer's key may not list jobs, which is no fault; a wrong key is one."""

    def refuse(*_: object) -> Iterator[StoredObject]:
        raise StoreRefused("the store does not allow this")

    monkeypatch.setattr(client.archive.store, "list", refuse)
    assert check_jobs(client).text.startswith("not looked for")
    monkeypatch.setattr(client.archive.store, "check", refuse)
    with pytest.raises(StoreRefused):
        check_jobs(client)


@pytest.mark.parametrize("wrong", [{"prompt": "a red apple"}, None, "a red apple"])
def test_what_is_no_job_is_refused_by_name(client: Client, wrong: Any) -> None:
    """The fields of a job in a dict are a slip, not a traceback out of the client."""
    with pytest.raises(InvalidJob, match=r"^job: not a job \(got .*TextToImage"):
        client.submit(wrong)
    with pytest.raises(InvalidJob, match=r"^job: "):
        client.submit_many([APPLE, wrong])
    assert not list(client.archive.store.list(""))


@pytest.mark.parametrize("wrong", [None, 7, "../j1", ""])
def test_what_is_no_id_is_not_found(wrong: Any) -> None:
    """Every door of a job says so before the broker is asked."""
    client = Client(Settings())
    doors = (client.get, client.cancel, client.pause, client.resume, client.retry, client.explain)
    for door in doors:
        with pytest.raises(NotFound, match=r"^job_id: not the id of a job \(got .*allowed"):
            door(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 100_001, None, 1.5])
def test_a_number_of_jobs_that_is_none_is_refused(wrong: Any) -> None:
    """Zero does not mean one; the broker is not asked."""
    with pytest.raises(WrongUsage, match=r"limit: not a number of jobs.*1 to 100000"):
        Client(Settings()).list(limit=wrong)


@pytest.mark.parametrize(
    "submit_options", [{"user": 7}, {"idempotency_key": 7}, {"expires_in": "soon"}]
)
def test_handling_of_another_type_is_refused(
    client: Client, submit_options: dict[str, Any]
) -> None:
    """As a sentence that names the field."""
    with pytest.raises(InvalidJob, match=next(iter(submit_options))):
        client.submit(APPLE, **submit_options)


@pytest.mark.parametrize(
    ("done", "hint"),
    [
        (0, "`winepress retry j1` queues it again"),
        (3, "`winepress fetch j1` saves what is finished: 3 of 4"),
    ],
)
def test_a_canceled_job_names_its_finished_pictures_where_it_has_some(done: int, hint: str) -> None:
    """Nobody is sent to fetch none."""
    lane = ("text-to-image", "vignette.fp16", "ann", Priority.BULK)
    times = (0.0, None, None, None)
    row = JobRow("j1", JobState.CANCELED, *lane, 4, done, 0, *times, paused=False, reason="")
    with pytest.raises(JobCanceled) as caught:
        raise_unless_succeeded(row)
    assert caught.value.hint == hint


def test_doctor_names_a_handful_and_tells_programs_of_all(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A farm of hundreds fits on a screen."""
    lanes = {"device": "CPU", "lanes": ["vignette.fp16"], "too_large": dict.fromkeys("abcdefg", 1)}
    workers = [Worker(f"w{number}", 0.0, lanes, {}) for number in range(40)]
    monkeypatch.setattr(client, "workers", lambda: workers)
    found = check_workers(client)
    assert found.text.startswith("40 alive: w0, w1, w2, w3, w4, and 35 more; w0 does not serve a")
    assert len(found.text) < 400
    assert len(found.all) == 80
    assert found.all[-1] == "w39 does not serve a, b, c, d, e, f, g"

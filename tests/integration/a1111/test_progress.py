"""The job in hand: A1111 has one at a time, and gives it no name."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.manual_worker import LANE, ManualWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress import Client, Priority, TextToImage
from winepress_shared.ledger.previews import Preview, PreviewStore
from winepress_shared.state import JobState

_ZEROS = {"progress": 0.0, "eta_relative": 0.0, "current_image": None, "textinfo": None}


def test_progress_without_a_job_is_zeros(gateway: RunningGateway, held: Client) -> None:
    """Whatever else runs: jobs that nobody waits for, and jobs of others."""
    held.submit(TextToImage(prompt="a long night", n=100))
    held.submit(TextToImage(prompt="a pear", priority=Priority.INTERACTIVE), user="someone")
    found = gateway.http.get("/sdapi/v1/progress").json()
    assert found.items() >= _ZEROS.items()
    assert (found["state"]["job_count"], found["state"]["job"]) == (0, "")


def test_progress_tells_steps_pictures_and_shows_the_newest_preview(
    gateway: RunningGateway, held: Client, manual_worker: ManualWorker
) -> None:
    """Of the newest running job of the caller."""
    jpeg = b"\xff\xd8 a small picture"
    with ThreadPoolExecutor() as pool:
        body = {"prompt": "an apple", "n_iter": 2}
        answer = pool.submit(gateway.http.post, "/sdapi/v1/txt2img", json=body)
        manual_worker.await_ticket(LANE)
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 512)
        assert part is not None
        queued = gateway.http.get("/sdapi/v1/progress").json()
        assert (queued["state"]["job_count"], queued["progress"]) == (2, 0.01)
        manual_worker.ledger.start(part.fence, 0)
        (reply,) = manual_worker.ledger.progress_together([(part.fence, 0)], 5, 10)
        assert reply.is_watched, "whoever asks once asks again"
        previews = PreviewStore(gateway.settings)
        previews.put(part.fence, Preview(0, 5, 10, jpeg))
        previews.close()
        found = gateway.http.get("/sdapi/v1/progress").json()
        assert found["progress"] == 0.25
        assert base64.b64decode(found["current_image"]) == jpeg
        state = found["state"]
        assert (state["job_no"], state["sampling_step"], state["sampling_steps"]) == (0, 5, 10)
        assert (state["job"], found["current_task"]) == (part.job_id, part.job_id)
        short = gateway.http.get("/sdapi/v1/progress", params={"skip_current_image": True}).json()
        assert short["current_image"] is None
        gateway.http.post("/sdapi/v1/interrupt")
        assert answer.result().status_code == 409
    assert gateway.http.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0


def test_progress_of_a_task_is_refused_with_what_tells_it_here(
    gateway: RunningGateway, held: Client
) -> None:
    """The id of a task finds its job again, and the newest job is the one that progress tells."""
    job = held.submit(TextToImage(prompt="an apple", priority=Priority.INTERACTIVE))
    told = gateway.http.post("/internal/progress", json={"id_task": "task(abc)"})
    assert (told.status_code, told.json()["error"]) == (404, "no-such-route")
    assert "GET /sdapi/v1/progress" in told.json()["detail"]
    assert gateway.http.get("/sdapi/v1/progress").json()["current_task"] == job.id


def test_interrupt_stops_the_newest_job_of_the_caller_alone(
    gateway: RunningGateway, held: Client
) -> None:
    """Not what nobody waits for, and not another's; a second call finds nothing and says so."""
    night = held.submit(TextToImage(prompt="a long night"))
    other = held.submit(TextToImage(prompt="a pear", priority=Priority.INTERACTIVE), user="someone")
    mine = [held.submit(TextToImage(prompt=p, priority=Priority.INTERACTIVE)) for p in "ab"]
    assert gateway.http.post("/sdapi/v1/interrupt").json() == {}
    assert [one.status().state for one in mine] == [JobState.QUEUED, JobState.CANCELED]
    gateway.http.post("/sdapi/v1/interrupt")
    assert gateway.http.post("/sdapi/v1/interrupt").status_code == 200
    assert [one.status().state for one in (night, other)] == [JobState.QUEUED] * 2


def test_skip_ends_a_job_at_its_last_picture_only(gateway: RunningGateway, held: Client) -> None:
    """One picture of several cannot be skipped here, and the error says what can."""
    assert gateway.http.post("/sdapi/v1/skip").status_code == 200
    values: dict[str, Any] = {"prompt": "an apple", "priority": Priority.INTERACTIVE}
    several = held.submit(TextToImage(**values, n=2))
    told = gateway.http.post("/sdapi/v1/skip")
    assert (told.status_code, "interrupt" in told.json()["detail"]) == (409, True)
    assert several.status().state is JobState.QUEUED
    last = held.submit(TextToImage(**values))
    assert gateway.http.post("/sdapi/v1/skip").status_code == 200
    assert last.status().state is JobState.CANCELED


def test_an_interrupted_batch_answers_with_what_is_finished(
    gateway: RunningGateway, held: Client, manual_worker: ManualWorker
) -> None:
    """As A1111 does."""
    with ThreadPoolExecutor() as pool:
        body = {"prompt": "an apple", "n_iter": 2}
        answer = pool.submit(gateway.http.post, "/sdapi/v1/txt2img", json=body)
        manual_worker.await_ticket(LANE)
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 512)
        assert part is not None
        manual_worker._unit(part, 0, is_failing=False)
        gateway.http.post("/sdapi/v1/interrupt")
        assert answer.result().status_code == 200
        assert len(answer.result().json()["images"]) == 1


def test_a_client_that_goes_away_leaves_its_job_running(
    gateway: RunningGateway, held: Client
) -> None:
    """Whoever wants it stopped calls interrupt."""
    with pytest.raises(httpx.ReadTimeout):
        gateway.http.post("/sdapi/v1/txt2img", json={"prompt": "an apple"}, timeout=0.5)
    wait_until(lambda: len(held.list()) == 1)
    wait_until(lambda: gateway.requests == 0)
    assert held.list()[0].state is JobState.QUEUED

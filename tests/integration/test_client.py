"""Jobs on a real broker: waited for, saved, controlled, explained."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from support.manual_worker import LANE, ManualWorker, apple, forget_farm
from support.worker_process import await_condition

from winepress import (
    Client,
    Conflict,
    JobCanceled,
    JobExpired,
    JobFailed,
    JobState,
    NotFound,
    StoreUnreachable,
    WrongUsage,
)
from winepress_shared.errors import DamagedRecord


def test_wait_returns_the_pictures_of_a_job_finished_meanwhile(
    client: Client, manual_worker: ManualWorker, tmp_path: Path
) -> None:
    """wait() blocks until the last unit, then images, save and urls agree."""
    handle = client.submit(apple(n=3))

    def render() -> None:
        manual_worker.await_ticket(LANE)
        manual_worker.work(LANE)

    thread = threading.Thread(target=render)
    thread.start()
    images = handle.wait(timeout=30).images
    thread.join()
    assert [image.getpixel((0, 0)) for image in images] == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    paths = handle.save(tmp_path / "out")
    assert [path.name for path in paths] == [f"{handle.id}-{unit:06d}.png" for unit in range(3)]
    assert handle.save(tmp_path / "out") == paths
    assert [url.rsplit("/", 1)[1] for url in handle.urls()] == [
        f"{unit:06d}.png" for unit in range(3)
    ]
    assert handle.progress == 1.0


def test_saving_never_overwrites_another_file(
    client: Client, manual_worker: ManualWorker, tmp_path: Path
) -> None:
    """A file of the same name with other content stays as it is."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    other = tmp_path / f"{handle.id}-000000.png"
    other.write_bytes(b"mine")
    with pytest.raises(WrongUsage):
        handle.save(tmp_path)
    assert other.read_bytes() == b"mine"


def test_a_picture_that_changed_in_the_store_is_not_passed_on(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Every picture is checked against the SHA-256 of its result."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    client.archive.store.put(handle.result.outputs[0].key, b"something else")
    with pytest.raises(StoreUnreachable, match="damaged"):
        _ = handle.images


def test_a_link_lives_for_whole_seconds(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server refuses a link whose life, computed by a program, has a fraction."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    lives: list[float] = []
    monkeypatch.setattr(client.archive.store, "url", lambda key, life_s: lives.append(life_s))
    part: Any = 3600 / 7
    handle.urls(part)
    assert lives == [514]


def test_a_picture_is_read_into_memory_under_a_limit(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result says how large it is, and whoever wrote that may have written it too large."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    monkeypatch.setattr("winepress.handle.MAX_GET_BYTES", 10)
    with pytest.raises(StoreUnreachable, match="too large"):
        _ = handle.images


def test_closed_in_the_middle_of_what_was_read_it_tells_no_more(client: Client) -> None:
    """Whoever leaves a loop through `close` is not handed the rest of the past."""
    handle = client.submit(apple())
    client.pause(handle.id)
    names = []
    with handle.events() as events:
        for event in events:
            names.append(event.name)
            events.close()
    assert names == ["queued"]


def test_one_damaged_record_ends_no_wait_for_other_jobs(
    client: Client, manual_worker: ManualWorker
) -> None:
    """All who wait share one read, which the server refuses as a whole."""
    good, bad = client.submit(apple()), client.submit(apple())
    told: list[Exception] = []

    def wait() -> None:
        try:
            bad.wait(timeout=30)
        except DamagedRecord as error:
            told.append(error)

    threads = [
        threading.Thread(target=wait),
        threading.Thread(target=lambda: list(good.events(30))),
    ]
    for thread in threads:
        thread.start()
    await_condition(lambda: len(client.event_reader._subscriptions) == len(threads))
    events = f"{client.settings.farm}:events:{bad.id}"
    with redis.Redis.from_url(client.settings.broker_url.get_secret_value()) as broker:
        broker.delete(events)
        broker.set(events, "mine")
    client.pause(good.id)
    threads[0].join()
    assert len(told) == 1
    assert threads[1].is_alive()
    good.cancel()
    threads[1].join()


def test_waiting_ends_with_the_time_it_was_given(client: Client) -> None:
    """TimeoutError names the job, which goes on."""
    handle = client.submit(apple())
    with pytest.raises(TimeoutError, match=handle.id):
        handle.wait(timeout=0.05)
    assert handle.status().state is JobState.QUEUED


def test_a_failed_job_raises_and_keeps_what_was_drawn(
    client: Client, manual_worker: ManualWorker
) -> None:
    """JobFailed carries the reason and the way on; the finished pictures are there."""
    handle = client.submit(apple(n=2))
    manual_worker.work(LANE, failing={1})
    with pytest.raises(JobFailed, match="told to") as caught:
        handle.wait(timeout=60)
    assert "retry" in (caught.value.hint or "")
    assert len(handle.images) == 1
    assert [failure.unit for failure in handle.result.failures] == [1]


def test_an_expired_job_raises_job_expired(client: Client, manual_worker: ManualWorker) -> None:
    """A deadline that passes in the queue ends the job."""
    handle = client.submit(apple(), expires_in=0.001)
    threading.Event().wait(0.01)  # the deadline is a time, not a condition
    manual_worker.work(LANE)
    with pytest.raises(JobExpired):
        handle.wait(timeout=60)


def test_events_tell_the_story_and_then_end(client: Client, manual_worker: ManualWorker) -> None:
    """The iterator ends with the job."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    names = [event.name for event in handle.events()]
    assert names == ["queued", "running", "unit-started", "progress", "unit-done", "succeeded"]


def test_a_canceled_job_keeps_its_pictures_and_stays_canceled(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Finished units survive a cancel; a second cancel is no error; a finished job refuses it."""
    manual_worker.live(LANE)
    handle = client.submit(apple(n=4))
    manual_worker.work(LANE, most=1)
    assert handle.cancel() is JobState.CANCELED
    with pytest.raises(JobCanceled):
        handle.wait(timeout=60)
    assert len(handle.images) == 2
    done = client.submit(apple())
    manual_worker.work(LANE)
    with pytest.raises(Conflict):
        done.cancel()


def test_a_paused_job_waits_and_goes_on(client: Client, manual_worker: ManualWorker) -> None:
    """Nothing of a paused job is handed out until it is resumed."""
    handle = client.submit(apple())
    client.pause(handle.id)
    manual_worker.work(LANE)
    assert handle.status().paused
    assert "winepress resume" in handle.explain()
    client.resume(handle.id)
    manual_worker.work(LANE)
    assert handle.wait(timeout=60).progress == 1.0


def test_a_retry_renders_only_what_is_missing(client: Client, manual_worker: ManualWorker) -> None:
    """After a retry the job succeeds, with the earlier pictures untouched."""
    handle = client.submit(apple(n=3))
    manual_worker.work(LANE, failing={1})
    assert client.retry(handle.id) is JobState.QUEUED
    assert list(client.archive.store.list(f"jobs/{handle.id}/result")) == []
    assert len(handle.result.outputs) == 2
    manual_worker.work(LANE)
    assert len(handle.wait(timeout=60).images) == 3
    with pytest.raises(Conflict):
        client.retry(handle.id)


def test_an_unknown_job_is_not_found(client: Client) -> None:
    """An id that never existed, or is none, is told apart from a job that waits."""
    for job_id in ("j0000", "../../etc/passwd", ""):
        with pytest.raises(NotFound):
            client.get(job_id)


def test_a_job_whose_record_has_expired_is_found_by_its_pictures(
    client: Client, manual_worker: ManualWorker
) -> None:
    """The store outlives the ledger."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    forget_farm(client.settings)
    assert len(client.get(handle.id).images) == 1


def test_a_job_nobody_can_render_is_accepted_and_says_so(
    client: Client, manual_worker: ManualWorker
) -> None:
    """is_possible is about the live workers; explain gives the reason in words."""
    handle = client.submit(apple())
    assert not handle.is_possible
    assert "no worker is alive" in handle.explain()
    manual_worker.live("sdxl.fp16")
    assert "no live worker serves vignette.fp16" in str(handle.why_impossible)
    manual_worker.live(LANE)
    assert handle.is_possible
    behind = client.submit(apple())
    assert "1 earlier jobs of anonymous" in behind.explain()


def test_explain_names_the_fault_that_keeps_a_lane_closed(
    client: Client, manual_worker: ManualWorker
) -> None:
    """A parked lane is told with its reason."""
    manual_worker.live(LANE)
    handle = client.submit(apple())
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    assert slice_ is not None
    manual_worker.ledger.release(slice_.fence, manual_worker.holder, 60_000, "the disk is full")
    assert "the disk is full" in handle.explain()

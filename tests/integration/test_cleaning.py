"""The objects of jobs that ended long ago are deleted, and nothing else ever is."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from support.command_line import Run
from support.manual_worker import LANE, ManualWorker, apple, forget_farm

from winepress import Client, Conflict, JobHandle, NotFound, ZoomVideo
from winepress.cleaning import DAY_S, LEAST_S, Cleaning
from winepress_shared import pins
from winepress_shared.jobs.job import Job
from winepress_shared.lane import FILM
from winepress_shared.stores import open_store

_DAYS = 30.0


@pytest.fixture(autouse=True)
def _emptied(client: Client) -> None:
    """The farm's bucket is the session's."""
    for stored in list(client.archive.store.list("jobs/")):
        client.archive.store.delete(stored.key)


def clean(client: Client, later: float = _DAYS + 1, **options: Any) -> list[str]:
    """What a cleaning deletes that runs so many days later."""
    now = time.time() + later * DAY_S
    return [one.id for one in Cleaning(client, _DAYS, now=now, **options).run()]


def left(client: Client, job_id: str) -> list[str]:
    """The names of the objects of a job."""
    return [one.key.split("/", 2)[2] for one in client.archive.store.list(f"jobs/{job_id}/")]


def drop_record(client: Client, *handles: JobHandle) -> None:
    """Have the ledger forget jobs, as it does after `keep_days`."""
    for handle in handles:
        assert client.counted.forget(handle.id)


def drawn(client: Client, worker: ManualWorker, job: Job | None = None) -> JobHandle:
    """A job that has ended and is no longer listed."""
    handle = client.submit(job or apple(n=2))
    worker.work(LANE)
    handle.wait(timeout=60)
    drop_record(client, handle)
    return handle


def test_the_objects_of_a_job_that_is_no_longer_listed_go_when_they_are_old(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Pictures, description, result and marks; a second cleaning finds nothing."""
    handle = drawn(client, manual_worker)
    assert clean(client, later=_DAYS - 1) == []
    assert clean(client, dry_run=True) == [handle.id]
    assert left(client, handle.id) == [
        "job.json",
        "out/000000.png",
        "out/000001.png",
        "result.json",
    ]
    assert clean(client) == [handle.id]
    assert left(client, handle.id) == []
    assert clean(client) == []
    with pytest.raises(NotFound):
        client.get(handle.id)


def test_what_the_farm_still_knows_is_kept_whatever_its_age(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Listed, running, and submitted again under the key of a job that is gone."""
    gone = client.submit(apple(), idempotency_key="k")
    manual_worker.work(LANE)
    drop_record(client, gone)
    listed = client.submit(apple(n=2), idempotency_key="k")
    manual_worker.work(LANE)
    running = client.submit(apple(n=600))
    manual_worker.work(LANE, most=1)
    assert running.status().done
    assert clean(client) == [gone.id]
    assert "result.json" in left(client, listed.id)
    assert len(left(client, running.id)) == 1 + running.status().done


def test_what_a_recovery_would_enter_again_is_kept(
    client: Client, manual_worker: ManualWorker
) -> None:
    """The broker has lost everything: open jobs stay, those that ended or expired go."""
    ended = client.submit(apple())
    manual_worker.work(LANE)
    waiting = client.submit(apple())
    expired = client.submit(apple(), expires_in=60)
    forget_farm(client.settings)
    assert sorted(clean(client)) == sorted([ended.id, expired.id])
    assert [one.id for one in client.recover()] == [waiting.id]


def test_a_pinned_job_is_kept_even_if_the_broker_loses_everything(
    client: Client, manual_worker: ManualWorker
) -> None:
    """A pin is in the store; the record of a pinned job is not dropped either."""
    handle = client.submit(apple())
    client.pin(handle.id)
    manual_worker.work(LANE)
    assert handle.status().pinned
    assert client.ledger.get(handle.id).pinned
    other = drawn(client, manual_worker)
    client.pin(other.id)
    forget_farm(client.settings)
    assert clean(client) == []
    client.unpin(handle.id)
    assert clean(client) == [handle.id]
    assert left(client, handle.id) == []
    assert len(other.images) == 2


def test_a_recovered_job_is_still_pinned(client: Client) -> None:
    """Its record would be dropped in time otherwise."""
    handle = client.submit(apple())
    client.pin(handle.id)
    forget_farm(client.settings)
    client.recover()
    assert handle.status().pinned


def test_a_pin_that_comes_while_a_job_is_being_deleted_is_refused(
    client: Client, manual_worker: ManualWorker
) -> None:
    """And one that comes before the cleaning has looked is kept."""
    handle = drawn(client, manual_worker)
    store = client.archive.store
    store.put(f"jobs/{handle.id}/{pins.LEAVING}", b"")
    with pytest.raises(Conflict, match="being deleted"):
        client.pin(handle.id)
    assert not pins.is_pinned(store, handle.id)
    store.delete(f"jobs/{handle.id}/{pins.LEAVING}")

    cleaning = Cleaning(client, _DAYS, now=time.time() + (_DAYS + 1) * DAY_S)
    put_new, seen = store.put_new, []

    def pinned_first(key: str, data: bytes, **options: Any) -> bool:
        pins.pin(store, handle.id)
        seen.append(key)
        return put_new(key, data, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "put_new", pinned_first)
        assert list(cleaning.run()) == []
    assert seen
    assert sorted(left(client, handle.id)) == sorted(
        ["job.json", "out/000000.png", "out/000001.png", "pinned", "result.json"]
    )


@pytest.mark.parametrize("deleted", range(6))
def test_a_cleaning_that_was_killed_is_continued_and_never_leaves_a_job_to_draw(
    client: Client, manual_worker: ManualWorker, deleted: int
) -> None:
    """Killed after any of its deletions: nothing is recovered, and the next one deletes the rest."""
    handle = drawn(client, manual_worker)
    store = client.archive.store
    delete, count = store.delete, 0

    class Killed(BaseException):
        pass

    def dying(key: str) -> None:
        nonlocal count
        if count == deleted:
            raise Killed
        count += 1
        delete(key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "delete", dying)
        patch.setattr("winepress.cleaning._DELETERS", 1)
        if deleted < 5:
            with pytest.raises(Killed):
                clean(client)
        else:
            clean(client)
    forget_farm(client.settings)
    assert client.recover() == []
    clean(client)
    assert left(client, handle.id) == []


def test_a_job_that_another_cleaning_deletes_is_left_to_it(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Until it has not gone on for an hour."""
    handle = drawn(client, manual_worker)
    client.archive.store.put(f"jobs/{handle.id}/{pins.LEAVING}", b"")
    for ahead_s, expected in ((LEAST_S / 2, []), (LEAST_S + 60, [handle.id])):
        cleaning = Cleaning(client, _DAYS, now=time.time() + ahead_s)
        cleaning._before = time.time() + DAY_S
        assert [one.id for one in cleaning.run()] == expected


def test_key_frames_are_kept_while_a_film_is_to_be_cut_from_them(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Also when the broker has lost the film's job, which a recovery enters again."""
    zoom = ZoomVideo(prompts={0: "a red apple"}, key_frames=2, width=64, height=64)
    source = client.submit(zoom)
    manual_worker.work(str(zoom.model_copy(update={"model": "vignette"}).lane))
    for lane in list(client.ledger.waiting()):
        manual_worker.work(lane)
    source.wait(timeout=60)
    drop_record(client, source)
    film = client.recut(source.id, fps=10)
    assert clean(client) == []
    forget_farm(client.settings)
    assert clean(client) == []
    client.recover()
    manual_worker.work(str(film.status().lane))
    film.wait(timeout=60)
    assert FILM in film.status().lane
    drop_record(client, film)
    assert sorted(clean(client) + clean(client)) == sorted([source.id, film.id])


def test_other_farms_and_what_is_no_jobs_are_left_alone(
    client: Client, manual_worker: ManualWorker
) -> None:
    """They share the bucket."""
    handle = drawn(client, manual_worker)
    other = open_store(client.settings.model_copy(update={"farm": "another-farm"}))
    other.put(f"jobs/{handle.id}/result.json", b"")
    mine = client.archive.store
    for key in ("inputs/aa.png", "jobs/_probe/out/000000.probe", "gateway/keys/a.json"):
        mine.put(key, b"x")
    assert clean(client) == [handle.id]
    assert other.head(f"jobs/{handle.id}/result.json") is not None
    other.delete(f"jobs/{handle.id}/result.json")
    for key in ("inputs/aa.png", "jobs/_probe/out/000000.probe", "gateway/keys/a.json"):
        assert mine.head(key) is not None
        mine.delete(key)


def test_nothing_is_deleted_until_the_operator_says_so(
    client: Client, manual_worker: ManualWorker, run: Run
) -> None:
    """The default is for ever; the limit, or `--days`, changes it."""
    handle = drawn(client, manual_worker)
    said = run("clean")
    assert (said.returncode, said.stdout) == (0, "")
    assert "keep_objects_days is 0" in said.stderr
    assert run("clean", "--days", "0").returncode == 2
    assert run("clean", "--days", "nan").returncode == 2
    assert run("limits", "--keep-objects-days", "30").returncode == 0
    assert "0 jobs with 0 objects" in run("clean").stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("winepress.cleaning.time.time", lambda: time.time() + 31 * DAY_S)
        assert "0 jobs" in run("clean").stderr, "the broker's clock says otherwise"
    assert run("status", handle.id).returncode == 4


def test_the_command_says_what_goes_and_how_much_it_is(
    client: Client, manual_worker: ManualWorker, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run first, then the same for good."""
    handle = drawn(client, manual_worker)
    monkeypatch.setattr("winepress.cleaning.LEAST_S", -60.0)
    dry = run("clean", "--days", "1e-9", "--dry-run", "--json")
    told = json.loads(dry.stdout)
    size = sum(one.size for one in client.archive.store.list(f"jobs/{handle.id}/"))
    assert (told["id"], told["objects"], told["bytes"]) == (handle.id, 4, size)
    assert "1 jobs with 4 objects" in dry.stderr
    assert "nothing is changed" in dry.stderr
    assert len(left(client, handle.id)) == 4
    assert run("clean", "--days", "1e-9").stdout.startswith(f"{handle.id}  4 objects")
    assert left(client, handle.id) == []


def test_pins_are_told_on_the_command_line(
    client: Client, manual_worker: ManualWorker, run: Run
) -> None:
    """In the list, and of a job whose record has expired too."""
    handle = client.submit(apple())
    assert run("pin", handle.id).stdout == f"{handle.id} pinned\n"
    assert "pinned" in run("list").stdout
    assert json.loads(run("status", handle.id, "--json").stdout)["pinned"] is True
    assert run("unpin", handle.id).stdout == f"{handle.id} no longer pinned\n"
    assert "pinned" not in run("list").stdout
    assert run("pin", "j0").returncode == 4
    manual_worker.work(LANE)
    drop_record(client, handle)
    assert run("pin", handle.id).returncode == 0
    assert clean(client) == []

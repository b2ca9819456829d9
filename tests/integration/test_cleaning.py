"""The objects of jobs that ended long ago are deleted, and nothing else ever is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.command_line import Run
from support.manual_worker import LANE, ManualWorker, apple, forget_farm
from support.old_jobs import DAYS, clean, drawn, drop_record, empty, left

from winepress import Client, NotFound, ZoomVideo
from winepress.cleaning import DAY_S, LEAST_S, Cleaning
from winepress_deploy.services.cleaner import Cleaner
from winepress_deploy.settings_file import write_settings
from winepress_deploy.state_folder import StateFolder
from winepress_shared import pins
from winepress_shared.lane import FILM
from winepress_shared.polling import poll
from winepress_shared.stores import open_store


@pytest.fixture(autouse=True)
def _emptied(client: Client) -> None:
    empty(client)


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def test_the_objects_of_a_job_that_is_no_longer_listed_go_when_they_are_old(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Pictures, description, result and marks; a second cleaning finds nothing."""
    handle = drawn(client, manual_worker)
    assert clean(client, later=DAYS - 1) == []
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
    running = client.submit(apple(n=4))
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1)
    assert running.status().done == 2
    assert clean(client) == [gone.id]
    assert "result.json" in left(client, listed.id)
    assert len(left(client, running.id)) == 3


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


@pytest.mark.parametrize("deleted", range(6))
def test_a_cleaning_that_was_killed_is_continued_and_never_leaves_a_job_to_draw(
    client: Client, manual_worker: ManualWorker, deleted: int
) -> None:
    """Killed after any of its deletions: nothing is recovered, the next one deletes the rest."""
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
        cleaning = Cleaning(client, DAYS, now=time.time() + ahead_s)
        cleaning.before = time.time() + DAY_S
        assert [one.id for one in cleaning.run()] == expected


def test_key_frames_are_kept_while_a_film_is_to_be_cut_from_them(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Also when the broker has lost the film's job, which a recovery enters again."""
    source = client.submit(ZoomVideo(prompt="a red apple", key_frames=2, width=256, height=256))
    for lane in (*client.ledger.waiting(), FILM):
        manual_worker.work(lane)
    source.wait(timeout=60)
    drop_record(client, source)
    film = client.recut(source.id, fps=10)
    assert clean(client) == []
    forget_farm(client.settings)
    assert clean(client) == []
    client.recover()
    manual_worker.work(FILM)
    film.wait(timeout=60)
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
        ahead = time.time() + 31 * DAY_S
        patch.setattr("winepress.cleaning.time", SimpleNamespace(time=lambda: ahead))
        assert "0 jobs" in run("clean").stderr, "the broker's clock says otherwise"
    assert left(client, handle.id)


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


def test_a_farm_cleans_by_itself(client: Client, tmp_path: Path) -> None:
    """With the operator's key, in a short process now and then."""
    state = StateFolder(tmp_path / "state")
    state.create()
    write_settings(state.settings, client.settings)
    with Cleaner(state, first_s=0.01):
        assert poll(
            lambda: "keep_objects_days is 0" in _text(state.log("clean")),
            every_s=0.1,
            timeout_s=200,
        )

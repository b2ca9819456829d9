"""Input pictures go when they are old and no job needs them, and never one that a job needs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.command_line import Run
from support.manual_worker import LANE, ManualWorker, forget_farm
from support.old_jobs import DAYS, drop_record, empty
from support.servers import S3Server

from winepress import Client, Conflict, ImageToImage, InvalidJob
from winepress.cleaning import DAY_S, LEAST_S, Cleaning
from winepress.input_cleaning import InputCleaning
from winepress_shared import inputs
from winepress_shared.jobs.picture import Picture
from winepress_shared.settings import Settings
from winepress_shared.stores.base import Store, StoredObject


@pytest.fixture(params=["folder", "s3"])
def farm_settings(
    request: pytest.FixtureRequest, farm_settings: Settings, s3_server: S3Server
) -> Settings:
    """A farm with a store of each kind."""
    if request.param == "folder":
        return farm_settings
    given = {"farm": farm_settings.farm, "broker_url": farm_settings.broker_url}
    return s3_server.settings().model_copy(update=given)


def _picture(shade: int = 9) -> Picture:
    return Picture.load(Image.new("RGB", (64, 64), (shade, 0, 0)))


def _varied(picture: Picture, **fields: Any) -> ImageToImage:
    return ImageToImage(prompt="a red apple", image=picture, **fields)


def _by_reference(picture: Picture) -> ImageToImage:
    return _varied(Picture.parse(picture.reference))


def _gone(client: Client, *, days_later: float = DAYS + 1, dry_run: bool = False) -> list[str]:
    """The inputs that a cleaning deletes so many days later, after the jobs."""
    now = time.time() + days_later * DAY_S
    cleaning = Cleaning(client, DAYS, now=now, dry_run=dry_run)
    list(cleaning.run())
    return [one.key for one in InputCleaning(client, cleaning).run()]


def _left(client: Client) -> list[str]:
    return [stored.key for stored in client.archive.store.list("inputs/")]


def test_an_input_goes_with_the_last_job_that_is_kept(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Whether it was given as a file or by its name; a dry run tells the same and deletes none."""
    picture = _picture()
    first, second = client.submit(_varied(picture)), client.submit(_by_reference(picture))
    manual_worker.work(LANE)
    drop_record(client, first)
    assert _gone(client) == []
    drop_record(client, second)
    assert _gone(client, days_later=DAYS - 1) == []
    assert _gone(client, dry_run=True) == [picture.key]
    assert _left(client) == [picture.key, picture.key + inputs.USED]
    assert _gone(client) == [picture.key]
    assert _left(client) == []
    assert _gone(client) == []
    with pytest.raises(InvalidJob, match="does not hold this input picture"):
        client.submit(_by_reference(picture))
    assert _left(client) == []


def test_inputs_of_jobs_that_wait_are_pinned_or_would_be_recovered_are_kept(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Whatever their age, and whether the broker still knows of the jobs or not."""
    pinned, damaged, waiting = (_picture(shade) for shade in range(3))
    handles = [client.submit(_varied(one)) for one in (pinned, damaged)]
    client.pin(handles[0].id)
    manual_worker.work(LANE)
    client.submit(_varied(waiting))
    drop_record(client, *handles)
    record = f"jobs/{handles[1].id}/job.json"
    text = client.archive.store.get(record)
    client.archive.store.put(record, text.replace(b'"version": 1', b'"version": 2'))
    client.archive.store.delete(f"jobs/{handles[1].id}/result.json")
    assert _gone(client) == []
    forget_farm(client.settings)
    assert _gone(client) == []
    client.recover()
    client.unpin(handles[0].id)
    assert _gone(client) == [pinned.key]


def test_inputs_of_a_batch_are_kept(client: Client, run: Run, tmp_path: Path) -> None:
    """They are named in its items, and nowhere else."""
    Image.new("RGB", (64, 64)).save(tmp_path / "apple.png")
    lines = [{"kind": "image-to-image", "prompt": "an apple", "image": "apple.png"}]
    (tmp_path / "batch.jsonl").write_text("".join(json.dumps(line) for line in lines), "utf-8")
    assert run("batch", str(tmp_path / "batch.jsonl")).returncode == 0
    assert _gone(client) == []
    assert len(_left(client)) == 1


def test_an_input_is_kept_whose_job_only_the_broker_has(client: Client) -> None:
    """A store that lost power may have lost `job.json`; a recovery writes it again."""
    picture = _picture()
    handle = client.submit(_varied(picture))
    key = f"jobs/{handle.id}/job.json"
    client.written.keep({handle.id: client.archive.store.get(key)})
    client.archive.store.delete(key)
    assert _gone(client) == []
    assert _left(client) == [picture.key]


@pytest.fixture
def old_input(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Picture]:
    """An input that was written long ago, and that no job uses."""
    picture = _picture()
    client.archive.write_input(picture)
    store = client.archive.store
    listed = store.list

    def aged(prefix: str) -> Iterator[StoredObject]:
        for stored in listed(prefix):
            yield replace(stored, written=1.0) if stored.key == picture.key else stored

    monkeypatch.setattr(store, "list", aged)
    yield picture
    empty(client)


def _clean_now(client: Client) -> list[str]:
    cleaning = Cleaning(client, DAYS, now=time.time())
    return [one.key for one in InputCleaning(client, cleaning).run()]


def _before(patch: pytest.MonkeyPatch, store: Store, name: str, key: str, act: Any) -> None:
    """Have ``act`` called once, just before the store is asked so."""
    call, acts = getattr(store, name), [act]

    def late(given: str, *args: Any, **options: Any) -> Any:
        if given == key and acts:
            acts.pop()()
        return call(given, *args, **options)

    patch.setattr(store, name, late)


@pytest.mark.parametrize("by_reference", [False, True])
def test_a_job_that_is_submitted_before_the_input_is_looked_at_again_keeps_it(
    client: Client, old_input: Picture, monkeypatch: pytest.MonkeyPatch, by_reference: bool
) -> None:
    """All jobs have been searched by then, and none named it."""
    job = _by_reference(old_input) if by_reference else _varied(old_input)
    leaving = old_input.key + inputs.LEAVING
    _before(monkeypatch, client.archive.store, "put_new", leaving, lambda: client.submit(job))
    assert _clean_now(client) == []
    assert _left(client) == [old_input.key, old_input.key + inputs.USED]
    assert client.archive.read_input(old_input) == old_input.png


def test_a_job_that_is_submitted_while_its_input_is_deleted_writes_it_again(
    client: Client, old_input: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits until that is over."""
    store, noted = client.archive.store, threading.Event()
    submission = threading.Thread(target=lambda: client.submit(_varied(old_input)))
    head = store.head

    def seen(key: str) -> StoredObject | None:
        found = head(key)
        if key.endswith(inputs.LEAVING) and found is not None:
            noted.set()
        return found

    monkeypatch.setattr(store, "head", seen)

    def submitting() -> None:
        submission.start()
        assert noted.wait(60), "it did not look whether the input is being deleted"

    _before(monkeypatch, store, "delete", old_input.key, submitting)
    assert _clean_now(client) == [old_input.key]
    submission.join()
    assert client.archive.read_input(old_input) == old_input.png
    assert _left(client) == [old_input.key]
    (job,) = client.list()
    assert client.archive.read_job(job.id).job.pictures[0].key == old_input.key


def test_a_job_that_names_an_input_which_is_deleted_is_refused(
    client: Client, old_input: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no bytes to write again; nothing of it stays in the farm."""
    mark = old_input.key + inputs.USED

    def deleted() -> None:
        assert _clean_now(client) == [old_input.key]

    _before(monkeypatch, client.archive.store, "put", mark, deleted)
    with pytest.raises(InvalidJob, match="does not hold this input picture"):
        client.submit(_by_reference(old_input))
    assert client.list() == []


@pytest.mark.parametrize("requests", range(5))
def test_a_cleaning_of_inputs_that_was_killed_is_continued(
    client: Client, old_input: Picture, monkeypatch: pytest.MonkeyPatch, requests: int
) -> None:
    """After any of its requests; until an hour has passed, submissions are told to wait."""
    store, count = client.archive.store, 0

    class Killed(BaseException):
        pass

    with pytest.MonkeyPatch.context() as patch:
        for name in ("put_new", "delete"):
            call = getattr(store, name)

            def dying(key: str, *args: Any, call: Any = call, **options: Any) -> Any:
                nonlocal count
                if count == requests:
                    raise Killed
                count += 1
                return call(key, *args, **options)

            patch.setattr(store, name, dying)
        if requests < 4:
            with pytest.raises(Killed):
                _clean_now(client)
        else:
            assert _clean_now(client) == [old_input.key]
    assert _clean_now(client) == ([] if requests else [old_input.key])
    if 0 < requests < 4:
        monkeypatch.setattr(inputs, "_PATIENCE_S", 0.0)
        with pytest.raises(Conflict, match="being deleted"):
            inputs.use(store, old_input.key)
        store.delete(old_input.key + inputs.USED)
    cleaning = Cleaning(client, DAYS, now=time.time() + LEAST_S + 60)
    list(InputCleaning(client, cleaning).run())
    assert _left(client) == []


def test_a_mark_that_a_killed_cleaning_left_goes_when_its_input_is_used_again(
    client: Client, old_input: Picture
) -> None:
    """Nobody has to wait for the input to be old again."""
    store, leaving = client.archive.store, old_input.key + inputs.LEAVING
    for in_use in (f"jobs/j{'0' * 16}/job.json", old_input.key + inputs.USED):
        store.put(leaving, b"")
        store.put(in_use, old_input.reference.encode())
        cleaning = Cleaning(client, DAYS, now=time.time() + LEAST_S + 60)
        assert list(InputCleaning(client, cleaning).run()) == []
        assert store.head(leaving) is None
        assert store.head(old_input.key) is not None
        store.delete(in_use)


def test_the_command_tells_of_inputs_too(
    client: Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a dry run, as JSON and for good."""
    picture = _picture()
    client.archive.write_input(picture)
    monkeypatch.setattr("winepress.cleaning.LEAST_S", -60.0)
    told = json.loads(run("clean", "--days", "1e-9", "--dry-run", "--json").stdout)
    assert (told["input"], told["bytes"]) == (picture.key, len(picture.png or b""))
    assert _left(client) == [picture.key]
    said = run("clean", "--days", "1e-9")
    assert said.stdout.startswith(picture.key)
    assert "0 jobs with 0 objects, 1 inputs" in said.stderr
    assert _left(client) == []


def test_what_is_no_input_stays(client: Client) -> None:
    """Whatever its age."""
    keys = ["inputs/aa.png", f"inputs/{'a' * 64}", f"inputs/{'a' * 64}.png.kept"]
    for key in keys:
        client.archive.store.put(key, b"x")
    assert _gone(client) == []
    assert _left(client) == keys

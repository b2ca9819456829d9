"""The store has lost its newest objects: what was counted is drawn again, and nothing else."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command_line import Run
from support.manual_worker import LANE, ManualWorker, apple, forget_farm

from winepress import Client, JobHandle, JobState, ZoomVideo
from winepress.recovery import Progress, Recovery, Repair, Repaired
from winepress_shared.archive import output_key
from winepress_shared.stores.base import StoredObject
from winepress_shared.stores.folder import FolderStore


@pytest.fixture
def pictures(client: Client) -> Path:
    """The folder of the store that holds the jobs."""
    folder = client.settings.store_folder
    assert folder is not None
    return folder / client.settings.farm / "jobs"


def place_of(pictures: Path, handle: JobHandle, unit: int) -> Path:
    return pictures / output_key(handle.id, unit, "png").removeprefix("jobs/")


def repaired(client: Client, *, dry_run: bool = False) -> list[Repaired]:
    return list(Recovery(client, dry_run=dry_run).run())


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_lost_pictures_of_a_running_job_are_drawn_again_and_no_others(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """One is gone, one is cut off; a look alone changes nothing, and twice is once."""
    handle = client.submit(apple(n=8))
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1)
    done = handle.status().done
    assert done >= 3
    before = place_of(pictures, handle, 0).read_bytes()
    place_of(pictures, handle, 0).unlink()
    cut(place_of(pictures, handle, 1))
    found = [Repaired(handle.id, Repair.REDRAWN, 2)]
    assert repaired(client, dry_run=True) == found
    assert handle.status().done == done
    assert repaired(client) == found
    assert repaired(client) == []
    assert handle.status().done == done - 2
    manual_worker.work(LANE)
    assert len(handle.wait(timeout=60).images) == 8
    drawn = [event.fields["unit"] for event in handle.events() if event.name == "unit-started"]
    assert sorted(drawn) == sorted([*map(str, range(8)), "0", "1"])
    assert place_of(pictures, handle, 0).read_bytes() == before
    assert repaired(client) == []


def test_lost_pictures_of_a_job_that_has_succeeded_are_drawn_again(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """It is queued once more with what is whole, and its key stays its own."""
    handle = client.submit(apple(n=4), idempotency_key="k")
    manual_worker.live(LANE)
    manual_worker.work(LANE)
    assert handle.status().state is JobState.SUCCEEDED
    place_of(pictures, handle, 2).unlink()
    found = [Repaired(handle.id, Repair.REDRAWN, 1)]
    assert repaired(client, dry_run=True) == found
    assert handle.status().state is JobState.SUCCEEDED
    assert repaired(client) == found
    row = handle.status()
    assert (row.state, row.done) == (JobState.QUEUED, 3)
    assert client.submit(apple(n=4), idempotency_key="k").id == handle.id
    manual_worker.work(LANE)
    assert len(handle.wait(timeout=60).images) == 4
    assert repaired(client) == []


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_lost_result_is_written_again_without_drawing(
    client: Client, manual_worker: ManualWorker, pictures: Path, is_cut: bool
) -> None:
    """Every picture is there, and the ledger says that the job has ended."""
    handle = client.submit(apple(n=3))
    manual_worker.work(LANE)
    result = pictures / handle.id / "result.json"
    before = result.read_bytes()
    if is_cut:
        cut(result)
    else:
        result.unlink()
    found = [Repaired(handle.id, Repair.RESULT)]
    assert repaired(client, dry_run=True) == found
    assert set(repaired(client)) == set(found)
    assert result.read_bytes() == before
    assert handle.status().state is JobState.SUCCEEDED
    assert repaired(client) == []


def test_a_job_with_failures_keeps_them_when_its_result_is_written_again(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """The ledger knows why they failed."""
    handle = client.submit(apple(n=3))
    manual_worker.work(LANE, failing={1})
    result = pictures / handle.id / "result.json"
    before = json.loads(result.read_bytes())
    result.unlink()
    assert repaired(client) == [Repaired(handle.id, Repair.RESULT)]
    assert json.loads(result.read_bytes()) == before


def test_what_a_user_has_canceled_is_left_alone(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """Nobody waits for its pictures."""
    handle = client.submit(apple(n=8))
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1)
    handle.cancel()
    place_of(pictures, handle, 0).unlink()
    assert repaired(client) == []
    assert handle.status().state is JobState.CANCELED


def test_a_lost_key_frame_brings_back_what_was_drawn_on_it(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """A chain goes on from the lost one; what is still there is found and not drawn."""
    handle = client.submit(ZoomVideo(prompt="a valley", key_frames=5, seed=1))
    lane = handle.status().lane
    slice_ = manual_worker.ledger.claim(lane, "manual", manual_worker.holder, 3)
    assert slice_ is not None
    for unit in slice_.units[:3]:
        manual_worker._unit(slice_, unit, is_failing=False)
    done = handle.status().done
    place_of(pictures, handle, 1).unlink()
    assert repaired(client) == [Repaired(handle.id, Repair.REDRAWN, done - 1)]
    assert handle.status().done == 1
    again = manual_worker.ledger.claim(lane, "manual", manual_worker.holder, 3)
    assert again is not None
    assert again.units[0] == 1
    assert manual_worker.ledger.commit(slice_.fence, slice_.units[-1], {}) == "lost"
    assert repaired(client) == []


def test_a_recovered_job_does_not_count_a_picture_without_its_bytes(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """Broker and store lost their last seconds in the same power cut."""
    handle = client.submit(apple(n=8))
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1)
    done = handle.status().done
    cut(place_of(pictures, handle, 1))
    forget_farm(client.settings)
    assert repaired(client, dry_run=True) == [Repaired(handle.id, Repair.ENTERED)]
    assert repaired(client) == [Repaired(handle.id, Repair.ENTERED)]
    assert handle.status().done == done - 1
    assert repaired(client) == []


def test_pictures_counted_long_before_are_not_read(
    client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """With --minutes 0 only those of the last moment."""
    first = client.submit(apple())
    manual_worker.work(LANE)
    second = client.submit(apple())
    manual_worker.work(LANE)
    seen: list[Progress] = []
    list(Recovery(client, minutes=0.0, tell=seen.append).run())
    assert seen[-1].pictures < 2
    list(Recovery(client, tell=seen.append).run())
    assert seen[-1].pictures == 2
    assert {first.id, second.id} == set(client.counted.lately(60))


def test_a_word_of_the_command_says_what_would_be_done(
    run: Run, client: Client, manual_worker: ManualWorker, pictures: Path
) -> None:
    """And nothing more: then it is done."""
    lost = client.submit(apple())
    manual_worker.work(LANE)
    place_of(pictures, lost, 0).unlink()
    look = run("recover", "--dry-run")
    assert f"{lost.id}  1 picture lost, to be drawn again" in look.stdout
    assert "nothing is changed" in look.stderr
    assert run("recover", "--dry-run", "--json").stdout == (
        json.dumps({"id": lost.id, "repair": "redrawn", "lost": 1}) + "\n"
    )
    assert "lost pictures of 1 jobs found" in run("recover").stderr
    assert lost.status().state is JobState.QUEUED
    wrong = run("recover", "--minutes", "nan")
    assert (wrong.returncode, "allowed: 0 to" in wrong.stderr) == (2, True)


# -- memory ----------------------------------------------------------------------------------


@dataclass
class EndlessListing:
    """Stands for a store's listing: so many jobs that have ended, three objects each."""

    jobs: int

    def __call__(self, prefix: str) -> Iterator[StoredObject]:
        for number in range(self.jobs) if prefix == "jobs/" else ():
            for name in ("job.json", "out/000000.png", "result.json"):
                yield StoredObject(f"jobs/j{number:019x}/{name}", 1)


def peak_of(client: Client, jobs: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(client.archive.store, "list", EndlessListing(jobs))
    tracemalloc.start()
    try:
        assert repaired(client) == []
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_store(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times the objects need no more; kept, their listing alone would take many MiB."""
    peak_of(client, 100, monkeypatch)  # what is made once
    few, many = (peak_of(client, jobs, monkeypatch) for jobs in (2_000, 20_000))
    assert many < few + 2**21, "threads of other tests may take some"


def test_a_folder_is_listed_in_pages(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name once and in order, and no more of them at a time than a page has."""
    store = FolderStore(tmp_path / "pages")
    names = [f"jobs/j{number:03d}" for number in range(50)]
    for name in names:
        store.put(name, b"x")
    for page in (1, 7, 50, 51):
        monkeypatch.setattr("winepress_shared.stores.folder_names._PAGE", page)
        assert [one.key for one in store.list("jobs/")] == names
        assert [one.key for one in store.list("jobs/j01")] == names[10:20]

"""What a worker does with slices that it cannot prepare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.executor_harness import LANE, Accounts, ExecutorHarness

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, FailForGood, ObjectMissing, WorkerBroken
from winepress_shared.items import Item, write_items
from winepress_shared.jobs.job import Batch, Job, TextToImage
from winepress_shared.stores.folder import FolderStore
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings, Fault
from winepress_worker.renderer.batching import Batching

FOX = Catalogue.load().resolve(TextToImage(prompt="a fox", seed=1, num_inference_steps=1))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """A store that holds one other job."""
    archive = Archive(FolderStore(tmp_path))
    archive.write_job(JobRecord("other", FOX, LANE, "ada"))
    return archive


def run(archive: Archive, *units: int, called_at: tuple[int, ...] = (), **engine: Any) -> Accounts:
    """Run a slice of the job "j"; another lane calls the worker away from some units."""
    lone = ExecutorHarness(FakeEngine(FakeSettings(**engine)), archive)
    lone.accounts.called_at = called_at
    return lone.run(units)


def test_a_process_that_breaks_while_it_loads_is_replaced(archive: Archive) -> None:
    """The attempts count, and the fault reaches whoever ends the process."""
    archive.write_job(JobRecord("j", FOX, LANE, "ada"))
    faults = run(archive, 0, 1, load_fault=Fault.BROKEN).faults
    assert faults == dict.fromkeys((0, 1, -1), WorkerBroken)


@pytest.mark.parametrize("fault", [Fault.RETRY, Fault.FAIL, Fault.ENVIRONMENT])
def test_a_model_that_cannot_be_loaded_here_is_no_fault_of_a_job(
    archive: Archive, fault: Fault
) -> None:
    """Whatever the device says: no job has asked for anything yet, so no attempt is counted."""
    archive.write_job(JobRecord("j", FOX, LANE, "ada"))
    assert run(archive, 0, 1, load_fault=fault).faults == {0: EnvironmentFault}


def test_what_was_drawn_of_a_slice_is_counted_before_it_is_given_back(archive: Archive) -> None:
    """Afterwards its units are another worker's, and a picture would be drawn twice."""
    job = FOX.model_copy(update={"n": 3, "prompt": "a fox [[environment#2]]"})
    archive.write_job(JobRecord("j", job, LANE, "ada"))
    accounts = run(archive, 0, 1)
    assert accounts.faults == {1: EnvironmentFault}
    assert accounts.settled_before == [0]


def test_a_job_whose_description_is_lost_ends_and_does_not_rest_its_lane(
    archive: Archive,
) -> None:
    """Rested for it, the lane would meet it again after every rest, before all other jobs."""
    assert run(archive, 0).faults == {0: FailForGood}


def test_an_empty_store_is_no_fault_of_a_job(tmp_path: Path) -> None:
    """A shared folder that is not mounted must not end every job of the farm."""
    assert run(Archive(FolderStore(tmp_path)), 0).faults == {0: ObjectMissing}


def test_a_slice_ends_where_another_lane_calls_its_worker_away(archive: Archive) -> None:
    """What is drawn is on its way, the rest is given back, nothing has failed."""
    archive.write_job(JobRecord("j", FOX.model_copy(update={"n": 9}), LANE, "ada"))
    accounts = run(archive, *range(9), called_at=(3,))
    assert list(accounts.drawn) in ([0], [0, 1], [0, 1, 2]), "one call, or what came before it"
    assert accounts.faults == {}
    assert accounts.is_given_back


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_damaged_item_of_a_batch_ends_itself_alone(archive: Archive, damaged: int) -> None:
    """Wherever it lies in the slice, its neighbours are drawn."""
    _write_batch(archive, [b"{}\n" if unit == damaged else Item(FOX).encode() for unit in range(3)])
    accounts = run(archive, 0, 1, 2)
    assert accounts.faults == {damaged: FailForGood}
    assert list(accounts.drawn) == [unit for unit in range(3) if unit != damaged]


def test_a_batch_whose_items_are_lost_ends(archive: Archive) -> None:
    """What the store has lost no pause brings back."""
    _write_batch(archive, [])
    assert run(archive, 0, 1).faults == {0: FailForGood, 1: FailForGood}


def _write_batch(archive: Archive, items: list[bytes]) -> None:
    write_items(archive, "j", items)
    batch: Job = Batch(n=3, model=FOX.model)
    archive.write_job(JobRecord("j", batch, LANE, "ada"))


def test_a_picture_says_what_of_its_own_prompt_was_not_read(archive: Archive) -> None:
    """Each of a batch, whether it is drawn alone or with others, beside what was known before."""
    long = FOX.model_copy(update={"prompt": "a fox " * 50 + "at night"})
    jobs = [FOX, long, FOX, long]
    items = [Item(job, warnings=("known",)).encode() for job in jobs]
    write_items(archive, "j", items)
    archive.write_job(JobRecord("j", Batch(prompt="b", n=4), LANE, "ada"))
    warnings = run(archive, 0, 1, 2, 3).warnings
    assert warnings[0] == warnings[2] == ("known",)
    assert warnings[1] == warnings[3]
    assert warnings[1][0] == "known"
    assert warnings[1][1].startswith("prompt is cut after 77 tokens, not read: ")
    assert warnings[1][1].endswith("fox at night")


@pytest.mark.parametrize("line", [b"[]", b"null", b"[" * 10_000, b'{"name": 1}', b"\xff"])
def test_a_batch_item_that_is_none_costs_its_own_picture(archive: Archive, line: bytes) -> None:
    """Its slice is settled to the last unit: the others are drawn."""
    archive.write_job(JobRecord("j", Batch(n=3), LANE, "ada"))
    good = Item(FOX).encode()
    write_items(archive, "j", [good, line + b"\n", good])
    accounts = run(archive, 0, 1, 2)
    assert accounts.faults == {1: FailForGood}
    assert list(accounts.drawn) == [0, 2]


def test_whatever_escapes_while_a_slice_is_drawn_settles_the_slice(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No slice stays with a process that works on it no more."""

    def fail(self: Any, *_: Any) -> None:
        raise AttributeError("nobody foresaw this")

    archive.write_job(JobRecord("j", FOX, LANE, "ada"))
    monkeypatch.setattr(Batching, "plan", fail)
    accounts = run(archive, 0, 1)
    assert accounts.faults == dict.fromkeys((0, 1), AttributeError)

"""Batches in the ledger and the store, with a worker in the test's own hands."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from support.manual_worker import LANE, ManualWorker, forget_farm

from winepress import Client, JobHandle, Priority
from winepress.bulk.line import Line
from winepress.bulk.manifest import manifest_rows, write_contact_sheets, write_manifest
from winepress.bulk.plan import Plan, PlanOptions
from winepress.bulk.submission import submit_plan
from winepress.submit_options import SubmitOptions
from winepress_shared.errors import Conflict, InvalidJob, ObjectMissing, QueueFull
from winepress_shared.items import ItemReader
from winepress_shared.settings import Settings
from winepress_shared.window import Window

ANN = SubmitOptions("ann")


def plan_of(client: Client, count: int, **defaults: object) -> Plan:
    plan = Plan(client.catalogue, PlanOptions(defaults={"priority": "bulk", **defaults}))
    plan.add(Line(n, {"prompt": f"cat {n}", "seed": n}, name=f"c{n}") for n in range(1, count + 1))
    return plan


def submit(client: Client, count: int, submit_options: SubmitOptions = ANN) -> JobHandle:
    (handle,) = submit_plan(client, plan_of(client, count), submit_options, title="cats")
    return handle


def test_a_batch_is_one_job_whose_items_lie_in_the_store(
    client: Client, manual_worker: ManualWorker
) -> None:
    """The ledger holds one row of a bulk of 1,200 pictures, the store three objects of items."""
    handle = submit(client, 1200)
    row = handle.status()
    assert (row.kind, row.units, row.priority, row.lane) == ("batch", 1200, Priority.BULK, LANE)
    keys = [stored.key.rpartition("/")[2] for stored in client.archive.store.list("jobs/")]
    assert sorted(keys) == ["000000.jsonl", "000500.jsonl", "001000.jsonl", "job.json"]
    record, reader = client.archive.read_job(handle.id), ItemReader(client.archive)
    for unit in (0, 499, 500, 1199, 3):
        item = reader.item(record, unit)
        assert (item.job.prompt, item.job.seed, item.name) == (
            f"cat {unit + 1}",
            unit + 1,
            f"c{unit + 1}",
        )


def test_each_lane_and_priority_gets_a_job(client: Client) -> None:
    """Units of one job share model, precision, device class and priority."""
    plan = plan_of(client, 2)
    plan.add([Line(3, {"prompt": "x", "precision": "int8-weights"}), Line(4, {"prompt": "y"})])
    handles = submit_plan(client, plan, ANN)
    rows = [handle.status() for handle in handles]
    assert {(row.lane, row.units) for row in rows} == {(LANE, 3), ("vignette.int8-weights", 1)}


def test_a_refused_batch_leaves_nothing_behind(farm_settings: Settings) -> None:
    """Neither in the store nor in the ledger."""
    with Client(farm_settings) as client:
        client.farm.set_limits({"queue_limit": 5})
        plan = plan_of(client, 3)
        handles = submit_plan(client, plan, ANN)
        with pytest.raises(QueueFull):
            submit_plan(client, plan, ANN)
        with pytest.raises(InvalidJob, match="contains no pictures"):
            submit_plan(client, plan_of(client, 0), ANN)
        assert [row.id for row in client.list()] == [handles[0].id]
        folders = {stored.key.split("/")[1] for stored in client.archive.store.list("jobs/")}
        assert folders == {handles[0].id}


def test_the_same_key_gives_the_same_jobs_and_another_file_is_a_conflict(client: Client) -> None:
    """A script that runs twice draws once; its items are not left over."""
    keyed = replace(ANN, idempotency_key="night")
    first = submit(client, 3, keyed)
    assert submit(client, 3, keyed).id == first.id
    with pytest.raises(Conflict):
        submit(client, 4, keyed)
    folders = {stored.key.split("/")[1] for stored in client.archive.store.list("jobs/")}
    assert folders == {first.id}


def test_the_manifest_lists_every_picture_and_fetch_goes_on_where_it_was(
    client: Client, manual_worker: ManualWorker, tmp_path: Path
) -> None:
    """Failures too; what is on disk and the same is not read from the store again."""
    handle = submit(client, 6)
    manual_worker.work(LANE, failing=(4,))
    saved = handle.save(tmp_path)
    assert len(saved) == 5
    rows = list(manifest_rows(client, handle.id))
    assert [row["state"] for row in rows] == ["done"] * 4 + ["failed", "done"]
    assert (rows[4]["name"], rows[4]["error"], rows[4]["prompt"]) == ("c5", "FailForGood", "cat 5")
    json_path, csv_path = write_manifest(rows, tmp_path)
    assert [json.loads(line) for line in json_path.read_text().splitlines()] == rows
    with csv_path.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table if row["file"]] == [path.name for path in saved]
    (sheet,) = write_contact_sheets(rows, tmp_path)
    assert sheet.stat().st_size > 1000

    client.archive.store.delete(handle.result.outputs[0].key)
    assert handle.save(tmp_path) == saved
    saved[0].unlink()
    with pytest.raises(ObjectMissing):
        handle.save(tmp_path)


def test_one_failed_picture_does_not_stop_the_rest_and_retry_draws_it_alone(
    client: Client, manual_worker: ManualWorker
) -> None:
    """The others are kept."""
    handle = submit(client, 20)
    manual_worker.work(LANE, failing=(3, 11))
    row = handle.status()
    assert (row.state, row.done, row.failed) == ("failed", 18, 2)
    client.retry(handle.id)
    assert client.ledger.waiting() == {LANE: 2}
    manual_worker.work(LANE)
    assert handle.status().state == "succeeded"


def test_a_batch_gives_up_after_too_many_failures(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Pictures nobody had in hand are not begun; the result says so, and retry brings them back."""
    (handle,) = submit_plan(client, plan_of(client, 1000), ANN, max_failed=2)
    manual_worker.work(LANE, failing=range(5, 1000))
    row = handle.status()
    assert (row.state, row.done, row.done + row.failed) == ("failed", 5, 1000)
    messages = [failure.message for failure in handle.result.failures]
    assert "told to" in messages[0]
    assert "more than 2 pictures" in messages[-1]
    client.retry(handle.id)
    manual_worker.work(LANE)
    assert handle.status().state == "succeeded"


def test_a_batch_comes_back_after_the_ledger_was_lost(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings
) -> None:
    """Its items, its start and its window lie in the store."""
    window = Window((_minute() + 60) % 1440, (_minute() + 120) % 1440)
    handle = submit(client, 3, replace(ANN, start_in=3600, window=window))
    forget_farm(farm_settings)
    assert [found.id for found in client.recover()] == [handle.id]
    row = handle.status()
    assert row.window == window
    assert row.starts == pytest.approx(time.time() + 3600, abs=30)


def _minute() -> int:
    return int(time.time() % 86_400 // 60)


def _sweep(
    manual_worker: ManualWorker, farm: str, settings: Settings
) -> Sequence[tuple[str, int, int]]:
    """Sweep now, however short ago the last time was."""
    with redis.Redis.from_url(settings.broker_url.get_secret_value()) as server:
        server.delete(f"{farm}:swept")
    return manual_worker.ledger.sweep() or []


def test_a_job_is_not_begun_before_its_start(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings
) -> None:
    """Claims do not see it; when the time has come, the sweep puts it where they do."""
    handle = submit(client, 3, replace(ANN, start_in=0.4))
    assert client.ledger.waiting() == {}
    assert manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 10) is None
    assert "starts no earlier than" in handle.explain()
    deadline = time.monotonic() + 20
    while not _sweep(manual_worker, farm_settings.farm, farm_settings):
        assert time.monotonic() < deadline
    manual_worker.work(LANE)
    assert handle.status().state == "succeeded"


def test_a_job_is_worked_on_in_its_part_of_the_day_only(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Outside it waits; inside it is handed out."""
    now = _minute()
    shut = submit(client, 3, replace(ANN, window=Window((now + 5) % 1440, (now + 105) % 1440)))
    assert manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 10) is None
    assert "only during" in shut.explain()
    opened = Window((now - 5) % 1440, (now + 95) % 1440)
    handle = submit(client, 3, replace(ANN, window=opened))
    manual_worker.work(LANE)
    assert handle.status().state == "succeeded"
    assert shut.status().done == 0


def test_a_job_whose_window_closes_is_handed_out_no_more(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings
) -> None:
    """It waits for the next day, and pictures in hand are finished."""
    handle = submit(
        client, 50, replace(ANN, window=Window((_minute() - 5) % 1440, (_minute() + 5) % 1440))
    )
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 10)
    assert slice_ is not None
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as server:
        row = f"{farm_settings.farm}:job:{handle.id}"
        server.hset(row, "opens", (_minute() + 5) % 1440)
        server.hset(row, "closes", (_minute() + 15) % 1440)
    assert manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 10) is None
    assert client.ledger.waiting() == {}
    manual_worker.ledger.start(slice_.fence, slice_.units[0])
    assert manual_worker.ledger.commit(slice_.fence, slice_.units[0], {"key": "x"}) == "ok"

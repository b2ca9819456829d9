"""A bad document or record costs its own job: all others, and every command, go on."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from support.audited_farm import AuditedFarm
from support.command_line import WINEPRESS, environment
from support.manual_worker import LANE, ManualWorker, apple, forget_farm

from winepress import Client
from winepress_shared.errors import DamagedRecord, InvalidJob
from winepress_shared.ledger.submissions import Submission
from winepress_shared.settings import Settings

WRONG: tuple[dict[str, Any], ...] = (
    *({"units": units} for units in (0, -1, 10**9, "x", 1.5)),
    *({"priority": priority} for priority in (-1, 3, "x")),
    *({"cost": cost} for cost in (float("nan"), float("inf"), -1.0)),
    *({"expires_in_ms": value} for value in ("tomorrow", 1e300)),
    *({"starts_in_ms": "x"}, {"max_failed": -2}, {"user": "a b"}, {"user": ""}, {"lane": "a:b"}),
    *({"id": "../../x"}, {"id": "x" * 65}, {"kind": ""}),
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_submission_with_one_bad_value_leaves_nothing_behind(
    farm: AuditedFarm, wrong: dict[str, Any]
) -> None:
    """The script checks all of it before it writes any of it."""
    good: dict[str, Any] = {
        "id": "job",
        "kind": "batch",
        "lane": LANE,
        "user": "ada",
        "priority": 1,
        "units": 3,
        "digest": "d",
        "idempotency_key": "key",
    }
    before = farm.ledger._server.client.keys(f"{farm.ledger._prefix}*")
    with pytest.raises(InvalidJob):
        farm.ledger.submit(Submission(**good | wrong))
    assert farm.ledger._server.client.keys(f"{farm.ledger._prefix}*") == before


def test_a_priority_that_is_none_changes_nothing(client: Client) -> None:
    """Nor does a verb that is none."""
    job_id = client.submit(apple()).id
    before = client.ledger._server.client.hgetall(f"{client.ledger._prefix}job:{job_id}")
    for verb, reason in (("reprioritise", "x"), ("reprioritise", "7"), ("explode", "")):
        with pytest.raises(InvalidJob):
            client.ledger.control(job_id, verb, reason)
    assert client.ledger._server.client.hgetall(f"{client.ledger._prefix}job:{job_id}") == before


def test_units_that_are_none_are_not_kept(farm: AuditedFarm) -> None:
    """A number in the billions would have the server lay out a bitmap of half a GiB."""
    with pytest.raises(InvalidJob):
        farm.ledger.keep_units("job", {0: {}, 2**32 - 1: {}})
    assert not farm.ledger._server.client.exists(f"{farm.ledger._prefix}done:job")


def test_what_a_worker_says_of_itself_may_be_anything(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Scripts and readers go on; of one that talks nonsense nothing is known."""
    manual_worker.live(LANE)
    with redis.Redis.from_url(client.settings.broker_url.get_secret_value()) as broker:
        nonsense = (
            *(b"x", b"[]", b'{"lanes": 7}', b'{"lanes": [7, {}]}', b"[" * 5000, b"null"),
            *(b'{"unfit": 7}', b'{"unfit": {"a.fp16": []}}', b'{"too_large": {"a.fp16": "x"}}'),
            *(b'{"pictures_per_call": [4]}', b'{"memory_budget": "much"}'),
        )
        for text in nonsense:
            broker.set(f"{client.settings.farm}:worker:manual", text)
            broker.set(f"{client.settings.farm}:renderer:manual", text)
            (worker,) = client.workers()
            assert worker.facts.get("lanes", []) == []
            reply = client.ledger.beat("manual", "manual/1", {"lanes": [LANE]})
            assert reply.renderer in ({}, None)
            client.ledger.describe_renderer("manual", {"megapixel_steps_per_s": [7]})
            client.lanes.look("manual")


def winepress(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WINEPRESS, *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def damage(client: Client, job_id: str, **fields: str) -> None:
    with redis.Redis.from_url(client.settings.broker_url.get_secret_value()) as broker:
        broker.hset(f"{client.settings.farm}:job:{job_id}", mapping=dict(fields))


def test_a_damaged_record_does_not_hide_the_others(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings
) -> None:
    """`list` shows the rest, `status` and `doctor` say which one it is and what to do."""
    manual_worker.live(LANE)
    good, bad = client.submit(apple()), client.submit(apple())
    damage(client, bad.id, state="sleeping", created="yesterday")
    assert [row.id for row in client.list()] == [good.id]
    with pytest.raises(DamagedRecord, match=bad.id):
        bad.status()
    for arguments, codes, text in (
        (["list"], (0,), good.id),
        (["status", bad.id], (1,), "damaged"),
        (["doctor"], (1, 3), bad.id),
    ):
        ended = winepress(farm_settings, *arguments)
        assert ended.returncode in codes
        assert text in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr


def test_what_is_no_record_at_all_does_not_hide_the_others(client: Client) -> None:
    """Whoever may write to the broker may put a text where a job's hash belongs."""
    good, bad = client.submit(apple()), client.submit(apple())
    with redis.Redis.from_url(client.settings.broker_url.get_secret_value()) as broker:
        broker.set(f"{client.settings.farm}:job:{bad.id}", "mine")
    assert [row.id for row in client.list()] == [good.id]
    with pytest.raises(DamagedRecord, match=bad.id):
        bad.status()
    assert [error.value for error in client.farm.damaged()] == [bad.id]


def test_damaged_jobs_of_the_store_do_not_keep_the_others_from_coming_back(
    client: Client, manual_worker: ManualWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of them is named, and none gets a row."""
    handles = [client.submit(apple(seed=number)) for number in range(7)]
    changes: tuple[dict[str, Any], ...] = (
        *({"expires": "tomorrow"}, {"id": "../../x"}, {"window": {"opens": 5}}),
        *({"job": []}, {"cost": -1}, {"unknown": 1}),
    )
    for handle, change in zip(handles, changes, strict=False):
        key = f"jobs/{handle.id}/job.json"
        record = json.loads(client.archive.store.get(key))
        client.archive.store.put(key, json.dumps(record | change).encode())
    forget_farm(client.settings)
    with caplog.at_level(logging.WARNING):
        assert [handle.id for handle in client.recover()] == [handles[-1].id]
    assert all(handle.id in caplog.text for handle in handles[:-1])
    assert [row.id for row in client.list()] == [handles[-1].id]


@pytest.mark.parametrize("data", [b"[]", b"x", b"[" * 100_000, b'{"version": 1}', bytes(2**26 + 1)])
def test_a_damaged_result_is_said_in_one_sentence(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings, data: bytes
) -> None:
    """By every command that reads it."""
    handle = client.submit(apple())
    manual_worker.work(LANE)
    client.archive.store.put(f"jobs/{handle.id}/result.json", data)
    ended = winepress(farm_settings, "fetch", handle.id, "--out", "pictures")
    assert ended.returncode == 1
    assert "result.json is" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_damaged_events_do_not_end_a_wait(
    client: Client, manual_worker: ManualWorker, farm_settings: Settings, tmp_path: Path
) -> None:
    """They are passed over; what the job itself says decides."""
    handle = client.submit(apple())
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        stream = f"{farm_settings.farm}:events:{handle.id}"
        for fields in ({"x": "y"}, {"event": "progress", "at": "x"}, {"event": "progress"}):
            broker.xadd(stream, dict(fields))
        broker.xadd(stream, {"event": "unit-done", "at": "1", "unit": "0", "done": "9" * 5000})
        broker.xadd(stream, {"event": "preview", "at": "1"})
    manual_worker.work(LANE)
    for words in (("wait", handle.id), ("watch", handle.id, "--previews", str(tmp_path))):
        ended = winepress(farm_settings, *words)
        assert ended.returncode == 0
        assert "Traceback" not in ended.stderr

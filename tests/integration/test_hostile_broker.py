"""Who may write to the broker can neither end a worker nor steer it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from support.worker_process import WorkerProcess, await_condition

from winepress import Client, TextToImage
from winepress_shared.broker import RENDER, make_celery
from winepress_shared.settings import Settings

LANE = "vignette.fp16"
ORDERS: dict[str, dict[str, Any]] = {
    "shutdown": {},
    "rate_limit": {"task_name": RENDER, "rate_limit": "1/h"},
    "time_limit": {"task_name": RENDER, "hard": 0.01, "soft": 0.01},
    "cancel_consumer": {"queue": LANE},
    "add_consumer": {"queue": "elsewhere"},
    "pool_grow": {"n": 8},
    "pool_shrink": {"n": 1},
    "pool_restart": {"modules": ["antigravity"]},
    "autoscale": {"max": 9, "min": 9},
    "revoke": {"task_id": "x", "terminate": True},
    "terminate": {"task_id": "x", "signal": "KILL"},
    "disable_events": {},
    "election": {"id": 1, "topic": "task"},
}


def ticket(**changes: Any) -> dict[str, Any]:
    """A ticket as Celery sends it, with ``changes`` at its top."""
    body = [[], {"lane": LANE}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    properties = {"delivery_tag": str(uuid.uuid4()), "delivery_info": {}, "delivery_mode": 2}
    message = {
        "body": json.dumps(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": RENDER, "id": str(uuid.uuid4())},
        "properties": properties | {"body_encoding": "utf-8"},
    }
    return message | changes


def headed(**headers: Any) -> dict[str, Any]:
    return ticket(headers={"task": RENDER, "id": str(uuid.uuid4())} | headers)


_NOTHINGS: tuple[Any, ...] = (None, [], 7, "x", {})
ENTRIES: tuple[bytes, ...] = (
    *(b"", b"x", b"\xff\xfe", b"{", b"[]", b"{}", b"null", b"7", b'"x"', b"9" * 5000),
    *(b"[" * 100_000, b'{"a":' * 5000, b"NaN", b'{"__type__": "datetime", "__value__": 5}'),
    json.dumps(ticket(body="\x00" * 1_000_000)).encode(),
    *(
        json.dumps(message).encode()
        for message in (
            *({**ticket(), name: value} for name in ticket() for value in _NOTHINGS),
            *(
                ticket(body=body)
                for body in ("[]", "[[], {}, {}]", "[" * 100_000, "{}", "9" * 5000)
            ),
            ticket(
                body="gASVBQAAAAAAAABLBy4=", **{"content-type": "application/x-python-serialize"}
            ),
            headed(task="celery.chord_unlock"),
            headed(task="os.system"),
            headed(timelimit=[0.001, 0.001]),
            headed(eta="2099-01-01T00:00:00", expires="yesterday"),
            headed(id=[1, 2]),
            headed(retries="x", group={"a": 1}, stamped_headers=["x"], x=7),
        )
    ),
)


@pytest.fixture
def worker(farm_settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A worker with the fake engine, and its log."""
    with WorkerProcess(farm_settings, tmp_path, "one"), Client(farm_settings) as client:
        await_condition(lambda: any(one.renderer.get("pid") for one in client.workers()))
        yield tmp_path / "one.log"


def facts_of(client: Client) -> tuple[int, int, list[str]]:
    """Process ids of parent and renderer, and the lanes: what an order would change."""
    (one,) = client.workers()
    return one.facts["pid"], one.renderer["pid"], one.facts["lanes"]


@pytest.mark.case(31)
def test_entries_that_are_no_tickets_are_dropped_one_by_one(
    client: Client, worker: Path, farm_settings: Settings
) -> None:
    """The parent lives, its renderer too, the log names them, and pictures go on being drawn."""
    before = facts_of(client)
    key = f"{farm_settings.farm}:queue:{LANE}"
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        broker.lpush(key, *ENTRIES)
        await_condition(lambda: not broker.exists(key))
    client.submit(TextToImage(prompt="a cat", seed=1)).wait(timeout=240)
    assert facts_of(client) == before
    text = worker.read_text()
    assert text.count("was dropped") > len(ENTRIES) // 2
    assert "Traceback" not in text


def test_a_broker_that_answers_with_errors_is_asked_again(
    client: Client, worker: Path, farm_settings: Settings
) -> None:
    """It refuses to read what is no queue, as it refuses everything while its disk is full."""
    before = facts_of(client)
    key = f"{farm_settings.farm}:queue:{LANE}"
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        broker.set(key, "no list")
        await_condition(lambda: "ResponseError" in worker.read_text())
        broker.delete(key)
    client.submit(TextToImage(prompt="a cat", seed=3)).wait(timeout=240)
    assert facts_of(client) == before


def test_what_lies_among_lost_tickets_does_not_keep_a_worker_from_starting(
    farm_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """Workers keep no record of tickets in hand, and read none that somebody else wrote."""
    prefix = f"{farm_settings.farm}:queue:"
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        for number, text in enumerate((b"x", b"[]", b"[" * 100_000, b"[[], 1, 2]")):
            broker.hset(f"{prefix}unacked", f"tag{number}", text)
            broker.zadd(f"{prefix}unacked_index", {f"tag{number}": 1.0})
        with WorkerProcess(farm_settings, tmp_path, "one"):
            client.submit(TextToImage(prompt="a cat", seed=1)).wait(timeout=240)
            assert broker.hlen(f"{prefix}unacked") == 4


def test_a_worker_answers_questions_and_obeys_nobody(
    client: Client, worker: Path, farm_settings: Settings
) -> None:
    """Broadcasts to all and to one by name; what Flower asks is answered."""
    app = make_celery(farm_settings)
    before = facts_of(client)
    (name,) = app.control.inspect(timeout=60, limit=1).ping()
    for order, arguments in ORDERS.items():
        app.control.broadcast(order, arguments=arguments)
        app.control.broadcast(order, arguments=arguments, destination=[name])
    inspect = app.control.inspect(destination=[name], timeout=60)
    assert inspect.stats()[name]["pool"]["max-concurrency"] == 1
    assert inspect.registered()[name] == [RENDER]
    assert {queue["name"] for queue in inspect.active_queues()[name]} == set(before[2])
    client.submit(TextToImage(prompt="a cat", seed=2)).wait(timeout=240)
    assert facts_of(client) == before
    assert all(f"does not obey '{order}'" in worker.read_text() for order in ORDERS)


def test_broadcasts_that_are_none_are_dropped(
    client: Client, worker: Path, farm_settings: Settings
) -> None:
    """Whatever is sent down the channel of questions, the next question is answered."""
    app, before = make_celery(farm_settings), facts_of(client)
    with redis.Redis.from_url(farm_settings.broker_url.get_secret_value()) as broker:
        channel = f"{farm_settings.farm}:queue:/0.celery.pidbox"
        assert broker.publish(channel, b"x")
        for entry in ENTRIES:
            broker.publish(channel, entry)
        questions: list[Any] = [{"method": []}, {"method": "ping", "reply_to": 7}, {"a": {}}, []]
        for body in questions:
            broker.publish(channel, json.dumps(ticket(body=json.dumps(body))))
    began = time.monotonic()
    while not app.control.inspect(timeout=5, limit=1).ping():
        assert time.monotonic() - began < 60
    client.submit(TextToImage(prompt="a cat", seed=3)).wait(timeout=240)
    assert facts_of(client) == before

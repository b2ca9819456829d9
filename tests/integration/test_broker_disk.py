"""What was accepted is on the broker's disk, or its submitter is told that it may not be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import redis
from pydantic import SecretStr
from support.manual_worker import apple
from support.servers import ValkeyServer

from winepress import AsyncClient, BrokerUnreachable, Client
from winepress.commands.farm import check_broker
from winepress.recovery import Recovery, Repair, Repaired
from winepress.stored_jobs import StoredJobs
from winepress_shared.errors import FailForGood
from winepress_shared.ledger import confirmation
from winepress_shared.ledger.broker_disk import BrokerDisk, answers_early
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings
from winepress_worker.parent.process import run_worker
from winepress_worker.renderer.confirmations import Confirmations
from winepress_worker.renderer.slice_reader import SliceReader


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server whose configuration these tests change."""
    with ValkeyServer(tmp_path_factory.mktemp("disk-valkey")) as server:
        yield server


@pytest.fixture
def configured(broker: ValkeyServer) -> Iterator[redis.Redis]:
    """Its administrator; what a test changes is changed back."""
    with redis.Redis.from_url(broker.url) as admin:
        yield admin
        admin.config_set("appendonly", "yes")
        admin.config_set("appendfsync", "always")
        admin.acl_deluser("limited")


@pytest.fixture
def asking(farm_settings: Settings, broker: ValkeyServer, configured: redis.Redis) -> Settings:
    """A farm that asks for the disk, on that server."""
    configured.config_set("appendfsync", "always")
    url = SecretStr(broker.url)
    return farm_settings.model_copy(update={"durability": "disk", "broker_url": url})


@pytest.fixture
def client(asking: Settings) -> Iterator[Client]:
    with Client(asking) as one:
        one.submit(apple()).cancel()  # the server has the scripts from now on
        yield one


def calls_of(admin: redis.Redis, command: str) -> int:
    stats: dict[str, Any] = admin.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


def asked(admin: redis.Redis) -> int:
    """How often the server was asked what its disk has."""
    return calls_of(admin, "waitaof")


def test_a_submission_asks_once_however_many_jobs_it_has(
    client: Client, configured: redis.Redis
) -> None:
    """So a batch costs no more than a job; and a job that is found by its key is asked for too."""
    before = asked(configured)
    client.submit_many([apple() for _ in range(30)])
    assert asked(configured) - before == 1
    first = client.submit(apple(), idempotency_key="k")
    before = asked(configured)
    assert client.submit(apple(), idempotency_key="k").id == first.id
    assert asked(configured) - before == 1


def test_an_async_client_asks_too(
    asking: Settings, client: Client, configured: redis.Redis
) -> None:
    """It is the same submission in a thread, as for the gateway and batch files."""

    async def submit() -> None:
        async with AsyncClient(asking) as one:
            await one.submit(apple())

    before = asked(configured)
    asyncio.run(submit())
    assert asked(configured) - before == 1


def test_a_farm_that_does_not_ask_is_not_slowed(asking: Settings, configured: redis.Redis) -> None:
    """The setting `second`."""
    before = asked(configured)
    with Client(asking.model_copy(update={"durability": "second"})) as client:
        client.submit(apple())
        assert "durability = second" in check_broker(client).text
    assert asked(configured) == before


def test_all_jobs_of_a_batch_are_held_in_one_go(client: Client, configured: redis.Redis) -> None:
    """A server that syncs every write would otherwise sync after each few of them."""
    before = calls_of(configured, "exec")
    client.submit_many([apple() for _ in range(100)])
    assert calls_of(configured, "exec") - before == 2  # and their descriptions are kept in one


@pytest.mark.parametrize("answer", [[0, 0], None])
def test_a_job_that_the_disk_does_not_confirm_is_not_accepted(
    client: Client, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    """Its submitter is told, and nothing of it is left: submitted again, it is drawn once."""
    check = confirmation.check_confirmed
    monkeypatch.setattr(
        "winepress_shared.ledger.script_server.check_confirmed",
        lambda _, *others: check([answer], *others),
    )
    with pytest.raises(BrokerUnreachable, match="did not say within 5 s that its disk has this"):
        client.submit(apple(), idempotency_key="k")
    monkeypatch.undo()
    assert StoredJobs.list(client) == StoredJobs(frozenset())
    again = client.submit(apple(), idempotency_key="k")
    assert StoredJobs.list(client).ids == {again.id}


def test_a_broker_without_an_append_only_file_is_told_by_name(
    client: Client, configured: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """By `doctor`, by a submission, and by a worker at its start."""
    configured.config_set("appendonly", "no")
    for use in (lambda: check_broker(client), lambda: client.submit(apple())):
        with pytest.raises(BrokerUnreachable, match="keeps no append-only file"):
            use()
    assert StoredJobs.list(client) == StoredJobs(frozenset())
    stop = Mock(side_effect=KeyboardInterrupt)
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr("winepress_worker.parent.process.ServedLanes", stop)
        with pytest.raises(KeyboardInterrupt):
            run_worker(Mock(), client.settings)
    assert "keeps no append-only file" in caplog.text


def test_a_broker_without_the_question_is_told_by_name(
    client: Client, configured: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis before 7.2 does not know it."""
    unknown = redis.ResponseError("unknown command 'WAITAOF', with args beginning with: '1'")
    check = confirmation.check_confirmed
    monkeypatch.setattr(
        "winepress_shared.ledger.script_server.check_confirmed",
        lambda _, *others: check([unknown], *others),
    )
    with pytest.raises(BrokerUnreachable, match=r"cannot say what its disk has.*Redis 7\.2"):
        check_broker(client)


def test_a_broker_that_confirms_too_early_is_told_by_name(
    client: Client, configured: redis.Redis
) -> None:
    """Valkey at `everysec` answers before it has synced."""
    assert "its disk has what was accepted" in check_broker(client).text
    configured.config_set("appendfsync", "everysec")
    with pytest.raises(BrokerUnreachable, match=r"valkey .* says too early .*appendfsync always"):
        check_broker(client)


def test_what_a_key_may_not_see_is_said(
    client: Client, configured: redis.Redis, asking: Settings
) -> None:
    """Roles may not read the server's configuration."""
    configured.acl_setuser(
        "limited", enabled=True, passwords=["+x"], keys=["*"], categories=["+@all"],
        commands=["-config"],
    )  # fmt: skip
    url = SecretStr(asking.broker_url.get_secret_value().replace("//", "//limited:x@"))
    with Client(asking.model_copy(update={"broker_url": url})) as limited:
        assert "may not be seen" in check_broker(limited).text


@pytest.mark.parametrize(
    ("name", "version", "is_early"),
    [
        ("redis", "7.2.0", False),
        ("redis", "7.2.7", True),
        ("redis", "7.4.2", True),
        ("redis", "7.4.3", False),
        ("redis", "8.0.1", False),
        ("valkey", "9.1.2", True),
        ("dragonfly", "", True),
    ],
)
def test_which_servers_confirm_too_early_is_known(name: str, version: str, is_early: bool) -> None:
    """By what they call themselves."""
    assert answers_early(name, version) is is_early


def test_a_worker_asks_for_what_it_counted_and_draws_on_without_an_answer(
    asking: Settings, configured: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """One question covers every count before it."""
    server = ScriptServer(asking, f"{asking.farm}:")
    confirmations = Confirmations(BrokerDisk(asking, server))
    before = asked(configured)
    assert confirmations.ask()
    assert asked(configured) - before == 1
    configured.config_set("appendonly", "no")
    with caplog.at_level(logging.WARNING):
        assert not confirmations.ask()
    assert "might take the counts of the last pictures" in caplog.text
    server.close()


def test_a_worker_draws_an_accepted_job_whose_description_the_store_has_lost(
    client: Client, configured: redis.Redis
) -> None:
    """The broker has kept it, and a recovery puts it back."""
    handle = client.submit(apple())
    pending = client.submit(apple())
    key = f"jobs/{handle.id}/job.json"
    text = client.archive.store.get(key)
    client.archive.store.delete(key)
    reader = SliceReader(client.archive, Mock(), client.written.find)
    assert reader.read(Mock(job_id=handle.id)).record.id == handle.id
    found = [Repaired(handle.id, Repair.WRITTEN)]
    assert list(Recovery(client, dry_run=True).run()) == found
    assert list(Recovery(client).run()) == found
    assert list(Recovery(client).run()) == []
    assert client.archive.store.get(key) == text
    client.archive.store.delete(f"jobs/{pending.id}/job.json")
    with pytest.raises(FailForGood, match="lost"):
        SliceReader(client.archive, Mock()).read(Mock(job_id=pending.id))


def test_the_farm_of_one_machine_syncs_every_write_unless_it_is_told_otherwise(
    tmp_path: Path,
) -> None:
    """`winepress up` says so to its own broker and to every role."""
    from winepress_deploy.services.valkey import _config

    assert "appendfsync always" in _config(str(tmp_path), 1, "users", waits_for_disk=True)
    assert "appendfsync everysec" in _config(str(tmp_path), 1, "users", waits_for_disk=False)

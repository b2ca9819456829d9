"""A broker that Sentinels name: who is asked, what is told, and what a failover leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from support.manual_worker import apple
from support.sentinel_group import NAME, WatchedServers, await_true, unused_url, url_of
from support.tls_server import Authority, TlsDoor

from winepress import BrokerUnreachable, Client
from winepress.commands.farm import check_broker
from winepress.stored_jobs import StoredJobs
from winepress_shared.broker import make_celery, send_tickets
from winepress_shared.ledger.channel import Channel
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.sentinels import Sentinels
from winepress_shared.server_certificates import check_certificates
from winepress_shared.settings import Settings

_PASSWORD = "only-for-Sentinels"
_LANE = "vignette.fp16"
_OUTAGES = 8


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedServers]:
    """One group for all; each test but the last leaves it whole."""
    with WatchedServers(tmp_path_factory.mktemp("group"), _PASSWORD) as servers:
        yield servers


@pytest.fixture
def settings(farm_settings: Settings, group: WatchedServers) -> Settings:
    """A farm that has the group as its broker."""
    own = {"broker_url": group.url, "sentinel_password": SecretStr(_PASSWORD)}
    return farm_settings.model_copy(update=own)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with Client(settings) as one:
        yield one


def changed(settings: Settings, **own: object) -> ScriptServer:
    return ScriptServer(settings.model_copy(update=own), "x:")


def refusal(server: ScriptServer) -> str:
    """What is said where no primary is found."""
    with pytest.raises(BrokerUnreachable) as caught, server.reaching():
        server.client.ping()
    assert _PASSWORD not in str(caught.value)
    return str(caught.value)


def test_doctor_names_the_primary(client: Client, group: WatchedServers) -> None:
    """The address that the Sentinels told, and not theirs."""
    found = check_broker(client).text
    assert f"at 127.0.0.1:{group.primary_port()}, the primary that its Sentinels name" in found


def test_what_is_wrong_with_the_sentinels_is_said_of_each(
    settings: Settings, group: WatchedServers
) -> None:
    """None answers, no such name, a wrong password, no Sentinel at all."""
    ports = [one.port for one in group.sentinels]
    assert "no server listens there" in refusal(changed(settings, broker_url=unused_url()))
    unknown = refusal(changed(settings, broker_url=url_of(ports, "nobody")))
    assert f"it knows no such name, only {NAME}" in unknown
    assert "no Sentinel names a primary of nobody" in unknown
    wrong = changed(settings, sentinel_password=SecretStr("wrong"))
    assert "the setting sentinel_password" in refusal(wrong)
    none = changed(settings, sentinel_password=None)
    assert "the setting sentinel_password" in refusal(none)
    server = changed(settings, broker_url=url_of([group.primary.port]), sentinel_password=None)
    assert "it is no Sentinel" in refusal(server)


def test_one_sentinel_that_answers_is_enough(settings: Settings, group: WatchedServers) -> None:
    """The others may be on machines that are gone."""
    gone = unused_url().get_secret_value().partition("/pictures")[0]
    url = SecretStr(f"{gone},127.0.0.1:{group.sentinels[-1].port}/{NAME}/0")
    with Client(settings.model_copy(update={"broker_url": url})) as one:
        assert one.ledger.ping() == f"127.0.0.1:{group.primary_port()}"
    send_tickets(make_celery(settings.model_copy(update={"broker_url": url})), _LANE)


def test_an_outage_leaves_no_connection_behind(settings: Settings) -> None:
    """However often it is tried: each try of redis-py's own pool would leave one."""
    server = changed(settings, broker_url=unused_url())
    for _ in range(_OUTAGES):
        refusal(server)
    assert len(vars(server.client.connection_pool)["_connections"]) == 1


def test_a_replica_confirms_what_is_accepted(settings: Settings, group: WatchedServers) -> None:
    """With durability = replica a submission fails where none does, and is undone."""
    with Client(settings.model_copy(update={"durability": "replica"})) as asking:
        await_true(lambda: _is_confirmed(asking))
        assert "a replica have what was accepted" in check_broker(asking).text
        before = StoredJobs.list(asking)
        refused = pytest.raises(BrokerUnreachable, match="no replica of the broker said")
        with group.replica.frozen(), refused:
            asking.submit(apple())
        assert StoredJobs.list(asking) == before
    await_true(group.is_whole)


def _is_confirmed(client: Client) -> bool:
    try:
        client.submit(apple())
    except BrokerUnreachable:
        return False
    return True


def test_sentinels_and_servers_are_verified_alike(
    settings: Settings, group: WatchedServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind TLS that ends before them; whoever does not know the authority sends no password."""
    authority = Authority(tmp_path)
    files, ask = authority.sign("server"), Sentinels._ask
    with (
        TlsDoor(files, group.sentinels[0].port) as watching,
        TlsDoor(files, group.primary_port()) as primary,
    ):
        # As Sentinels that tell the address at which the server has its certificate.
        monkeypatch.setattr(Sentinels, "_ask", lambda *given: (ask(*given)[0], primary.port))
        url = SecretStr(f"rediss+sentinel://127.0.0.1:{watching.port}/{NAME}/0")
        strange = settings.model_copy(update={"broker_url": url})
        own = strange.model_copy(update={"broker_ca": authority.certificate})
        with Client(own) as one:
            assert one.ledger.ping() == f"127.0.0.1:{primary.port}"
        check_certificates(own)
        send_tickets(make_celery(own), _LANE)
        with pytest.raises(BrokerUnreachable, match="Sentinel's certificate is not trusted"):
            check_certificates(strange)
        with Client(strange) as one, pytest.raises(BrokerUnreachable, match="is not trusted"):
            one.ledger.ping()


def test_every_connection_finds_the_server_that_was_promoted(
    client: Client, group: WatchedServers
) -> None:
    """Commands, subscriptions and tickets; what was accepted is known there."""
    job = client.submit(apple())
    app = make_celery(client.settings)
    send_tickets(app, _LANE)
    server = ScriptServer(client.settings, f"{client.settings.farm}:")
    channel = Channel(server, "orders")
    group.hand_over()
    await_true(lambda: _is_known(client, job.id))
    await_true(lambda: _is_heard(server, channel))
    await_true(lambda: _reaches(app))
    client.submit(apple())
    await_true(lambda: client.ledger.ping() == f"127.0.0.1:{group.primary_port()}")
    channel.close()
    server.close()


def _is_known(client: Client, job_id: str) -> bool:
    try:
        return client.get(job_id).status().state == "queued"
    except BrokerUnreachable:
        return False


def _is_heard(server: ScriptServer, channel: Channel) -> bool:
    try:
        server.client.publish("orders", "go")
        found = channel.get_message(timeout=0.2)
    except (BrokerUnreachable, redis.RedisError):
        return False
    return bool(found and found["data"] == "go")


def _reaches(app: object) -> bool:
    try:
        send_tickets(app, _LANE)
    except BrokerUnreachable:
        return False
    return True

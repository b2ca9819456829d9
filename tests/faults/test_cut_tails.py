"""A power cut of the broker's machine: the end of its append-only file is gone."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from support.manual_worker import LANE, ManualWorker, apple
from support.running_farm import RunningFarm
from support.servers import ValkeyServer

from winepress import Client, JobHandle, TextToImage
from winepress.recovery import Recovery
from winepress_shared.settings import Settings

_PATIENCE_S = 120
_KIB = 1024


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "valkey"
    folder.mkdir()
    return folder


@pytest.fixture
def broker(data: Path) -> Iterator[ValkeyServer]:
    """A broker of one test alone."""
    with ValkeyServer(data) as server:
        yield server


@pytest.fixture
def client(farm_settings: Settings, broker: ValkeyServer) -> Iterator[Client]:
    url = SecretStr(broker.url)
    with Client(farm_settings.model_copy(update={"broker_url": url})) as one:
        yield one


def tail_of(data: Path) -> Path:
    """The file to which the broker appends."""
    return max(data.joinpath("appendonlydir").glob("*.incr.aof"), key=lambda file: file.name)


def cut_power(broker: ValkeyServer, data: Path, size: int) -> None:
    """Kill the broker, leave ``size`` bytes of its append-only file, and start it again."""
    broker.kill()
    with tail_of(data).open("r+b") as file:
        file.truncate(size)
    broker.start()


def stored(client: Client) -> dict[str, str]:
    """Key → version of every picture in the store."""
    return {
        one.key: one.version for one in client.archive.store.list("jobs/") if "/out/" in one.key
    }


def assert_whole(client: Client, handles: Sequence[JobHandle]) -> None:
    """Every job has its result, and each of its pictures is there once with its bytes."""
    for handle in handles:
        result = client.archive.read_result(handle.id)
        units = client.archive.read_job(handle.id).job.unit_count
        assert [output.unit for output in result.outputs] == list(range(units))
        for output in result.outputs:
            assert client.archive.whole_output(output.key, output.sha256) is not None
        listed = {one.key for one in client.archive.store.list(f"jobs/{handle.id}/out/")}
        assert listed == {output.key for output in result.outputs}


@pytest.mark.case(14)
@pytest.mark.parametrize("seed", range(3))
def test_no_accepted_job_is_lost_with_the_tail_and_no_picture_is_replaced(
    client: Client, broker: ValkeyServer, data: Path, seed: int
) -> None:
    """Three cuts of 1 to 64 KiB in one run; a recovery, twice, enters what the ledger lost."""
    chance = random.Random(seed)
    worker = ManualWorker(client.settings)
    accepted: list[JobHandle] = []
    for _ in range(3):
        jobs = [apple(n=chance.randint(1, 4), seed=chance.randint(0, 99)) for _ in range(8)]
        accepted += client.submit_many(jobs)
        worker.live(LANE)
        worker.work(LANE, most=chance.randint(1, 12))
        before = stored(client)
        size = tail_of(data).stat().st_size
        cut_power(broker, data, max(0, size - chance.randint(_KIB, 64 * _KIB)))
        list(Recovery(client).run())
        assert list(Recovery(client).run()) == []
    worker = ManualWorker(client.settings)
    worker.holder = "manual/2"  # the leases of the first end with its first beat
    worker.live(LANE)
    worker.work(LANE)
    assert_whole(client, accepted)
    assert client.ledger.waiting() == {}
    after = stored(client)
    assert {key: after[key] for key in before} == before
    assert list(Recovery(client).run()) == []


def test_what_was_accepted_is_in_the_file_when_its_submitter_hears_of_it(
    client: Client, broker: ValkeyServer, data: Path
) -> None:
    """A cut right behind it takes nothing of it: no recovery is needed."""
    client.ledger.ping()
    with redis.Redis.from_url(broker.url) as admin:
        admin.config_set("appendfsync", "always")
    settings = client.settings.model_copy(update={"durability": "disk"})
    with Client(settings) as asking:
        accepted = asking.submit_many([apple() for _ in range(20)])
        size = tail_of(data).stat().st_size
        asking.submit_many([apple() for _ in range(20)])
        cut_power(broker, data, size)
        assert {row.id for row in asking.list()} == {handle.id for handle in accepted}


def test_a_farm_goes_on_drawing_with_an_empty_broker(running_farm: RunningFarm) -> None:
    """Its workers hold slices of the lost ledger; a recovery while they draw loses nothing."""
    jobs = [TextToImage(prompt=f"job {n}", n=3, num_inference_steps=10, seed=n) for n in range(12)]
    handles = running_farm.client.submit_many(jobs)
    for handle in handles[:3]:
        handle.wait(timeout=_PATIENCE_S)
    broker = running_farm.farm.services["valkey"]
    shutil.rmtree(broker.program.folder / "appendonlydir")
    broker.kill()
    broker.wait_ready(_PATIENCE_S)
    looked = {one.id for one in Recovery(running_farm.client, dry_run=True).run()}
    entered = {one.id for one in Recovery(running_farm.client).run()}
    assert entered <= looked <= {handle.id for handle in handles}
    assert entered
    list(Recovery(running_farm.client).run())
    for handle in [running_farm.client.get(job_id) for job_id in entered]:
        handle.wait(timeout=_PATIENCE_S)
    assert_whole(running_farm.client, handles)

"""Submitting on a real broker: accepted, refused, nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis
from support.manual_worker import LANE, ManualWorker, apple

from winepress import (
    BrokerUnreachable,
    Client,
    Conflict,
    FarmUnreachable,
    InvalidJob,
    JobState,
    QueueFull,
    StoreRefused,
    UnknownModel,
)
from winepress_shared.settings import Settings


def objects(client: Client, prefix: str = "jobs/") -> list[str]:
    return [stored.key for stored in client.archive.store.list(prefix)]


def test_a_submitted_job_has_its_row_its_description_and_a_ticket(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Accepted means: job.json is in the store, the row in the ledger, a worker is called."""
    handle = client.submit(apple(seed=7, n=3), user="ada")
    row = handle.status()
    assert (row.state, row.user, row.units, row.lane) == (JobState.QUEUED, "ada", 3, LANE)
    assert objects(client) == [f"jobs/{handle.id}/job.json"]
    assert client.archive.read_job(handle.id).job.num_inference_steps is not None
    manual_worker.await_ticket(LANE)


def test_the_same_idempotency_key_gives_the_same_job_even_with_a_random_seed(
    client: Client,
) -> None:
    """A request repeated after a lost answer is one job, and leaves no second description."""
    first = client.submit(apple(), idempotency_key="k1")
    again = client.submit(apple(), idempotency_key="k1")
    assert again.id == first.id
    assert objects(client) == [f"jobs/{first.id}/job.json"]
    assert client.submit(apple(), idempotency_key="k1", user="eve").id != first.id


def test_an_idempotency_key_with_another_job_is_refused_and_nothing_is_left(
    client: Client,
) -> None:
    """A key that means two things is a mistake of the caller, told as such."""
    first = client.submit(apple(), idempotency_key="k1")
    with pytest.raises(Conflict, match=first.id):
        client.submit(apple(n=2), idempotency_key="k1")
    assert objects(client) == [f"jobs/{first.id}/job.json"]
    assert len(client.list()) == 1


@pytest.mark.parametrize("key", [None, "k1"])
def test_a_full_queue_refuses_and_nothing_is_left_behind(
    farm_settings: Settings, key: str | None
) -> None:
    """QueueFull leaves neither description nor row."""
    with Client(farm_settings) as client:
        client.farm.set_limits({"queue_limit": 4})
        client.submit(apple(n=3))
        before = objects(client)
        with pytest.raises(QueueFull):
            client.submit(apple(n=2), idempotency_key=key)
        with pytest.raises(QueueFull):
            client.submit_many([apple(), apple()])
        assert objects(client) == before
        assert len(client.list()) == 1


@pytest.mark.parametrize(
    ("fields", "options", "error"),
    [
        ({"model": "vignete"}, {}, UnknownModel),
        ({"width": 100}, {}, InvalidJob),
        ({}, {"user": "a b"}, InvalidJob),
        ({}, {"user": "ada\n"}, InvalidJob),
        ({}, {"idempotency_key": ""}, InvalidJob),
        ({}, {"idempotency_key": "a b"}, InvalidJob),
        ({}, {"expires_in": -1}, InvalidJob),
        ({}, {"expires_in": float("nan")}, InvalidJob),
    ],
)
def test_a_wrong_job_is_refused_before_anything_is_written(
    client: Client, fields: dict[str, Any], options: dict[str, Any], error: type[Exception]
) -> None:
    """What can be known to be wrong at the door never enters."""
    with pytest.raises(error):
        client.submit(apple(**fields), **options)
    assert objects(client, "") == []


def test_many_jobs_are_all_queued_in_order_or_none_is(client: Client) -> None:
    """One bad job among many refuses them all."""
    with pytest.raises(UnknownModel):
        client.submit_many([apple(), apple(model="nonesuch")])
    assert objects(client) == []
    handles = client.submit_many([apple(seed=seed) for seed in range(20)])
    seeds = [client.archive.read_job(handle.id).job.seed for handle in handles]
    assert seeds == list(range(20))
    created = [handle.status().created for handle in handles]
    assert created == sorted(created)


def test_tickets_are_as_many_as_workers_can_use(
    client: Client, manual_worker: ManualWorker
) -> None:
    """One ticket for a lonely worker, never more than there are pictures."""
    manual_worker.live(LANE)
    client.submit(apple(n=50))
    broker = redis.Redis.from_url(client.settings.broker_url.get_secret_value())
    assert broker.llen(f"{client.settings.farm}:queue:{LANE}") == 1


def test_a_dead_broker_is_named_without_its_password_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    """The farm is found to be down before the store is touched."""
    settings = Settings(
        broker_url="redis://:s3cr3t@127.0.0.1:1/0",  # type: ignore[arg-type]
        store_folder=tmp_path / "store",
    )
    with Client(settings) as client, pytest.raises(BrokerUnreachable) as caught:
        client.submit(apple())
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cr3t" not in repr(caught.value) + str(caught.value) + repr(client)
    assert not (tmp_path / "store").exists()


def test_wrong_store_credentials_refuse_the_job_and_leave_no_row(
    s3_server: Any, farm_settings: Settings
) -> None:
    """A job whose description cannot be written is not in the queue."""
    settings = s3_server.settings(
        broker_url=farm_settings.broker_url.get_secret_value(),
        farm=farm_settings.farm,
        s3_secret_access_key="wrong-secret-entirely",
    )
    with Client(settings) as client:
        with pytest.raises(StoreRefused) as caught:
            client.submit(apple())
        assert "wrong-secret-entirely" not in str(caught.value)
        assert list(client.list()) == []


def test_a_server_that_is_not_redis_is_an_unreachable_farm(s3_server: Any, tmp_path: Path) -> None:
    """A wrong port gives one sentence, no traceback."""
    settings = Settings(
        broker_url=s3_server.endpoint.replace("http", "redis"), store_folder=tmp_path
    )
    with Client(settings) as client, pytest.raises(FarmUnreachable):
        client.submit(apple())

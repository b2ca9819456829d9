"""A farm that is upgraded worker by worker: each job is drawn by a worker that can read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from support.local_worker import LocalWorker
from support.manual_worker import LANE, apple

from winepress import Client, JobHandle
from winepress.farm_checks import check_versions
from winepress_shared.errors import FarmUnreachable
from winepress_shared.settings import Settings

Change = Callable[[dict[str, Any]], None]


def _next_format(document: dict[str, Any]) -> None:
    document["version"] = 2


def _new_field(document: dict[str, Any]) -> None:
    document["sparkle"] = True


def _new_option(document: dict[str, Any]) -> None:
    document["job"]["sparkle"] = 0.5


def _new_kind(document: dict[str, Any]) -> None:
    document["job"]["kind"] = "hologram"


@pytest.fixture
def settings(farm_settings: Settings, tmp_path: Path) -> Settings:
    return farm_settings.model_copy(update={"home": tmp_path / "home"})


class _Upgrade:
    """A job of a later version, which the worker that reads it sees as this version's."""

    def __init__(self, settings: Settings, job: JobHandle) -> None:
        assert settings.store_folder is not None
        (self._path,) = settings.store_folder.rglob(f"{job.id}/job.json")
        self._plain = self._path.read_bytes()

    def write(self, change: Change) -> None:
        document = json.loads(self._plain)
        change(document)
        self._path.write_text(json.dumps(document))

    def understand(self) -> None:
        self._path.write_bytes(self._plain)


@pytest.mark.case(38)
@pytest.mark.parametrize("change", [_next_format, _new_field, _new_option, _new_kind])
def test_a_job_of_a_later_version_waits_for_a_worker_of_it(
    settings: Settings, client: Client, change: Change
) -> None:
    """The old one leaves it after one look, counts no attempt, and draws everything else."""
    old = LocalWorker(settings, "old")
    later, earlier = client.submit_many([apple(n=3), apple()])
    upgrade = _Upgrade(settings, later)
    upgrade.write(change)
    old.renderer.run(LANE)
    assert earlier.status().state == "succeeded"
    row = later.status()
    assert (row.state, row.failed, row.unread) == ("queued", 0, True)
    with redis.Redis.from_url(settings.broker_url.get_secret_value()) as broker:
        assert not broker.exists(f"{settings.farm}:attempts:{later.id}")
    assert "waits for workers of that version" in client.explain(later.id)
    upgrade.understand()
    assert old.renderer.run(LANE).endswith("nothing left to do"), "it has looked once"
    ledger = old.renderer._lease_client._ledger
    ledger.beat("old", "old/1", {"device": "CPU", "lanes": [LANE], "version": "1.0"})
    with pytest.raises(FarmUnreachable, match=r"later version.*1\.0: old.*Upgrade"):
        check_versions(client)
    ledger.beat("new", "new/1", {"device": "CPU", "lanes": [LANE], "version": "1.1"})
    assert check_versions(client).text == "1.0: old; 1.1: new"
    LocalWorker(settings, "new").renderer.run(LANE)
    assert later.status().state == "succeeded"
    assert {output.worker for output in later.result.outputs} == {"new"}


def test_a_damaged_job_is_not_taken_for_a_later_one(settings: Settings, client: Client) -> None:
    """It would wait for ever."""
    (job,) = client.submit_many([apple()])
    _Upgrade(settings, job).write(lambda document: document.update(user=7, sparkle=True))
    LocalWorker(settings).renderer.run(LANE)
    assert job.status().state == "failed"

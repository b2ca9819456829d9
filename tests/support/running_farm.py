"""A running farm, and the proof that nothing was lost or doubled."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis

from winepress import Client, JobHandle
from winepress_deploy.farm import Farm

_PATIENCE_S = 60
_LOOK_S = 0.02


@dataclass(frozen=True)
class RunningFarm:
    """A running farm of two workers, and a client for it."""

    farm: Farm
    client: Client

    def assert_exactly_once(self, handles: Sequence[JobHandle]) -> None:
        """See `assert_exactly_once`."""
        assert_exactly_once(self.client, handles)

    def broker(self) -> redis.Redis:
        """A connection of its own to the farm's broker."""
        return redis.Redis.from_url(self.farm.settings.broker_url.get_secret_value())

    def is_quiet(self) -> bool:
        """True when no worker holds a slice."""
        with self.broker() as server:
            return not server.exists(f"{self.farm.settings.farm}:leases")

    def stored(self, handle: JobHandle) -> set[str]:
        """Keys of the pictures of a job that are in the store."""
        return {found.key for found in self.client.archive.store.list(f"jobs/{handle.id}/out/")}


def assert_exactly_once(client: Client, handles: Sequence[JobHandle]) -> None:
    """Each job succeeded; its objects, its result and its bytes agree, and nothing is over."""
    store = client.archive.store
    for handle in handles:
        row = handle.status()
        assert row.state == "succeeded", (handle.id, row)
        listed = {output.key: output for output in handle.result.outputs}
        stored = {found.key for found in store.list(f"jobs/{handle.id}/out/")}
        assert sorted(output.unit for output in handle.result.outputs) == list(range(row.units))
        assert stored == set(listed)
        for key, output in listed.items():
            data = store.get(key)
            assert hashlib.sha256(data).hexdigest() == output.sha256
    assert client.ledger.waiting() == {}


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again; fails after a minute."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(_LOOK_S)

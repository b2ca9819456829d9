"""A farm whose servers have a key for each role, and a worker that draws at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from support.compose_servers import ComposeServers
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.roles import Role
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store


@dataclass(frozen=True)
class GuardedFarm:
    """How each role reaches it."""

    settings: Callable[[Role], Settings]
    ports: dict[str, int]
    data: Path  #: of the store

    def store(self, role: Role) -> Store:
        return open_store(self.settings(role))

    def broker(self, role: Role) -> redis.Redis:
        return redis.Redis.from_url(self.settings(role).broker_url.get_secret_value())


@contextmanager
def farm_of_up(folder: Path) -> Iterator[GuardedFarm]:
    """That of `winepress up`."""
    with Farm(FarmOptions(state=folder, engine="fake")) as running:
        state = running.state

        def settings(role: Role) -> Settings:
            return Settings.load({}, state.settings_of(role))

        yield GuardedFarm(settings, state.remembered_ports(), state.path / "seaweedfs")


@contextmanager
def farm_of_compose(folder: Path) -> Iterator[GuardedFarm]:
    """That of compose.yaml, without containers."""
    with ComposeServers(folder) as servers:
        servers.start_worker()
        yield GuardedFarm(servers.settings, servers.ports, folder / "seaweedfs")

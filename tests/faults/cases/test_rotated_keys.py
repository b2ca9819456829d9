"""Every role gets new keys to broker and store while a farm works; nobody waits for that."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.harness.farm import StruckFarm, await_true
from faults.harness.kept_worker import KeptWorker
from faults.harness.locked_servers import LockedServers, login_of
from faults.harness.verifier import verify

from winepress import Client, TextToImage
from winepress_deploy.roles import Role
from winepress_shared.errors import FarmUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

_STEP_S = 0.2  #: whatever is changed, pictures are in hand


@pytest.fixture
def servers(tmp_path: Path) -> LockedServers:
    """Not running yet."""
    return LockedServers(tmp_path / "servers", f"t{secrets.token_hex(6)}")


@pytest.fixture
def locked_farm(servers: LockedServers, tmp_path: Path) -> Iterator[StruckFarm]:
    """Its workers have the key of their role; the test submits with a producer's."""
    with servers.running() as running:
        farm = StruckFarm(running, tmp_path / "farm", {"step_s": _STEP_S})
        home = {"home": farm.folder / "home"}
        farm.settings = servers.settings_of(Role.PRODUCER).model_copy(update=home)
        farm.reaching = login_of(servers.settings_of(Role.WORKER))
        with farm:
            yield farm


def _replace(farm: StruckFarm, workers: list[KeptWorker], settings: Settings) -> None:
    """One after the other by one with a new key, each with a picture in hand."""
    farm.reaching = login_of(settings)
    for worker in workers:
        farm.start_workers(1)
        worker.keep(kept=False)
        worker.send(signal.SIGTERM)
        assert worker.wait_ended() == 0


def _assert_refused(former: Settings) -> None:
    """By both servers."""
    with Client(former) as client, pytest.raises(FarmUnreachable, match="the broker refuses"):
        client.submit(TextToImage(prompt="too late"))
    with pytest.raises(FarmUnreachable, match="refuses the credentials"):
        open_store(former).get("jobs/none")


@pytest.mark.case(49)
@pytest.mark.lengthy
def test_all_keys_are_changed_while_pictures_are_drawn(
    servers: LockedServers, locked_farm: StruckFarm
) -> None:
    """The servers run on, both keys are good for a while, and no picture is begun twice."""
    farm, operator = locked_farm, servers.settings_of(Role.OPERATOR)
    former, workers = farm.settings, farm.start_workers(2)
    farm.submit(12)
    farm.await_drawn(2)
    servers.write_keys("--rotate", "all")
    servers.read_keys(operator)
    await_true(lambda: _lets_in(servers.settings_of(Role.PRODUCER)))
    farm.submit(2)
    farm.use(servers.settings_of(Role.PRODUCER))
    farm.submit(2)
    _replace(farm, workers, servers.settings_of(Role.WORKER))
    operator = servers.settings_of(Role.OPERATOR)
    servers.write_keys("--retire")
    servers.read_keys(operator)
    await_true(lambda: not _lets_in(former))
    _assert_refused(former)
    farm.submit(2)
    farm.await_ended()
    farm.use(operator)
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0


def _lets_in(settings: Settings) -> bool:
    """Whether the store has read its file anew, which it does within a moment."""
    try:
        open_store(settings).head("jobs/none")
    except FarmUnreachable:
        return False
    return True

"""Disks of the broker and of the store that fail under a running server, and work again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.harness.failing_disk import failing_disk
from faults.harness.farm import Servers, StruckFarm, await_true, outlasting
from faults.harness.verifier import verify
from support.servers import SeaweedServer, ValkeyServer

from winepress import BrokerUnreachable, TextToImage
from winepress.commands.farm import check_broker
from winepress_deploy.services.quarantine import QuarantineWatch
from winepress_shared.errors import StoreUnreachable

ERRORS = ("EIO", "ENOSPC")
_STEP_S = 0.03
_PICTURES = 60  #: of a job; most are left when the disk fails


@contextmanager
def _rendering(servers: Servers, folder: Path) -> Iterator[StruckFarm]:
    """A farm of these servers in the middle of its jobs; afterwards, all of its books."""
    with StruckFarm(servers, folder, {"step_s": _STEP_S}) as farm:
        farm.start_workers(2)
        farm.submit(2, n=_PICTURES)
        farm.await_drawn(3)
        yield farm
        farm.await_ended()
        account = verify(farm)
        account.assert_kept()
        assert account.drawn_again == 0


def _appended(broker: ValkeyServer) -> list[Path]:
    return list(broker.folder.joinpath("appendonlydir").glob("*.aof"))


@pytest.mark.case(51)
@pytest.mark.lengthy
@pytest.mark.parametrize("error", ERRORS)
def test_a_broker_that_syncs_every_second_refuses_until_its_disk_works(
    servers: Servers, tmp_path: Path, error: str
) -> None:
    """What is drawn waits to be counted, and doctor says that it is the disk."""
    with ValkeyServer(tmp_path) as broker:
        struck = Servers(broker, servers.store)
        with _rendering(struck, tmp_path / "farm") as farm:
            counted = farm.open_units()
            with failing_disk(broker.pid, _appended(broker), error):
                await_true(lambda: _complaint(farm) != "")
                assert re.search(r"its disk fails \(\w+", _complaint(farm))
                with pytest.raises(BrokerUnreachable, match="accepts no writes"):
                    farm.client.submit(TextToImage(prompt="one too many"))
            await_true(lambda: outlasting(farm.open_units) < counted)
            assert _complaint(farm) == ""


def _complaint(farm: StruckFarm) -> str:
    """What doctor says of the broker; empty if nothing is wrong."""
    try:
        check_broker(farm.client)
    except BrokerUnreachable as error:
        return error.message
    return ""


@pytest.mark.case(51)
@pytest.mark.lengthy
@pytest.mark.parametrize("error", ERRORS)
def test_a_broker_that_syncs_every_write_ends_and_has_what_it_confirmed(
    servers: Servers, tmp_path: Path, error: str
) -> None:
    """As that of `winepress up`, which starts it again: here the test does."""
    with ValkeyServer(tmp_path, "--appendfsync", "always") as broker:
        struck = Servers(broker, servers.store)
        with _rendering(struck, tmp_path / "farm") as farm:
            with failing_disk(broker.pid, _appended(broker), error):
                await_true(lambda: broker.has_ended)
            assert "does not answer" in _complaint(farm)
            broker.restart()


@pytest.mark.case(51)
@pytest.mark.lengthy
@pytest.mark.parametrize("error", ERRORS)
def test_a_store_whose_disk_failed_is_started_again_and_has_everything(
    servers: Servers, tmp_path: Path, error: str
) -> None:
    """SeaweedFS hides a whole volume after three of EIO, also when its disk works again."""
    (tmp_path / "store").mkdir()
    with SeaweedServer(tmp_path / "store") as store:
        struck, log = Servers(servers.broker, store), store.folder / "log"

        def is_struck() -> bool:
            is_refused = _is_refused(farm)
            return is_refused if error == "ENOSPC" else b" quarantined after " in log.read_bytes()

        starts: list[int] = []

        def start_again() -> None:
            store.restart()
            starts.append(store.pid)

        with _rendering(struck, tmp_path / "farm") as farm, QuarantineWatch(log, start_again):
            volumes = [*store.folder.glob("*.dat"), *store.folder.glob("*.idx")]
            with failing_disk(store.pid, volumes, error):
                await_true(is_struck)
            await_true(lambda: error == "ENOSPC" or bool(starts))
            await_true(lambda: not _is_refused(farm))


def _is_refused(farm: StruckFarm) -> bool:
    """Whether a description of a job cannot be read, or nothing can be written."""
    try:
        farm.client.archive.read_job(farm.sent[0].handle.id)
        farm.client.archive.store.put("probe", b"x")
    except StoreUnreachable:
        return True
    return False

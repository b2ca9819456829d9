"""The store refuses, drops replies, cuts bodies short, or is full."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from faults.harness.farm import Servers, StruckFarm, await_true
from faults.harness.tcp_proxy import TcpProxy, Treatment
from faults.harness.verifier import verify
from support.servers import SeaweedServer

from winepress_shared.errors import StoreUnreachable

_AWAY_S = 20.0  #: stands for ten minutes: a lane rests ten seconds at a time
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_EXPIRED_BODY = b"<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>"
_EXPIRED = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_EXPIRED_BODY), _EXPIRED_BODY)
)
_DISK_MIB = 64
_FULL_S = 5.0

ProxyOf = Callable[[str], TcpProxy]


def _assert_first_attempts(farm: StruckFarm) -> None:
    attempts = {o.attempts for one in farm.sent for o in one.handle.result.outputs}
    assert attempts == {1}


@pytest.mark.case(20)
@pytest.mark.lengthy
def test_a_store_that_answers_503_costs_time_and_no_attempt(
    farm: StruckFarm, proxy_of: ProxyOf
) -> None:
    """The lane rests and says why; whatever was in hand is given back."""
    proxy = proxy_of("store")
    farm.start_workers(2)
    farm.submit(6)
    farm.await_drawn(3)
    proxy.answer = _UNAVAILABLE
    proxy.cut()
    farm.submit(1)  # all before may be drawn
    lane = farm.sent[0].handle.status().lane
    await_true(lambda: farm.client.lanes.parked(lane) is not None)
    assert "503" in str(farm.client.lanes.parked(lane))
    time.sleep(_AWAY_S)
    proxy.answer = None
    farm.await_ended()
    verify(farm).assert_kept()
    _assert_first_attempts(farm)


@pytest.mark.case(21)
def test_a_reply_that_is_lost_after_the_store_has_the_picture(
    farm: StruckFarm, proxy_of: ProxyOf
) -> None:
    """The request is repeated, and finds what it wrote before: one object, at its first attempt."""
    proxy = proxy_of("store")
    lost: list[bytes] = []
    seen: list[bytes] = []

    def drop_some(block: bytes) -> Treatment:
        if b"PUT /" not in block or b"/out/" not in block:
            return Treatment.PASS
        seen.append(block)
        if len(seen) % 2 == 0 or len(lost) == 3:  # its repetition, or enough
            return Treatment.PASS
        lost.append(block)
        return Treatment.DROP_REPLY

    proxy.on_request = drop_some
    farm.start_workers(1)
    farm.submit(2)
    farm.await_ended()
    assert len(lost) == 3
    account = verify(farm)
    account.assert_kept()
    account.assert_begun_once()
    _assert_first_attempts(farm)


@pytest.mark.case(22)
@pytest.mark.lengthy
def test_bodies_that_are_cut_short_are_never_counted(farm: StruckFarm, proxy_of: ProxyOf) -> None:
    """Pictures on their way to the store, and the description of the job on its way from it."""
    proxy = proxy_of("store")
    cut: list[bytes] = []
    shortened: list[bytes] = []

    def cut_some(block: bytes) -> Treatment:
        if b"PUT /" in block and b"/out/" in block and len(cut) < 2:
            cut.append(block)
            return Treatment.TRUNCATE
        return Treatment.PASS

    def shorten_one(block: bytes) -> bool:
        is_struck = b'"prompt"' in block and not shortened
        shortened.extend([block] if is_struck else [])
        return is_struck

    proxy.on_request, proxy.shorten_reply = cut_some, shorten_one
    farm.start_workers(1)
    farm.submit(2)
    farm.await_ended()
    assert len(cut) == 2
    assert len(shortened) == 1
    verify(farm).assert_kept()
    _assert_first_attempts(farm)


@pytest.mark.case(23)
@pytest.mark.lengthy
def test_credentials_that_expire_in_the_middle_of_a_job(
    farm: StruckFarm, proxy_of: ProxyOf
) -> None:
    """The worker leaves its lanes, says so, and goes on once its key is good again."""
    proxy = proxy_of("store")
    farm.start_workers(1)
    farm.submit(3)
    farm.await_drawn(2)
    proxy.answer = _EXPIRED
    proxy.cut()
    farm.submit(1)  # all before may be drawn

    def is_unfit() -> bool:
        return any("credentials" in str(one.unfit) for one in farm.client.workers())

    await_true(is_unfit)
    proxy.answer = None
    farm.await_ended()
    verify(farm).assert_kept()
    _assert_first_attempts(farm)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for the data of a store."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ("mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", place)
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system may be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(("umount", "-l", place), check=True)


def _is_full(farm: StruckFarm) -> bool:
    try:
        farm.client.archive.store.put("probe", bytes(2**20))
    except StoreUnreachable:
        return True
    return False


@pytest.mark.case(24)
@pytest.mark.lengthy
def test_work_waits_for_a_store_whose_disk_is_full(
    servers: Servers, small_disk: Path, tmp_path: Path
) -> None:
    """No attempt counts, and every picture is stored in the end."""
    with (
        SeaweedServer(small_disk) as store,
        StruckFarm(Servers(servers.broker, store), tmp_path / "farm", {"step_s": 0.2}) as farm,
    ):
        farm.start_workers(1)
        farm.submit(8)
        farm.await_drawn(2)
        filler = small_disk / "of-others"
        free = os.statvfs(small_disk)
        filler.write_bytes(bytes(free.f_bavail * free.f_frsize))
        await_true(partial(_is_full, farm))
        time.sleep(_FULL_S)
        filler.unlink()
        farm.await_ended()
        verify(farm).assert_kept()
        _assert_first_attempts(farm)

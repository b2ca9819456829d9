"""A link that hangs, is slow, or loses; a clock that is wrong."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import pytest
from faults.harness.farm import StruckFarm
from faults.harness.tcp_proxy import TcpProxy
from faults.harness.verifier import verify

_NOTICED_S = 60.0  #: a half-open connection is noticed within it
_SLACK_S = 30.0  #: for a busy machine
_LATENCY_S, _LOSS = 0.1, 0.05  #: of each direction

ProxyOf = Callable[[str], TcpProxy]


@pytest.mark.case(17)
@pytest.mark.lengthy
def test_half_open_connections_are_noticed_and_replaced(
    farm: StruckFarm, proxy_of: ProxyOf
) -> None:
    """Nothing passes on the worker's links any more, and nothing ends them; new ones work."""
    proxy = proxy_of("broker")
    farm.start_workers(1)
    farm.submit(2)
    farm.await_drawn()
    proxy.stick()
    began = time.monotonic()
    farm.submit(4)
    farm.await_ended()
    assert time.monotonic() - began < _NOTICED_S + _SLACK_S
    verify(farm).assert_kept()


@pytest.mark.case(18)
@pytest.mark.lengthy
def test_a_slow_link_that_loses_ends_no_lease(farm: StruckFarm, proxy_of: ProxyOf) -> None:
    """A fifth of a second there and back, every twentieth segment late: each is drawn once."""
    for server in ("broker", "store"):
        proxy = proxy_of(server)
        proxy.latency_s, proxy.loss = _LATENCY_S, _LOSS
    farm.start_workers(2)
    farm.submit(6, num_inference_steps=40)
    farm.await_ended(300)
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0


@pytest.mark.case(9)
@pytest.mark.lengthy
@pytest.mark.parametrize("offset", ["+3600s", "-3600s"])
def test_a_worker_whose_clock_is_an_hour_wrong_keeps_its_leases(
    farm: StruckFarm, offset: str
) -> None:
    """Time is the broker's alone. The store is a folder: S3 refuses wrong clocks by its rules."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("needs the program faketime, of the Debian package faketime")
    farm.use_folder()
    farm.start_workers(1, wrapper=(faketime, "-f", offset))
    farm.submit(4, num_inference_steps=40)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0

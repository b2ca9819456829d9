"""One broker and one store for all cases, and a farm of its own for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from faults.harness.farm import Servers, StruckFarm
from faults.harness.script_calls import ScriptCalls
from faults.harness.tcp_proxy import TcpProxy

SEED = int(os.environ.get("SEED", "1"))  #: of `make faults`
_STEP_S = 0.03


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """They are killed and started again on the same data."""
    with Servers.running(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture
def farm(servers: Servers, tmp_path: Path) -> Iterator[StruckFarm]:
    """Four steps of a picture take an eighth of a second; no call has two pictures."""
    with StruckFarm(servers, tmp_path / "farm", {"step_s": _STEP_S}) as one:
        yield one


@pytest.fixture
def proxy_of(farm: StruckFarm) -> Iterator[Callable[[str], TcpProxy]]:
    """Put a proxy before ``broker`` or ``store`` for the workers that start from now on."""
    with ExitStack() as opened:

        def put_before(server: str) -> TcpProxy:
            proxy = opened.enter_context(TcpProxy(getattr(farm.servers, server).port, SEED))
            farm.reach(server, proxy.port)
            return proxy

        yield put_before


@pytest.fixture
def script_calls(proxy_of: Callable[[str], TcpProxy]) -> ScriptCalls:
    """What the workers of the farm ask of the ledger passes through here."""
    return ScriptCalls(proxy_of("broker"))

"""What the tests of the tools for assistants share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from mcp.client.client import Client as Assistant
from mcp.client.client import ConnectMode
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway

from winepress.aio.client import AsyncClient
from winepress.gateway.mcp.server import make_server
from winepress.gateway.mcp.stdio import LocalBackend
from winepress_shared.settings import Settings

Connect = Callable[..., AbstractAsyncContextManager[Assistant]]


@pytest.fixture
def in_memory(farm_settings: Settings) -> Connect:
    """Connects the SDK's client to the tools of the test's farm, without any transport."""

    @asynccontextmanager
    async def connect(mode: ConnectMode = "auto", **terms: Any) -> AsyncIterator[Assistant]:
        async with AsyncClient(farm_settings) as client:
            server = make_server(lambda _: LocalBackend(client, **terms))
            async with Assistant(server, mode=mode) as assistant:
                yield assistant

    return connect


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def working(manual_worker: ManualWorker) -> Iterator[ManualWorker]:
    """A worker that draws whatever comes."""
    with manual_worker.working(LANE, "vignette-inpaint.fp16"):
        yield manual_worker

"""What the tests of A1111's routes share."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from support.a1111 import LANES, Draw
from support.manual_worker import ManualWorker
from support.running_gateway import RunningGateway

from winepress import Client
from winepress_shared.settings import Settings


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def draw(gateway: RunningGateway, manual_worker: ManualWorker) -> Iterator[Draw]:
    """POST to a route while a worker draws; returns the answer."""

    def post(route: str, **body: object) -> httpx.Response:
        return gateway.http.post(f"/sdapi/v1/{route}", json={"prompt": "a red apple"} | body)

    with manual_worker.working(*LANES):
        yield post


@pytest.fixture
def held(gateway: RunningGateway, manual_worker: ManualWorker) -> Iterator[Client]:
    """A farm whose worker is alive and draws nothing."""
    manual_worker.live(*LANES)
    with Client(gateway.settings) as client:
        yield client

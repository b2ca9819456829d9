"""A gateway, and OpenAI's client, as every test of this API uses them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI
from support.running_gateway import RunningGateway

from winepress_shared.settings import Settings


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[OpenAI]:
    """The client, as a user makes it, which repeats nothing."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as one:
        yield one

"""What the tests on real servers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clerk import Clerk
from conftest import ValkeyServer


@pytest.fixture
def clerk(valkey_server: ValkeyServer) -> Iterator[Clerk]:
    """The books of a farm of its own, which are audited when the test is over."""
    one = Clerk(valkey_server.url)
    try:
        yield one
        one.audit()
    finally:
        one.close()

"""Previews that many watch are fetched once, and a fetch that failed is tried again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from winepress import BrokerUnreachable
from winepress.gateway.preview_cache import PreviewCache
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.previews import Preview

EVENT = Event("1-0", "preview", 0.0, {"unit": "0"})


class _Handle:
    """A job whose broker is away for its first ``failures`` questions."""

    def __init__(self, failures: int = 0) -> None:
        self.id = "j1"
        self.asked = 0
        self._failures = failures

    async def preview(self, unit: int) -> Preview:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked <= self._failures:
            raise BrokerUnreachable("the broker does not answer")
        return Preview(unit, 1, 4, b"jpeg")


def test_watchers_of_one_picture_share_one_request() -> None:
    """However many there are, and whoever comes later."""
    handle, cache = _Handle(), PreviewCache()

    async def watch() -> list[bytes | None]:
        calls = [cache.get(cast("Any", handle), EVENT) for _ in range(50)]
        return [*await asyncio.gather(*calls), await cache.get(cast("Any", handle), EVENT)]

    assert asyncio.run(watch()) == [b"jpeg"] * 51
    assert handle.asked == 1


def test_a_fetch_that_failed_is_tried_again() -> None:
    """A stream that broke off there goes on from the same event."""
    handle, cache = _Handle(failures=1), PreviewCache()

    async def watch() -> bytes | None:
        with pytest.raises(BrokerUnreachable):
            await cache.get(cast("Any", handle), EVENT)
        return await cache.get(cast("Any", handle), EVENT)

    assert asyncio.run(watch()) == b"jpeg"

"""Compiled blobs are offered while there is nothing to draw."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from winepress_shared.errors import StoreUnreachable
from winepress_shared.stores.base import BytesCallback
from winepress_worker.blobs.offering import BlobOffering
from winepress_worker.blobs.sharing import SharedBlobs

_PATIENCE_S = 30.0


class _Blobs:
    """Plays blobs of two pieces."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.first_piece = threading.Event()
        self.fault: Exception | None = None

    def offer(self, on_bytes: BytesCallback) -> None:
        if self.fault:
            raise self.fault
        self.first_piece.set()
        on_bytes(1)
        self.told.append("sent the second piece")


def test_an_upload_rests_while_there_is_something_to_draw() -> None:
    """A job that comes in the middle has the link to the store for itself."""
    blobs = _Blobs()
    offering = BlobOffering(cast("SharedBlobs", blobs))
    with offering.paused():
        thread = threading.Thread(target=offering.tick)
        thread.start()
        assert blobs.first_piece.wait(_PATIENCE_S)
        blobs.told.append("drew")
    thread.join(_PATIENCE_S)
    assert blobs.told == ["drew", "sent the second piece"]


def test_a_store_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """And again only after it was there."""
    blobs = _Blobs()
    offering = BlobOffering(cast("SharedBlobs", blobs))
    for fault in (StoreUnreachable("no answer"), StoreUnreachable("no answer"), None):
        blobs.fault = fault
        offering.tick()
    assert caplog.text.count("no answer") == 1
    assert blobs.told == ["sent the second piece"]
    blobs.fault = StoreUnreachable("no answer")
    offering.tick()
    assert caplog.text.count("no answer") == 2

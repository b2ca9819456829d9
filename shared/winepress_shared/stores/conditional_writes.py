"""Checks that a store keeps the first of two writes that ask for a free key.

The ledger counts a picture for one worker alone. But where the store ignores the condition, a
worker that comes too late replaces the bytes of a picture that is counted.
"""

from __future__ import annotations

from winepress_shared.errors import StoreRefused
from winepress_shared.stores.base import Store

PROBES = "jobs/_probe/"  #: what was written to try the store; where a worker may write
PROBE = f"{PROBES}out/000000.probe"  #: never removed
ROOM_PROBE = f"{PROBES}out/000001.probe"  #: replaced whenever somebody looks for room


def check_conditional_writes(store: Store) -> None:
    """Raises StoreRefused if ``store`` ignores the condition, and StoreUnreachable."""
    store.put_new(PROBE, b"")
    if store.put_new(PROBE, b""):
        raise StoreRefused(
            "the store ignores that a write asked for a free key (If-None-Match): a worker that "
            "comes too late may replace a picture that is counted",
            hint="Use a server that honours it, such as SeaweedFS 4.17 or newer, MinIO or AWS",
        )

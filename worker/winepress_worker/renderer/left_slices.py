"""Slices that a process still holds when it has worked off its ticket: nobody works on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from winepress_shared.errors import BrokerUnreachable, WorkerBroken


@contextmanager
def leaving_no_slice(in_hand: dict[int, set[int]]) -> Iterator[None]:
    """While inside a ticket is worked off; ``in_hand`` are units not settled, by fence.

    The parent renews what a living process holds, so the units of a slice that is left behind would
    wait until they count as stuck. Raises WorkerBroken if an error that nobody foresaw, such as
    a lack of memory, left one: this process is replaced, and its slices go on at once. What an
    outage of the broker left is forgotten instead, and `Ledger.disown` hands it on afterwards.
    """
    try:
        yield
    except BrokerUnreachable:
        in_hand.clear()
        raise
    finally:
        if in_hand:
            fences = ", ".join(map(str, in_hand))
            raise WorkerBroken(f"nobody works on the slices {fences} any more")

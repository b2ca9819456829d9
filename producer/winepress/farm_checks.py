"""What `winepress doctor` looks at beside broker, store, workers, lanes and jobs.

Each check returns what is well, and raises a WinepressError with the remedy for what is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winepress.explanation import duration, shortened
from winepress.finding import Finding
from winepress_shared.errors import FarmUnreachable
from winepress_shared.ledger.ledger import SILENT_S

if TYPE_CHECKING:
    from winepress.client import Client

_MOST_WORKERS = 10_000


def check_links(client: Client) -> Finding:
    """For how long nothing was heard of workers that did not say that they leave."""
    farm = client.snapshots.take(_MOST_WORKERS, 0)
    silent = [(one.name, farm.at - one.seen) for one in (*farm.workers, *farm.lost)]
    told = [f"{name} for {duration(silent_s)}" for name, silent_s in silent if silent_s > SILENT_S]
    if told:
        first = next(name for name, silent_s in silent if silent_s > SILENT_S)
        raise FarmUnreachable(
            f"nothing was heard of these workers: {shortened(told)}",
            hint="look at their machines and the links to the broker; one that will not come back "
            f"is forgotten by `winepress workers --forget {first}`",
        )
    return Finding(f"every worker was heard of within the last {SILENT_S:.0f} s")

"""A worker's name as the ledger knows it."""

from __future__ import annotations

import pytest
from support.manual_worker import LANE, ManualWorker

from winepress import Client, WrongUsage
from winepress_worker.parent.unique_name import check_unique_name


def test_a_name_is_taken_while_its_worker_beats_and_free_once_it_left(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Told by the time of the last beat, which is the server's."""
    manual_worker.live(LANE)
    (worker,) = client.workers()
    with pytest.raises(WrongUsage, match="a worker of this name is alive"):
        check_unique_name(client.ledger, worker.name, lambda seconds: manual_worker.live(LANE))
    client.ledger.leave(worker.name)
    check_unique_name(client.ledger, worker.name)

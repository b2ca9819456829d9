"""A worker's name as the ledger knows it."""

from __future__ import annotations

import pytest
from press import LANE, Press

from winepress import Client, WrongUsage
from winepress_worker.namesake import check_namesake


def test_a_name_is_taken_while_its_worker_beats_and_free_once_it_left(
    client: Client, press: Press
) -> None:
    """Told by the time of the last beat, which is the server's."""
    press.live(LANE)
    (worker,) = client.workers()
    with pytest.raises(WrongUsage, match="a worker of this name is alive"):
        check_namesake(client.ledger, worker.name, lambda seconds: press.live(LANE))
    client.ledger.leave(worker.name)
    check_namesake(client.ledger, worker.name)

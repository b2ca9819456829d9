"""Deliveries to webhooks as rows of a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from winepress.views.job_table import brief
from winepress_shared.screen.table import Cell, Column, Table, Tone

if TYPE_CHECKING:
    from winepress_shared.ledger.outbox import Delivery

_TONES = {"delivered": Tone.GOOD, "failed": Tone.BAD, "waiting": Tone.BUSY}


class DeliveryTable(Table):
    """One row for each delivery."""

    def __init__(self) -> None:
        super().__init__(
            (
                Column("DELIVERY"),
                Column("STATE", least=9),
                Column("TRIES", 1, is_number=True),
                Column("AGE", 1, least=3),
                Column("USER", 2),
            )
        )

    def add_delivery(self, delivery: Delivery) -> None:
        """Add a row; the newest error follows it."""
        last = delivery.tries[-1].error if delivery.tries else ""
        self.add(
            delivery.id,
            Cell(delivery.state, _TONES.get(delivery.state, Tone.PLAIN)),
            str(len(delivery.tries)),
            brief(time.time() - delivery.created),
            delivery.user,
            notes=(last,) if last else (),
        )

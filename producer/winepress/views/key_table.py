"""Keys of the gateway as rows of a table."""

from __future__ import annotations

from datetime import datetime

from winepress.gateway.api_key import ApiKey
from winepress_shared.screen.table import Cell, Column, Table, Tone

_TONES = {"valid": Tone.GOOD, "expired": Tone.WARN, "revoked": Tone.QUIET}


class KeyTable(Table):
    """One row for each key, without what is secret about it."""

    def __init__(self) -> None:
        super().__init__(
            (
                Column("KEY"),
                Column("STATE"),
                Column("USER"),
                Column("SCOPES"),
                Column("LIMITS", 1),
                Column("EXPIRES", 2),
                Column("CREATED", 3),
            )
        )

    def add_key(self, key: ApiKey) -> None:
        """Add a key."""
        state = key.state()
        self.add(
            key.id,
            Cell(state, _TONES[state]),
            key.user,
            ",".join(sorted(key.scopes)),
            limits_text(key),
            _date(key.expires),
            _date(key.created),
            notes=(
                f"models: {', '.join(sorted(key.models))}" if key.models is not None else "",
                key.note,
            ),
        )


def limits_text(key: ApiKey) -> str:
    """The limits of a key in one word each; empty if it has none."""
    steps = key.megapixel_steps
    limits = (
        (key.rate, f"{key.rate}/min"),
        (key.queue, f"{key.queue}-units"),
        (steps, f"{steps:g}-megapixel-steps/day" if steps else ""),
    )
    return ",".join(text for limit, text in limits if limit is not None)


def _date(moment: float | None) -> str:
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%dT%H:%M")

"""A part of the day in which a job may be rendered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from winepress_shared.errors import WrongUsage

_DAY_MINUTES = 24 * 60
_TEXT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)\Z")


@dataclass(frozen=True)
class Window:
    """Every day from ``opens`` to ``closes``, over midnight if it closes earlier than it opens."""

    opens: int  #: minutes after midnight, UTC
    closes: int  #: minutes after midnight, UTC

    @classmethod
    def parse(cls, text: str, offset: timedelta | None = None) -> Window:
        """Read ``22:00-06:00``, in local time as it is now, or at ``offset`` from UTC.

        Raises WrongUsage. A change to or from daylight saving time does not move the window.
        """
        found = _TEXT.match(text)
        hours = [int(part) for part in found.groups()] if found else [0, 0, 0, 0]
        opens, closes = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3]
        if opens == closes:
            raise WrongUsage(
                "not a valid part of the day",
                field="between",
                value=text,
                allowed="like 22:00-06:00",
            )
        ahead = _minutes_ahead(
            datetime.now().astimezone().utcoffset() if offset is None else offset
        )
        return cls((opens - ahead) % _DAY_MINUTES, (closes - ahead) % _DAY_MINUTES)

    @property
    def local(self) -> str:
        """In local time as it is now, with the name of the zone."""
        now = datetime.now().astimezone()
        ahead = _minutes_ahead(now.utcoffset())
        opens, closes = (self.opens + ahead) % _DAY_MINUTES, (self.closes + ahead) % _DAY_MINUTES
        return f"{_clock(opens)}-{_clock(closes)} {now.tzname()}"

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{_clock(self.closes)} UTC"


def _minutes_ahead(offset: timedelta | None) -> int:
    return int((offset or timedelta()).total_seconds()) // 60


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

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
        if offset is None:
            offset = datetime.now().astimezone().utcoffset() or timedelta()
        ahead = int(offset.total_seconds()) // 60
        return cls((opens - ahead) % _DAY_MINUTES, (closes - ahead) % _DAY_MINUTES)

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{_clock(self.closes)} UTC"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

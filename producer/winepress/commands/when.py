"""Flags that limit when a job may be worked on."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta

from winepress_shared.errors import WrongUsage
from winepress_shared.window import Window

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")


def add_when(group: argparse._ArgumentGroup) -> None:
    """Add the flags."""
    add = group.add_argument
    add("--start-after", metavar="TIME", help="HH:MM or YYYY-MM-DDTHH:MM, local time")
    add("--between", metavar="HH:MM-HH:MM", help="work only in this part of each day, local time")
    add("--expires", type=float, metavar="SECONDS", help="deadline, from now")


def start_in(arguments: argparse.Namespace) -> float | None:
    """Seconds until the time of ``--start-after``; raises WrongUsage."""
    return seconds_until(arguments.start_after) if arguments.start_after else None


def window(arguments: argparse.Namespace) -> Window | None:
    """The part of the day of ``--between``; raises WrongUsage."""
    return Window.parse(arguments.between) if arguments.between else None


def seconds_until(text: str, now: datetime | None = None) -> float:
    """Seconds from ``now`` to a local time; ``22:30`` is the next 22:30. Raises WrongUsage."""
    now = (now or datetime.now()).astimezone()
    clock = _CLOCK.match(text)
    try:
        if clock is None:
            then = datetime.fromisoformat(text).astimezone()
        else:
            then = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
            then += timedelta(days=1) if then <= now else timedelta()
        seconds = (then - now).total_seconds()
    except (ValueError, OverflowError):
        raise _refused("not a time", text) from None
    if seconds <= 0:
        raise _refused("must be in the future", text)
    return seconds


def _refused(problem: str, text: str) -> WrongUsage:
    allowed = "HH:MM or YYYY-MM-DDTHH:MM"
    return WrongUsage(problem, field="--start-after", value=text, allowed=allowed)

"""Times of day: windows and starts."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from winepress.commands.when import seconds_until
from winepress.submit_options import SubmitOptions
from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.window import Window


@pytest.mark.parametrize(
    ("text", "hours", "expected"),
    [
        ("22:00-06:00", 0, "22:00-06:00 UTC"),
        ("22:00-06:30", 2, "20:00-04:30 UTC"),
        ("1:00-2:00", 5.5, "19:30-20:30 UTC"),
        ("22:00-23:00", -8, "06:00-07:00 UTC"),
    ],
)
def test_a_window_is_given_in_local_time_and_kept_in_utc(
    text: str, hours: float, expected: str
) -> None:
    """Every server and worker means the same hours."""
    assert str(Window.parse(text, timedelta(hours=hours))) == expected


@pytest.mark.parametrize("zone", ["UTC", "CET-1", "IST-5:30", "PST8"])
def test_a_window_is_told_in_local_time(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was typed, with the name of the zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    told = Window.parse("22:00-06:00").local
    monkeypatch.undo()
    time.tzset()
    assert told == f"22:00-06:00 {zone[:3]}"


@pytest.mark.parametrize("text", ["", "22-06", "24:00-06:00", "6:00-6:00", "06:00", "06:60-07:00"])
def test_what_is_no_window_is_refused(text: str) -> None:
    """An empty or whole-day window would be a riddle."""
    with pytest.raises(WrongUsage, match="22:00-06:00"):
        Window.parse(text)


def test_a_start_is_the_next_such_time_of_day_or_a_date() -> None:
    """A time that has passed today means tomorrow."""
    now = datetime(2026, 5, 1, 12, 0).astimezone()
    assert seconds_until("12:30", now) == 1800
    assert seconds_until("12:00", now) == 86_400
    assert seconds_until("2026-05-02T13:00", now) == 25 * 3600


def test_a_start_in_the_past_is_refused() -> None:
    """A date that is over never comes again."""
    with pytest.raises(WrongUsage, match="--start-after: must be in the future"):
        seconds_until("2020-01-01T00:00")


@pytest.mark.parametrize("text", ["soon", "25:00", "22", ""])
def test_a_start_that_is_no_time_is_refused(text: str) -> None:
    """It is not called past."""
    with pytest.raises(WrongUsage, match="--start-after: not a time"):
        seconds_until(text)


def test_a_deadline_before_the_start_is_refused() -> None:
    """Such a job could only expire."""
    with pytest.raises(InvalidJob, match="deadline"):
        SubmitOptions("ann", expires_in=60, start_in=61)

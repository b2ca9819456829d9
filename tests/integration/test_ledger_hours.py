"""Parts of the day in which a job may be worked on, at any hour: the clock is the test's."""

from __future__ import annotations

import pytest
from support.audited_farm import AuditedFarm
from support.virtual_time import VirtualTime

from winepress_shared.window import Window

_DAY_S = 86_400
OFFICE, NIGHT = Window(9 * 60, 17 * 60), Window(22 * 60, 6 * 60)


@pytest.mark.parametrize(
    ("window", "open_at", "closed_at"),
    [
        (OFFICE, ("09:00", "12:00", "16:59"), ("08:59", "17:00", "23:00", "00:00")),
        (NIGHT, ("22:00", "23:59", "00:00", "05:59"), ("06:00", "12:00", "21:59")),
    ],
    ids=str,
)
def test_a_job_is_handed_out_within_its_hours_alone(
    farm: AuditedFarm, window: Window, open_at: tuple[str, ...], closed_at: tuple[str, ...]
) -> None:
    """From the minute in which they open to the one before they close, over midnight too."""
    clock = VirtualTime(farm)
    day_s = (clock.now_s // _DAY_S + 1) * _DAY_S
    found = {}
    for number, time in enumerate((*open_at, *closed_at)):
        hours, minutes = map(int, time.split(":"))
        clock.advance_to(day_s + number * _DAY_S + (hours * 60 + minutes) * 60)
        farm.submit(f"job{number}", window=window)
        found[time] = farm.try_claim() is not None
        farm.ledger.control(f"job{number}", "cancel")
    assert found == dict.fromkeys(open_at, True) | dict.fromkeys(closed_at, False)


def test_a_job_outside_its_hours_comes_to_the_front_when_they_open(farm: AuditedFarm) -> None:
    """The sweep puts it where claims find it, a second before it does not."""
    clock = VirtualTime(farm)
    opens_s = (clock.now_s // _DAY_S + 1) * _DAY_S + NIGHT.opens * 60
    clock.advance_to(opens_s - 3600)
    farm.submit("job", window=NIGHT)
    for at_s, waiting in ((opens_s - 1, False), (opens_s, True)):
        clock.advance_to(at_s)
        farm.redis.delete(farm.key("swept"))
        farm.ledger.sweep()
        assert (farm.try_claim() is not None) is waiting

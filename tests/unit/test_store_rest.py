"""A lane rests shortly for a store that restarts, and longer for one that stays away."""

from __future__ import annotations

from winepress_worker.renderer.store_rest import FIRST_MS, LONGEST_MS, StoreRest


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rests_double_while_the_store_stays_away() -> None:
    """From a second to a quarter of a minute."""
    clock = Clock()
    rest, found = StoreRest(clock), []
    for _ in range(6):
        found.append(rest.begin())
        clock.now_s += found[-1] / 1000
    assert found == [FIRST_MS, 2000, 4000, 8000, LONGEST_MS, LONGEST_MS]


def test_what_fails_during_a_rest_does_not_lengthen_the_next() -> None:
    """Several pictures were on their way to the store when it went."""
    clock = Clock()
    rest = StoreRest(clock)
    assert [rest.begin() for _ in range(4)] == [FIRST_MS] * 4
    clock.now_s += 0.75
    assert rest.begin() == FIRST_MS - 750
    clock.now_s += 0.25
    assert rest.begin() == 2 * FIRST_MS


def test_a_store_that_worked_again_gets_a_short_rest() -> None:
    """The next outage begins anew."""
    clock = Clock()
    rest = StoreRest(clock)
    for _ in range(4):
        clock.now_s += rest.begin() / 1000
    rest.end()
    assert rest.begin() == FIRST_MS

"""Asking until something is so, and riding out an outage."""

from __future__ import annotations

import pytest

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.outage import patiently, pauses_for
from winepress_shared.polling import poll


def test_polling_ends_with_the_first_yes() -> None:
    """It pauses after each no, and not after the yes."""
    answers = iter([False, False, True])
    pauses: list[float] = []
    assert poll(lambda: next(answers), every_s=2.0, timeout_s=60, pause=pauses.append)
    assert pauses == [2.0, 2.0]


def test_polling_asks_at_least_once_and_gives_up_in_the_end() -> None:
    """Without any time to wait, the one answer counts."""
    answers = iter([False])
    assert not poll(lambda: next(answers), every_s=0, timeout_s=0)
    assert list(answers) == []
    assert poll(lambda: True, every_s=0, timeout_s=0)


def test_a_call_is_tried_once_more_than_there_are_pauses() -> None:
    """The last failure is told."""
    calls: list[None] = []

    def fail() -> None:
        calls.append(None)
        raise BrokerUnreachable("away")

    with pytest.raises(BrokerUnreachable):
        patiently(fail, (0.0, 0.0))
    assert len(calls) == 3


def test_a_call_that_succeeds_is_not_tried_again() -> None:
    """Its answer is the answer."""
    is_away = iter([True, False])

    def answer() -> str:
        if next(is_away):
            raise BrokerUnreachable("away")
        return "here"

    assert patiently(answer, (0.0, 0.0)) == "here"


def test_the_last_pause_repeats_until_the_patience_is_over() -> None:
    """So an outage of any length within it is ridden out."""
    pauses = pauses_for(60.0, (0.1, 0.5), 5.0)
    assert [next(pauses) for _ in range(5)] == [0.1, 0.5, 5.0, 5.0, 5.0]
    assert list(pauses_for(-1.0, (0.1,), 5.0)) == []

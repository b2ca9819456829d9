"""What programs hand to a client by mistake, refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from winepress import Client, JobHandle, TextToImage, WrongUsage
from winepress.caller_checks import check_priority, check_state, check_window
from winepress_shared.settings import Settings
from winepress_shared.window import Window

TEXT: Any = "3"  #: where a number belongs


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c: c.list("runing"), "state: no such state (got 'runing'); allowed: queued, "),
        (lambda c: c.reprioritise("j1", "urgent"), "priority: no such priority (got 'urgent')"),
        (lambda c: c.reprioritise("j1", None), "priority: no such priority (got 'None')"),
        (lambda c: JobHandle(c, "j1").wait(TEXT), "timeout: not a timeout (got '3')"),
        (
            lambda c: c.submit(TextToImage(prompt="a"), window="22-6"),
            "between: not a valid part of the",
        ),
        (
            lambda c: c.submit(TextToImage(prompt="a"), window=22),
            "between: not a valid part of the day",
        ),
    ],
)
def test_a_value_that_is_none_of_those_allowed_is_refused_with_them(
    tmp_path: Path, call: Callable[[Any], object], told: str
) -> None:
    """Before the farm is asked; nothing is written."""
    with pytest.raises(WrongUsage) as caught:
        call(Client(Settings(store_folder=tmp_path)))
    assert str(caught.value).startswith(told)
    assert not list(tmp_path.iterdir())


def test_words_mean_what_the_types_mean() -> None:
    """A program that has text need not look for the type."""
    assert check_state("running") is check_state(check_state("running"))
    assert check_state(None) is None
    assert check_priority("bulk").value == "bulk"
    window = check_window("22:00-06:00")
    assert isinstance(window, Window)
    assert check_window(window) is window
    assert check_window(None) is None


@pytest.mark.parametrize("wrong", [30 * 86_400, 0, 0.5, -1, float("nan"), None, "3600"])
def test_a_life_of_links_that_no_store_can_give_is_refused(wrong: Any, tmp_path: Path) -> None:
    """With what is allowed; seven days are the limit of signatures."""
    handle = JobHandle(Client(Settings(store_folder=tmp_path)), "j1")
    with pytest.raises(WrongUsage, match=r"expires_s: .*allowed: 1 second to 7 days"):
        handle.urls(wrong)

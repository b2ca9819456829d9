"""Scripts take numbers where they expect them, and refuse anything else before they write."""

from __future__ import annotations

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.errors import InvalidJob

ROW = ("kind", "batch", "lane", LANE, "user", "ada", "priority", "1", "units", "1", "chained", "0")
#: Script → arguments that it takes, and the places of those that are whole numbers.
CALLS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "accept": (("1000", "queue:", "job"), (1,)),
    "beat": (("w1", "w1/2", "{}", "30000", "3", "", "0", "2000"), (4, 5, 8)),
    "claim": (
        (
            *(LANE, "w1", "w1/1", "ab", "1", "1", "30000", "queue:", "60000", "0", "0"),
            *("cd", "9", "1", "2", "3"),
        ),
        (5, 6, 7, 9, 10, 11, 13, 14, 15, 16),
    ),
    "commit": (("FENCE", "0", "{}"), (2,)),
    "disown": (("w1/1", "cd", "9"), (3,)),
    "draw_again": (("job", "0", "1"), (2, 3)),
    "fail": (("FENCE", "0", "RetryElsewhere", "words", "1", "3", "1000"), (2, 6, 7)),
    "keep": (("other", "0", "{}", "1", "{}"), (2, 4)),
    "overdue": (("10", "1000"), (1, 2)),
    "release": (("FENCE", "w1/1", "0", "words", "-1"), (3, 5)),
    "start": (("FENCE", "0"), (2,)),
    "submit": (("other", "", "d", "1000", "0", "0", "queue:", "enter", *ROW), (4, 5, 6)),
    "sweep": (("0", "30000", "3", "60000", "queue:"), (1, 2, 3, 4)),
}
PLACES = [(script, place) for script, (_, places) in CALLS.items() for place in places]


@pytest.fixture
def books(farm: AuditedFarm) -> AuditedFarm:
    """A farm with a slice in hand, one that waits, and a pending job."""
    farm.submit("job", 4)
    farm.hold("held")
    farm.claim(most=1)
    farm.jobs.append("other")  # some calls enter it
    return farm


def _call(farm: AuditedFarm, script: str, place: int | None = None, word: str = "x") -> None:
    (fence,) = farm.redis.zrange(farm.key("leases"), 0, -1)
    words = [str(fence) if one == "FENCE" else one for one in CALLS[script][0]]
    if place is not None:
        words[place - 1] = word
    farm.ledger._run(script, *words)


def _dump(farm: AuditedFarm) -> dict[str, object]:
    return {name: farm.redis.dump(name) for name in farm.redis.scan_iter(farm.key("*"))}


@pytest.mark.parametrize("script", CALLS)
def test_the_arguments_of_a_script_are_taken_as_they_are_meant(
    books: AuditedFarm, script: str
) -> None:
    """Else a refusal below would prove nothing."""
    _call(books, script)


@pytest.mark.parametrize(("script", "place"), PLACES)
def test_a_number_that_is_none_changes_nothing(books: AuditedFarm, script: str, place: int) -> None:
    """It is refused as an argument, and not found out half way through the writes."""
    before = _dump(books)
    for word in ("x", "", "1.5", "9" * 17):
        with pytest.raises(InvalidJob, match="refuses"):
            _call(books, script, place, word)
    assert _dump(books) == before


@pytest.mark.parametrize("unit", ["-1", "4"])
def test_a_unit_that_a_job_does_not_have_is_not_drawn_again(books: AuditedFarm, unit: str) -> None:
    """Nor are the others that were named with it."""
    before = _dump(books)
    with pytest.raises(InvalidJob, match="refuses"):
        books.ledger._run("draw_again", "job", "0", unit)
    assert _dump(books) == before


@pytest.mark.parametrize("unit", ["-1", "1000000"])
def test_a_unit_that_no_job_can_have_is_not_kept(books: AuditedFarm, unit: str) -> None:
    """The last one that a job may have is."""
    with pytest.raises(InvalidJob, match="refuses"):
        books.ledger._run("keep", "other", "0", "{}", unit, "{}")
    with pytest.raises(InvalidJob, match="refuses"):
        books.ledger._run("keep", "other", "0", "{}", "1")
    assert not books.redis.exists(books.key("done", "other"), books.key("units", "other"))
    books.ledger._run("keep", "other", "999999", "{}")
    assert books.redis.hkeys(books.key("units", "other")) == ["999999"]

"""The plain values of the ledger, and how they are read from what the server answers."""

from __future__ import annotations

import dataclasses
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.errors import DamagedRecord
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.events import Event, EventName
from winepress_shared.ledger.records import PRIORITIES, Directive, JobRow, Lease, Slice, expand
from winepress_shared.ledger.submissions import Submission
from winepress_shared.state import JobState

HASH = {
    "state": "running",
    "kind": "text-to-image",
    "lane": "vignette.fp16",
    "user": "1e5",
    "priority": "0",
    "units": "10",
    "done": "3",
    "failed": "1",
    "created": "1700000000123",
    "started": "1700000001000",
    "finished": "0",
    "expires": "0",
    "paused": "0",
    "reason": "",
}


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", ()),
        ("7", (7,)),
        ("3-5", (3, 4, 5)),
        ("3-5,9", (3, 4, 5, 9)),
        ("9,3-3", (9, 3)),
        ("0000007,10", (7, 10)),
    ],
)
def test_ranges_are_read_in_the_order_they_are_written(text: str, units: tuple[int, ...]) -> None:
    """Single units and spans, in any mixture."""
    assert expand(text) == units


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 50)), max_size=20))
def test_any_ranges_are_read_whole(spans: list[tuple[int, int]]) -> None:
    """Nothing is dropped at the ends of a span."""
    text = ",".join(f"{first}-{first + more}" for first, more in spans)
    units = tuple(unit for first, more in spans for unit in range(first, first + more + 1))
    assert expand(text) == units


def test_a_row_is_read_with_times_in_seconds_and_none_for_never() -> None:
    """0 stands for a moment that has not come."""
    row = JobRow.from_hash("j1", HASH)
    assert (row.id, row.state, row.priority) == ("j1", JobState.RUNNING, Priority.INTERACTIVE)
    assert (row.units, row.done, row.failed) == (10, 3, 1)
    assert (row.created, row.started) == (1700000000.123, 1700000001.0)
    assert (row.finished, row.expires) == (None, None)
    assert row.user == "1e5"


@pytest.mark.parametrize(("text", "paused"), [("0", False), ("1", True)])
def test_a_paused_job_is_told_from_one_that_is_not(text: str, paused: bool) -> None:
    """The flag is a digit in the hash."""
    assert JobRow.from_hash("j1", HASH | {"paused": text}).paused is paused


@pytest.mark.parametrize("name", sorted(HASH))
def test_every_field_of_a_row_is_needed(name: str) -> None:
    """A row with a hole is a defect of the ledger, not a job without that property."""
    with pytest.raises(DamagedRecord, match=name):
        JobRow.from_hash("j1", {key: value for key, value in HASH.items() if key != name})


def test_a_slice_is_read_from_the_answer_to_a_claim() -> None:
    """Fence, job, units, and what is left for others."""
    slice_ = Slice(7, "j1", (3, 4, 5), False, 2, 9, 1, priority=2, lane="x")
    answer = {"fence": 7, "id": "j1", "units": "3-5", "finish": 0, "attempts": 2, "waiting": 9}
    answer |= {"tickets": 1, "priority": 2, "lane": "x"}
    assert Slice.of(answer) == slice_
    assert Slice.of(answer | {"units": "", "finish": 1}).finish is True


@pytest.mark.parametrize(("at", "unit"), [("", None), ("0", 0), ("12", 12)])
def test_a_lease_knows_the_unit_in_hand(at: str, unit: int | None) -> None:
    """Unit 0 is a unit; none is none."""
    lease = Lease.of([7, "yield", at, 20, 1500, "vignette.fp16"])
    assert lease == Lease(7, Directive.YIELD, unit, 20, 1500, "vignette.fp16")


def test_an_event_keeps_what_it_was_told_beside_its_name_and_time() -> None:
    """The stream's own fields are not among the event's."""
    row = {"event": "unit-started", "at": "1700000000123", "unit": "3"}
    assert Event.of("5-0", row) == Event("5-0", "unit-started", 1700000000.123, {"unit": "3"})
    assert set(row) == {"event", "at", "unit"}


def test_a_submission_tells_the_ledger_names_and_values_in_pairs() -> None:
    """What goes into the hash as it is; the rest steers the script."""
    new = Submission("j1", "inpaint", "lane", "inf", 2, 5, "digest", chained=True, cost=1.31072)
    pairs = dict(zip(new.row[::2], new.row[1::2], strict=True))
    wanted: dict[str, Any] = {"kind": "inpaint", "lane": "lane", "user": "inf", "priority": 2}
    assert pairs == wanted | {"units": 5, "chained": 1, "cost": "1.31072"}
    assert all(type(value) in (str, int) for value in new.row)


@pytest.mark.parametrize(
    "kind", [Slice, Lease, JobRow, Event, Submission], ids=lambda kind: str(kind.__name__)
)
def test_what_the_ledger_hands_out_cannot_be_changed(kind: type) -> None:
    """A value that two threads hold is the same for both."""
    params = kind.__dataclass_params__  # type: ignore[attr-defined]
    assert dataclasses.is_dataclass(kind)
    assert params.frozen


def test_priorities_are_served_from_interactive_to_bulk() -> None:
    """Their order is their rank in the ledger."""
    assert [priority.value for priority in PRIORITIES] == ["interactive", "normal", "bulk"]


def test_every_event_that_the_scripts_write_has_a_name_here() -> None:
    """A watcher that knows the names knows every event."""
    scripts = resources.files("winepress_shared.ledger").joinpath("lua")
    texts = [path.read_text("utf-8") for path in Path(str(scripts)).rglob("*.lua")]
    written = {name for text in texts for name in re.findall(r"event\([\w.]+, '([a-z-]+)'", text)}
    assert {"unit-done", "note", "preview"} <= written
    assert written <= set(EventName)

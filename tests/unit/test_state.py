"""The states of a job and the legal moves between them."""

from __future__ import annotations

from itertools import product

import pytest

from winepress_shared.state import JobState

#: Written out a second time on purpose: a change of the table must be meant.
LEGAL = {
    ("queued", "running"),
    ("queued", "succeeded"),
    ("queued", "failed"),
    ("queued", "canceled"),
    ("queued", "expired"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "canceled"),
    ("running", "expired"),
    ("failed", "queued"),
    ("canceled", "queued"),
    ("expired", "queued"),
}


@pytest.mark.parametrize(("old", "new"), list(product(JobState, JobState)))
def test_exactly_the_drawn_moves_are_legal(old: JobState, new: JobState) -> None:
    """Every pair of states is either in the table or refused."""
    assert old.may_become(new) is ((old.value, new.value) in LEGAL)


def test_wire_names_are_the_promised_six() -> None:
    """The names users and scripts see never change."""
    assert {state.value for state in JobState} == {
        "queued",
        "running",
        "succeeded",
        "failed",
        "canceled",
        "expired",
    }


@pytest.mark.parametrize("state", JobState)
def test_only_queued_and_running_jobs_move_by_themselves(state: JobState) -> None:
    """A terminal state is left only on request, back to the queue, and success never."""
    assert state.is_terminal is (state.value not in {"queued", "running"})
    if state.is_terminal:
        assert {new for new in JobState if state.may_become(new)} <= {JobState.QUEUED}
    assert not JobState.SUCCEEDED.may_become(JobState.QUEUED)

"""The states of a job."""

from __future__ import annotations

import pytest

from winepress_shared.state import JobState


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
    """The others are left on request alone, back to the queue."""
    assert state.is_terminal is (state.value not in {"queued", "running"})

"""Native errors are sorted by what the worker must do about them."""

from __future__ import annotations

import pytest

from winepress_shared.errors import (
    CancelRequested,
    EnvironmentFault,
    FailForGood,
    RetryElsewhere,
    WinepressError,
    WorkerBroken,
)
from winepress_worker.engines.native_faults import loading, rendering

#: As OpenVINO words them: a stack of frames, the cause in the last line.
_LOST = "Exception from src/inference/src/infer_request.cpp:223:\n[GPU] clFlush: device lost"
_MEMORY = "Check 'ptr' failed at src/core:12:\nCL_MEM_OBJECT_ALLOCATION_FAILURE"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), RetryElsewhere),
        (RuntimeError(_MEMORY), RetryElsewhere),
        (RuntimeError("std::bad_alloc"), RetryElsewhere),
        (RuntimeError(_LOST), WorkerBroken),
        (RuntimeError("something in a kernel"), RetryElsewhere),
        (ValueError("height must be divisible by 8"), FailForGood),
        (IndexError("index 5 is out of bounds"), FailForGood),
        (ImportError("scipy"), EnvironmentFault),
        (OSError(5, "Input/output error"), EnvironmentFault),
    ],
)
def test_each_error_of_a_render_says_what_to_do(
    error: Exception, kind: type[WinepressError]
) -> None:
    """Arguments that are refused fail for good; a device that stumbles may do better elsewhere."""
    with pytest.raises(kind) as caught, rendering(lambda: None):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("Could not open file"), EnvironmentFault),
        (ValueError("Configuration file not found"), EnvironmentFault),
        (RuntimeError(_MEMORY), RetryElsewhere),
        (RuntimeError(_LOST), WorkerBroken),
    ],
)
def test_a_model_that_cannot_be_loaded_is_the_machines_fault(
    error: Exception, kind: type[WinepressError]
) -> None:
    """No attempt is counted against a job for files that are missing or broken."""
    with pytest.raises(kind), loading():
        raise error


@pytest.mark.parametrize("error", [CancelRequested("stop"), RuntimeError("out of memory")])
def test_what_the_step_callback_raised_comes_out_unchanged(error: Exception) -> None:
    """Whoever raised it knows better what it means."""
    with pytest.raises(type(error)) as caught, rendering(lambda: error):
        raise error
    assert caught.value is error


def test_a_native_message_is_cut_to_its_cause() -> None:
    """Frames of OpenVINO's sources tell a user nothing, and length is bounded."""
    with pytest.raises(RetryElsewhere) as caught, rendering(lambda: None):
        raise RuntimeError("Exception from a.cpp:1\n" + "x" * 5000)
    assert "a.cpp" not in caught.value.message
    assert len(caught.value.message) < 400

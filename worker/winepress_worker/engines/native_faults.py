"""Turns errors of native libraries into errors of the tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from winepress_shared.errors import (
    EnvironmentFault,
    FailForGood,
    RenderFault,
    RetryElsewhere,
    WinepressError,
    WorkerBroken,
)

_MESSAGE_CHARACTERS = 300  #: longest native message that is passed on

# OpenVINO raises RuntimeError for everything, so only the text tells causes apart.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|bad_alloc|can ?not allocate|OUT_OF_(HOST|DEVICE|RESOURCES)|ALLOCATION_FAILURE",
    re.IGNORECASE,
)
_DEVICE_LOST = re.compile(
    r"device[ _](lost|removed|hung)|DEVICE_NOT_AVAILABLE|CL_INVALID_CONTEXT|GPU hang", re.IGNORECASE
)
#: The errors that OpenVINO, torch and diffusers raise.
_NATIVE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def loading() -> Iterator[None]:
    """Raise EnvironmentFault for any failure not caused by memory or the device."""
    try:
        yield
    except _NATIVE as error:
        fault = _hardware_fault(error)
        raise fault or EnvironmentFault(f"the model cannot be loaded: {_brief(error)}") from error


@contextmanager
def rendering(raised_by_caller: Callable[[], Exception | None]) -> Iterator[None]:
    """Turn native errors into errors of the tree; what the step callback raised passes through."""
    try:
        yield
    except WinepressError:
        raise
    except _NATIVE as error:
        if error is raised_by_caller():
            raise
        raise _render_fault(error) from error


def _render_fault(error: Exception) -> RenderFault:
    fault = _hardware_fault(error)
    if fault:
        return fault
    if isinstance(error, OSError | ImportError):
        return EnvironmentFault(f"the model cannot be run: {_brief(error)}")
    if isinstance(error, RuntimeError) and not isinstance(error, NotImplementedError):
        return RetryElsewhere(f"the device failed: {_brief(error)}")
    # For all other errors diffusers refused the arguments; it would do so on every worker.
    return FailForGood(f"these settings cannot be rendered: {_brief(error)}")


def _hardware_fault(error: Exception) -> RenderFault | None:
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return RetryElsewhere("out of memory", hint="ask for a smaller size or fewer pictures")
    if _DEVICE_LOST.search(str(error)):
        return WorkerBroken(f"the device is gone: {_brief(error)}")
    return None


def _brief(error: Exception) -> str:
    """The last line of a native message, which names the cause, cut to a readable length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:_MESSAGE_CHARACTERS]

"""What the fake engine is told: how long it takes, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from winepress_shared.errors import WrongUsage


class Fault(StrEnum):
    """What can be made to go wrong."""

    RETRY = "retry"  #: raise RetryElsewhere
    FAIL = "fail"  #: raise FailForGood
    ENVIRONMENT = "environment"  #: raise EnvironmentFault
    BROKEN = "broken"  #: raise WorkerBroken
    BUG = "bug"  #: raise an exception nobody expects
    EXIT = "exit"  #: end the process at once, without any clean-up
    CRASH = "crash"  #: end the process by SIGSEGV, as a driver does
    HANG = "hang"  #: no further step, ever
    DEAF = "deaf"  #: go on although the step callback asked to stop
    FLAT = "flat"  #: a picture of one colour, as a faulty device paints it


@dataclass(frozen=True)
class FakeSettings:
    """How the fake behaves for every job."""

    step_s: float = 0.0  #: seconds per denoising step and picture
    more: float = 1.0  #: share of it that each further picture of the same call takes
    load_s: float = 0.0  #: seconds to load a pipeline
    first_s: float = 0.0  #: seconds its first call takes beyond those after it
    footprint_bytes: int = 100 * 2**20  #: what every pipeline claims to hold
    load_fault: Fault | None = None  #: raised by `FakeEngine.load`
    scratch: Path | None = None  #: folder that remembers faults meant to strike once

    @classmethod
    def parse(cls, text: str) -> FakeSettings:
        """Read ``step_s=0.1,scratch=/tmp/x``; empty is the default. Raises WrongUsage."""
        readers: dict[str, Callable[[str], object]] = {
            "step_s": float,
            "more": float,
            "load_s": float,
            "first_s": float,
            "footprint_bytes": int,
            "load_fault": Fault,
            "scratch": Path,
        }
        values: dict[str, Any] = {}
        for name, _, value in (item.partition("=") for item in text.split(",") if item):
            try:
                values[name] = readers[name](value)
            except (KeyError, ValueError):
                raise WrongUsage(
                    "bad setting of the fake engine",
                    field=name,
                    value=value,
                    allowed=", ".join(f"{known}=…" for known in readers),
                ) from None
        return cls(**values)

"""The fake engine's settings: its times and its faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from winepress_shared.errors import WrongUsage


class Fault(StrEnum):
    """The faults it can produce."""

    RETRY = "retry"  #: raise RetryElsewhere
    FAIL = "fail"  #: raise FailForGood
    ENVIRONMENT = "environment"  #: raise EnvironmentFault
    BROKEN = "broken"  #: raise WorkerBroken
    BUG = "bug"  #: raise an unexpected exception
    EXIT = "exit"  #: end the process at once, without any clean-up
    CRASH = "crash"  #: end the process by SIGSEGV, as drivers can
    HANG = "hang"  #: never reach another step
    DEAF = "deaf"  #: continue although the step callback raised Stopped
    FLAT = "flat"  #: a picture of one colour, as faulty devices draw


@dataclass(frozen=True)
class FakeSettings:
    """Behaviour for all jobs."""

    step_s: float = 0.0  #: seconds per denoising step and picture
    more: float = 1.0  #: fraction of ``step_s`` for each further picture of the same call
    load_s: float = 0.0  #: seconds to load a pipeline
    first_s: float = 0.0  #: extra seconds of a pipeline's first call
    footprint_bytes: int = 100 * 2**20  #: footprint of every pipeline
    load_fault: Fault | None = None  #: raised by `FakeEngine.load`
    scratch: Path | None = None  #: folder that records one-time faults
    witness: Path | None = None  #: file to which every picture's begin and end is appended

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
            "witness": Path,
        }
        values: dict[str, Any] = {}
        for name, _, value in (item.partition("=") for item in text.split(",") if item):
            try:
                values[name] = readers[name](value)
            except (KeyError, ValueError):
                raise WrongUsage(
                    "invalid setting of the fake engine",
                    field=name,
                    value=value,
                    allowed=", ".join(f"{known}=…" for known in readers),
                ) from None
        return cls(**values)

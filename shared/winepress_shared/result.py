"""What came of a job: a picture or a failure for each of its units."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_MOST_WARNING_BYTES = 1000  #: S3 keeps 2 KiB beside an object, and the rest of the row lies there
_LEAST_CHARACTERS = 20  #: of a warning cut short


@dataclass(frozen=True)
class Output:
    """One unit's picture, or the film, in the store."""

    unit: int
    key: str
    sha256: str  #: hexadecimal
    size: int  #: in bytes
    seed: int
    width: int  #: in pixels
    height: int  #: in pixels
    device: str  #: as OpenVINO reported it
    worker: str
    render_s: float
    attempts: int = 1
    batch: int = 1  #: pictures drawn in the same call; its bytes do not depend on it
    warnings: tuple[str, ...] = ()  #: what was asked for and ignored
    frames: int = 0  #: of a film; 0 is a picture

    @property
    def is_film(self) -> bool:
        """True for a film, false for a picture."""
        return self.frames > 0


@dataclass(frozen=True)
class Failure:
    """One unit that has no picture."""

    unit: int
    error: str  #: class of the error
    message: str


@dataclass(frozen=True)
class Result:
    """What ``result.json`` holds."""

    id: str
    outputs: tuple[Output, ...]
    failures: tuple[Failure, ...] = ()

    @classmethod
    def from_units(cls, job_id: str, units: dict[int, dict[str, Any]]) -> Result:
        """Build a result of what the ledger recorded for each unit."""
        done = [
            output_of(row | {"unit": u}) for u, row in sorted(units.items()) if "error" not in row
        ]
        failed = [Failure(unit=u, **row) for u, row in sorted(units.items()) if "error" in row]
        return cls(job_id, tuple(done), tuple(failed))


def output_of(row: dict[str, Any]) -> Output:
    """Read a row of the ledger or of ``result.json``; JSON has no tuples."""
    return Output(**row | {"warnings": tuple(row.get("warnings", ()))})


def fit_warnings(warnings: Iterable[str]) -> tuple[str, ...]:
    """``warnings``, each once, cut short where they would not fit beside an object of the store."""
    left, fitting = _MOST_WARNING_BYTES, []
    for warning in dict.fromkeys(warnings):
        text = warning
        while text and len(json.dumps(text)) > left:
            text = text[: len(text) * 3 // 4] + "…" if len(text) > _LEAST_CHARACTERS else ""
        if text:
            left -= len(json.dumps(text))
            fitting.append(text)
    return tuple(fitting)

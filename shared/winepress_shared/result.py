"""What came of a job: a picture or a failure for each of its units."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from winepress_shared.documents import FailureDocument, OutputDocument

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

    def row(self) -> dict[str, Any]:
        """The output as `OutputDocument` has it: without its unit, and without empty warnings."""
        row = {name: value for name, value in asdict(self).items() if name != "unit"}
        if not self.warnings:
            del row["warnings"]  # ten thousand units need not say that they have none
        return row


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
        """Build a result of what the ledger recorded for each unit.

        What makes no sense of it is a failure: whoever looks is told, and the job can be retried.
        """
        done: list[Output] = []
        failed: list[Failure] = []
        for unit, row in sorted(units.items()):
            try:
                if "error" in row:
                    failure = FailureDocument.model_validate(row)
                    failed.append(Failure(unit, **failure.model_dump()))
                else:
                    output = OutputDocument.model_validate(row)
                    done.append(Output(unit=unit, **output.model_dump()))
            except ValidationError:
                failed.append(Failure(unit, "FailForGood", "what the broker says of it is damaged"))
        return cls(job_id, tuple(done), tuple(failed))


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

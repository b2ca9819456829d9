"""The result of a job: an output or a failure for each of its units."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from winepress_shared.documents import FailureDocument, OutputDocument

_MOST_WARNING_BYTES = 1000  #: of the 2 KiB of metadata of an S3 object; the rest holds the row
_LEAST_CHARACTERS = 20  #: of a warning that is cut short


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
    batch: int = 1  #: pictures in the same call; the bytes do not depend on it
    warnings: tuple[str, ...] = ()  #: options that were ignored, one sentence each
    frames: int = 0  #: number of frames of a film; 0 for a picture

    @property
    def is_film(self) -> bool:
        """Whether this is a film, not a picture."""
        return self.frames > 0

    def row(self) -> dict[str, Any]:
        """The fields of `OutputDocument`: all but the unit, and no empty warnings."""
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
    """The content of ``result.json``."""

    id: str
    outputs: tuple[Output, ...]
    failures: tuple[Failure, ...] = ()

    @classmethod
    def from_units(cls, job_id: str, units: dict[int, dict[str, Any]]) -> Result:
        """Build a result from the ledger's row of each unit.

        An invalid row becomes a failure, so the user sees it and can retry the job.
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
                failed.append(
                    Failure(unit, "FailForGood", "the broker's record of this unit is damaged")
                )
        return cls(job_id, tuple(done), tuple(failed))


def fit_warnings(warnings: Iterable[str]) -> tuple[str, ...]:
    """The different ``warnings``, cut short to fit into the metadata of an object in the store."""
    left, fitting = _MOST_WARNING_BYTES, []
    for warning in dict.fromkeys(warnings):
        text = warning
        while text and len(json.dumps(text)) > left:
            text = text[: len(text) * 3 // 4] + "…" if len(text) > _LEAST_CHARACTERS else ""
        if text:
            left -= len(json.dumps(text))
            fitting.append(text)
    return tuple(fitting)

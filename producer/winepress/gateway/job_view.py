"""Jobs as JSON: the fields of a job, and the outputs of its result."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from winepress_shared.archive import Failure, Output, content_type_of
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState


class JobLinks(BaseModel):
    """Paths of the routes that belong to a job."""

    self_: str = Field(serialization_alias="self")
    events: str
    results: str
    cancel: str


class JobView(BaseModel):
    """A job as the ledger knows it; times are Unix seconds."""

    id: str
    state: JobState
    kind: str
    lane: str = Field(description="MODEL.PRECISION, and @DEVICE if the job names one")
    user: str
    priority: Priority
    units: int = Field(description="pictures, and the film of a zoom")
    done: int
    failed: int
    progress: float = Field(description="share of the units that have ended, 0 to 1")
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    starts: float | None = Field(description="earliest start")
    paused: bool
    pending: bool = Field(description="its submission is not complete")
    pinned: bool = Field(description="it stays listed, and its pictures stay in the store")
    reason: str = Field(description="why it ended so, or why it waits; may be empty")
    warnings: list[str] | None = Field(None, description="options without effect")
    impossible: str | None = Field(None, description="why no live worker can render it")
    job: dict[str, Any] | None = Field(
        None, description="every field of the job, also those left open; not in lists"
    )
    links: JobLinks

    @classmethod
    def of(
        cls,
        row: JobRow,
        warnings: list[str] | None = None,
        impossible: str | None = None,
        job: dict[str, Any] | None = None,
    ) -> JobView:
        """The view of a row of the ledger."""
        path = f"/v1/jobs/{row.id}"
        own = {
            name: getattr(row, name)
            for name in cls.model_fields
            if name not in ("progress", "warnings", "impossible", "job", "links")
        }
        links = JobLinks(
            self_=path, events=f"{path}/events", results=f"{path}/results", cancel=f"{path}/cancel"
        )
        return cls(
            **own,
            progress=(row.done + row.failed) / row.units,
            warnings=warnings,
            impossible=impossible,
            job=job,
            links=links,
        )


class JobPage(BaseModel):
    """Jobs, newest first, and where the next page begins."""

    jobs: list[JobView]
    next_cursor: str | None = Field(description="for the query parameter `cursor`; null: no more")


class OutputView(BaseModel):
    """One finished picture, or the film."""

    unit: int
    url: str = Field(description="opens without a key, for a day")
    store_url: str | None = Field(None, description="presigned link to the object store")
    content_type: str
    sha256: str
    size: int = Field(description="in bytes")
    seed: int
    width: int
    height: int
    frames: int = Field(description="of a film; 0 for a picture")
    device: str
    render_s: float
    warnings: list[str]

    @classmethod
    def of(cls, output: Output, url: str, store_url: str | None = None) -> OutputView:
        """The view of an output that opens at ``url``."""
        own = cls.model_fields.keys() - {"url", "store_url", "content_type", "warnings"}
        return cls(
            **{name: getattr(output, name) for name in own},
            url=url,
            store_url=store_url,
            content_type=content_type_of(output.key),
            warnings=list(output.warnings),
        )


class FailureView(BaseModel):
    """One unit that has no picture."""

    unit: int
    error: str
    message: str

    @classmethod
    def of(cls, failure: Failure) -> FailureView:
        """The view of a failure."""
        return cls(unit=failure.unit, error=failure.error, message=failure.message)


class ResultView(BaseModel):
    """The outputs and failures of a job so far."""

    id: str
    state: JobState
    outputs: list[OutputView]
    failures: list[FailureView]

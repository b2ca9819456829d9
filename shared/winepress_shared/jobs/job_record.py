"""The record of a job in the store, ``job.json``."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from winepress_shared.documents import FORMAT_VERSION, JobDocument, read_document
from winepress_shared.errors import InvalidJob, LaterVersion
from winepress_shared.jobs.job import Job, decode_job
from winepress_shared.jobs.refusal import UNKNOWN_FIELD, UNKNOWN_KIND
from winepress_shared.lane import Lane
from winepress_shared.webhook import Webhook
from winepress_shared.window import Window

_ID_BYTES = 10


@dataclass(frozen=True)
class JobRecord:
    """The content of ``job.json``: all that is needed to render the job or queue it again."""

    id: str
    job: Job  #: resolved: every value is set
    lane: Lane
    user: str
    digest: str = ""  #: `digest_of` the job as submitted, before values were filled in
    idempotency_key: str = ""
    expires: float | None = None  #: Unix seconds, by the producer's clock
    starts: float | None = None  #: earliest start; Unix seconds, by the producer's clock
    window: Window | None = None  #: part of the day in which it runs; None: all day
    cost: float | None = None  #: average megapixel-steps per unit; None: computed from the job
    warnings: tuple[str, ...] = ()  #: options without effect
    webhook: Webhook | None = None  #: what is told of the job's events
    traceparent: str = ""  #: of the span that submits it; for the ledger, and not in ``job.json``:
    #: a worker of an earlier version would leave the job alone over a field that it does not know

    def encode(self) -> bytes:
        """The bytes of ``job.json``."""
        values = {
            "version": FORMAT_VERSION,
            "id": self.id,
            "user": self.user,
            "lane": str(self.lane),
            "digest": self.digest,
            "idempotency_key": self.idempotency_key,
            "expires": self.expires,
            "starts": self.starts,
            "window": None if self.window is None else asdict(self.window),
            "cost": self.cost,
            "warnings": self.warnings,
            "job": self.job.model_dump(mode="json"),
        }
        if self.webhook is not None:  # a worker of an earlier version reads a job without one
            values["webhook"] = asdict(self.webhook)
        return json.dumps(values, indent=1).encode()

    @classmethod
    def decode(cls, data: bytes) -> JobRecord:
        """Read ``job.json``; raises InvalidJob or FailForGood for anything else."""
        given = read_document(JobDocument, data, "job.json")
        own = given.model_dump(exclude={"version", "job", "lane", "window", "webhook"})
        span = given.window
        window = None if span is None else Window(span.opens, span.closes)
        job, lane = _decode_job(given.job), Lane.parse(given.lane)
        told = given.webhook
        webhook = None if told is None else Webhook(told.url, told.events, told.origin, told.form)
        return cls(**own, job=job, lane=lane, window=window, webhook=webhook)


def _decode_job(values: dict[str, Any]) -> Job:
    try:
        return decode_job(values)
    except InvalidJob as error:
        # Producers submit only what they know themselves.
        if error.problem in (UNKNOWN_FIELD, UNKNOWN_KIND):
            raise LaterVersion(f"job.json is of a later version: {error}") from None
        raise


def digest_of(job: Job) -> str:
    """A hexadecimal digest, equal for equal jobs.

    Take it before values are filled in: a random seed would change it.
    """
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:32]


def new_job_id() -> str:
    """A short unguessable id; starts with a letter, so it is never read as a number."""
    return "j" + secrets.token_hex(_ID_BYTES)

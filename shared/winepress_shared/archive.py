"""The store's side of a job: what was asked for, what came of it.

::

    jobs/ID/job.json         written before the ledger knows of the job; never changed
    jobs/ID/items/…          what each unit of a batch is, see `items`
    jobs/ID/out/000007.png   picture of unit 7; written once, only if the key is free
    jobs/ID/result.json      written when every unit has ended; lists every output
    inputs/SHA256.png        input pictures, shared by all jobs that use them
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from winepress_shared.errors import InvalidJob, StoreUnreachable, WinepressError
from winepress_shared.job import Job, decode_job
from winepress_shared.lane import Lane
from winepress_shared.picture import Picture
from winepress_shared.stores.base import Store
from winepress_shared.window import Window

_FORMAT_VERSION = 1
_ID_BYTES = 10
_OUTPUT = "winepress-output"  #: name of the object metadata in which a picture describes itself
_SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp"}


@dataclass(frozen=True)
class JobRecord:
    """What ``job.json`` holds: everything needed to render the job, or to queue it again."""

    id: str
    job: Job  #: resolved: no open values
    lane: Lane
    user: str
    digest: str = ""  #: `digest_of` the job as it was asked for, before values were filled in
    idempotency_key: str = ""
    expires: float | None = None  #: Unix seconds, by the producer's clock
    starts: float | None = None  #: not to be begun before; Unix seconds, by the producer's clock
    window: Window | None = None  #: part of the day it is worked on; None is always
    cost: float | None = None  #: megapixel-steps of a unit on average; None is what the job says

    def encode(self) -> bytes:
        """The bytes of ``job.json``."""
        return json.dumps(
            {
                "version": _FORMAT_VERSION,
                "id": self.id,
                "user": self.user,
                "lane": str(self.lane),
                "digest": self.digest,
                "idempotency_key": self.idempotency_key,
                "expires": self.expires,
                "starts": self.starts,
                "window": None if self.window is None else asdict(self.window),
                "cost": self.cost,
                "job": self.job.model_dump(mode="json"),
            },
            indent=1,
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> JobRecord:
        """Read ``job.json``; raises InvalidJob or StoreUnreachable for anything else."""
        try:
            values = json.loads(data)
            lane = Lane.parse(values["lane"])
            return cls(
                values["id"],
                decode_job(values["job"]),
                lane,
                values["user"],
                values["digest"],
                values["idempotency_key"],
                values["expires"],
                values.get("starts"),
                Window(**values["window"]) if values.get("window") else None,
                values.get("cost"),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StoreUnreachable(f"job.json is damaged: {type(error).__name__}") from None


@dataclass(frozen=True)
class Output:
    """One unit's picture in the store."""

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
        done = [Output(unit=u, **row) for u, row in sorted(units.items()) if "error" not in row]
        failed = [Failure(unit=u, **row) for u, row in sorted(units.items()) if "error" in row]
        return cls(job_id, tuple(done), tuple(failed))


def digest_of(job: Job) -> str:
    """Equal for jobs that ask for the same; hexadecimal.

    To be taken before values are filled in: a seed drawn at random would make every digest new.
    """
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:32]


def new_job_id() -> str:
    """A short unguessable id; begins with a letter, so nobody reads it as a number."""
    return "j" + secrets.token_hex(_ID_BYTES)


def output_key(job_id: str, unit: int, output_format: str) -> str:
    """Where the picture of a unit is kept."""
    return f"jobs/{job_id}/out/{unit:06d}.{_SUFFIXES[output_format]}"


class Archive:
    """Jobs, inputs and results in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def write_job(self, record: JobRecord) -> None:
        """Keep what was asked for, and the pictures it needs; raises InvalidJob for a lost one."""
        for picture in record.job.pictures:
            self.write_input(picture)
        self.store.put(
            f"jobs/{record.id}/job.json", record.encode(), content_type="application/json"
        )

    def write_input(self, picture: Picture) -> None:
        """Keep an input picture; raises ObjectMissing when only its reference is at hand."""
        if picture.png is not None:
            self.store.put_new(picture.key, picture.png, content_type="image/png")
        elif self.store.head(picture.key) is None:
            raise InvalidJob(
                "the store does not hold this input picture",
                value=picture.reference,
                hint="Give the file itself instead of its reference",
            )

    def read_job(self, job_id: str) -> JobRecord:
        """What was asked for; raises ObjectMissing."""
        return JobRecord.decode(self.store.get(f"jobs/{job_id}/job.json"))

    def forget_job(self, job_id: str) -> None:
        """Remove a job that was not accepted after all."""
        self.store.delete(f"jobs/{job_id}/job.json")
        for stored in list(self.store.list(f"jobs/{job_id}/items/")):
            self.store.delete(stored.key)

    def reopen_job(self, job_id: str) -> None:
        """Take the result of a job back because it goes on; its pictures stay."""
        self.store.delete(f"jobs/{job_id}/result.json")

    def read_input(self, picture: Picture) -> bytes:
        """The PNG bytes of an input, checked against its reference."""
        data = self.store.get(picture.key)
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != picture.reference:
            raise StoreUnreachable("an input picture is damaged", value=picture.reference)
        return data

    def write_output(self, key: str, data: bytes, row: dict[str, Any]) -> bool:
        """Keep the picture of a unit with its row; False when there is one already."""
        kind = "jpeg" if key.endswith(".jpg") else key.rpartition(".")[2]
        return self.store.put_new(
            key, data, content_type=f"image/{kind}", metadata={_OUTPUT: json.dumps(row)}
        )

    def read_output(self, key: str) -> dict[str, Any] | None:
        """The row of the picture under ``key``; None when there is none or it says nothing."""
        stored = self.store.head(key)
        try:
            row: dict[str, Any] = json.loads(stored.metadata[_OUTPUT]) if stored else {}
            return {**row, "key": key} if row.get("key") == key else None
        except (ValueError, KeyError, AttributeError):
            return None

    def write_result(self, result: Result) -> None:
        """Keep what came of a job."""
        data = json.dumps({"version": _FORMAT_VERSION, **asdict(result)}, indent=1).encode()
        self.store.put(f"jobs/{result.id}/result.json", data, content_type="application/json")

    def read_result(self, job_id: str) -> Result:
        """What came of a job; raises ObjectMissing while it is not finished."""
        values = json.loads(self.store.get(f"jobs/{job_id}/result.json"))
        if values.get("version") != _FORMAT_VERSION:
            raise WinepressError("result.json is of another version", value=values.get("version"))
        return Result(
            values["id"],
            tuple(Output(**row) for row in values["outputs"]),
            tuple(Failure(**row) for row in values["failures"]),
        )

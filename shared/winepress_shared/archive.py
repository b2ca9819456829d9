"""The archive: jobs, inputs and results in the store.

Keys are relative to the farm's part of the store; see `stores.farm`::

    jobs/ID/job.json         the job; once it is written the job is accepted, and it never changes
    jobs/ID/items/…          the items of a batch; see `items`
    jobs/ID/out/000007.png   the picture of unit 7; written once, only if the key is free
    jobs/ID/out/000008.mp4   the film of a zoom, which is its last unit
    jobs/ID/result.json      all outputs and failures; written when every unit has ended
    inputs/SHA256.png        an input picture or sound, shared by all jobs that use it; see `inputs`
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from winepress_shared import inputs
from winepress_shared.documents import (
    FORMAT_VERSION,
    MAX_JOB_BYTES,
    MAX_RESULT_BYTES,
    OutputDocument,
    ResultDocument,
    read_document,
)
from winepress_shared.errors import (
    FailForGood,
    InvalidJob,
    ObjectMissing,
    ObjectTooLarge,
    StoreUnreachable,
)
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.job_record import JobRecord as JobRecord
from winepress_shared.jobs.job_record import digest_of as digest_of
from winepress_shared.jobs.job_record import new_job_id as new_job_id
from winepress_shared.jobs.picture import Picture
from winepress_shared.jobs.sound import Sound
from winepress_shared.result import Failure as Failure
from winepress_shared.result import Output as Output
from winepress_shared.result import Result as Result
from winepress_shared.stores.base import Store
from winepress_shared.stores.conditional_writes import PROBES

MAX_INPUT_BYTES = 2**26  #: the largest picture in full colour has 50 MB, the largest sound 64 MiB
_OUTPUT = "winepress-output"  #: name of the object metadata with the row of an output
_SIZE = "winepress-size"  #: name of the object metadata with the size of an input picture
_SIDES = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
#: Format of a unit → suffix of its key; `frames` is a film as single pictures.
_SUFFIXES = {"jpeg": "jpg", "frames": "zip"}
_CONTENT_TYPES = {
    **dict.fromkeys(("png", "jpg", "webp", "gif"), "image/{}"),
    **dict.fromkeys(("mp4", "webm"), "video/{}"),
    "zip": "application/{}",
}


def output_key(job_id: str, unit: int, output_format: str) -> str:
    """The key of the output of a unit."""
    suffix = _SUFFIXES.get(output_format, output_format)
    return f"jobs/{job_id}/out/{unit:06d}.{suffix}"


def content_type_of(key: str) -> str:
    """The media type of an output, by the suffix of its key."""
    suffix = key.rpartition(".")[2]
    return _CONTENT_TYPES[suffix].format("jpeg" if suffix == "jpg" else suffix)


def _lost(given: Picture | Sound) -> InvalidJob:
    kind = "sound" if isinstance(given, Sound) else "picture"
    return InvalidJob(
        f"the store does not hold this input {kind}",
        value=given.reference,
        hint="Give the file instead of its reference",
    )


class Archive:
    """Jobs, inputs and results in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def write_inputs(self, job: Job) -> None:
        """Write the inputs of a job; raises InvalidJob if one is missing."""
        for picture in job.pictures:
            self.write_input(picture)
        for sound in job.sounds:
            self.write_sound(sound)

    def write_job(self, record: JobRecord) -> None:
        """Write a job, after its inputs and items: with this it is accepted."""
        self.store.put(
            f"jobs/{record.id}/job.json", record.encode(), content_type="application/json"
        )

    def write_input(self, picture: Picture) -> None:
        """Write an input picture; raises InvalidJob if neither its bytes nor its object exist.

        Raises Conflict if the object is being deleted; see `inputs`.
        """
        if picture.png is None:
            self._use(picture)
            return
        sides = "{}x{}".format(*(picture.size or (0, 0)))
        inputs.write(self.store, picture.key, picture.png, "image/png", {_SIZE: sides})

    def write_sound(self, sound: Sound) -> None:
        """The same for a sound file."""
        if sound.data is None:
            self._use(sound)
        else:
            inputs.write(self.store, sound.key, sound.data, f"audio/{sound.container}")

    def _use(self, given: Picture | Sound) -> None:
        if self.store.head(given.key) is None or not inputs.use(self.store, given.key):
            raise _lost(given)

    def with_sizes(self, job: Job) -> Job:
        """``job`` with the sizes of pictures that are given by reference, and validated with them.

        Raises InvalidJob if a picture is missing or broken, or does not fit the others.
        """
        known = {
            name: replace(value, size=self._size(value))
            for name, value in job
            if isinstance(value, Picture) and value.size is None
        }
        return type(job)(**{**dict(job), **known}) if known else job

    def _size(self, picture: Picture) -> tuple[int, int]:
        """Width and height of a stored picture, in pixels."""
        stored = self.store.head(picture.key)
        if stored is None:
            raise _lost(picture)
        noted = _SIDES.fullmatch(stored.metadata.get(_SIZE, ""))
        if noted:
            return int(noted[1]), int(noted[2])
        # An earlier version stored no size.
        return Picture.load(self.store.get(picture.key)).size or (0, 0)

    def read_job(self, job_id: str) -> JobRecord:
        """The record of a job; raises ObjectMissing, or FailForGood or InvalidJob if damaged."""
        data = self._read_document(f"jobs/{job_id}/job.json", MAX_JOB_BYTES)
        record = JobRecord.decode(data)
        if record.id != job_id:
            raise FailForGood(
                "job.json is damaged: it is in the folder of another job", value=record.id
            )
        return record

    def _read_document(self, key: str, most: int) -> bytes:
        try:
            return self.store.get(key, most=most)
        except ObjectTooLarge as error:
            name = key.rpartition("/")[2]
            raise FailForGood(f"{name} is too large", value=key, allowed=error.allowed) from None

    def has_job(self, job_id: str) -> bool:
        """Whether the store holds the description of this job."""
        return self.store.head(f"jobs/{job_id}/job.json") is not None

    @property
    def has_jobs(self) -> bool:
        """Whether the store holds any job."""
        return any(not stored.key.startswith(PROBES) for stored in self.store.list("jobs/"))

    def forget_job(self, job_id: str) -> None:
        """Remove a job that was not accepted."""
        self.store.delete(f"jobs/{job_id}/job.json")
        for stored in list(self.store.list(f"jobs/{job_id}/items/")):
            self.store.delete(stored.key)

    def reopen_job(self, job_id: str) -> None:
        """Remove the result of a job that continues; its pictures stay."""
        self.store.delete(f"jobs/{job_id}/result.json")

    def read_input(self, picture: Picture) -> bytes:
        """The PNG bytes of an input; raises FailForGood if they are missing or damaged.

        Another attempt would not help, and other jobs of the lane are not affected.
        """
        return self._read_given("an input picture", picture.key, picture.reference)

    def read_sound(self, sound: Sound) -> Sound:
        """``sound`` with its bytes; raises FailForGood if they are missing or damaged."""
        return replace(sound, data=self._read_given("the sound", sound.key, sound.reference))

    def _read_given(self, name: str, key: str, reference: str) -> bytes:
        try:
            data = self.store.get(key, most=MAX_INPUT_BYTES)
        except ObjectMissing:
            raise FailForGood(f"{name} is missing", value=reference) from None
        except ObjectTooLarge as error:
            raise FailForGood(f"{name} is damaged: {error}", value=reference) from None
        digest = reference.removeprefix("sha256:").partition(".")[0]
        if hashlib.sha256(data).hexdigest() != digest:
            raise FailForGood(f"{name} is damaged", value=reference)
        return data

    def write_output(self, key: str, data: bytes, row: dict[str, Any]) -> bool:
        """Write the picture of a unit with its row; returns False if there is one already.

        An object without a valid row, or without the bytes it tells of, is replaced.
        """
        kind, metadata = content_type_of(key), {_OUTPUT: json.dumps(row)}
        if self.store.put_new(key, data, content_type=kind, metadata=metadata):
            return True
        if self.whole_output(key) is not None:
            return False
        self.store.put(key, data, content_type=kind, metadata=metadata)
        return True

    def write_film(
        self, key: str, path: Path, row: dict[str, Any], on_bytes: Callable[[int], None]
    ) -> bool:
        """The same for a film in a file of any length; ``on_bytes`` gets the bytes sent so far."""
        send = partial(
            self.store.put_file,
            key,
            path,
            content_type=content_type_of(key),
            metadata={_OUTPUT: json.dumps(row)},
            on_bytes=on_bytes,
        )
        return send(only_new=True) or (self.whole_output(key) is None and send())

    def read_output(self, key: str) -> dict[str, Any] | None:
        """The row of the picture under ``key``; None if there is no picture or no valid row."""
        stored = self.store.head(key)
        if stored is None:
            return None
        try:
            row = read_document(OutputDocument, stored.metadata.get(_OUTPUT, ""), key)
        except FailForGood:
            return None
        is_of_this = row.key == key and row.size == stored.size
        return row.model_dump(exclude_unset=True) if is_of_this else None

    def whole_output(self, key: str, sha256: str = "") -> dict[str, Any] | None:
        """The same, if its bytes are there too: of ``sha256``, if it is given.

        A store whose machine lost power may describe an object and have lost its bytes.
        """
        row = self.read_output(key)
        if row is None or sha256 not in ("", row["sha256"]):
            return None
        try:
            return row if self._digest(key, row["size"]) == row["sha256"] else None
        except (ObjectMissing, ObjectTooLarge):
            return None
        except StoreUnreachable:
            self.store.check()  # raises if it is the store that cannot be used
            return None

    def _digest(self, key: str, size: int) -> str:
        with tempfile.TemporaryDirectory(prefix="winepress-") as folder:
            path = Path(folder) / "object"
            self.store.get_file(key, path, most=size)
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

    def read_file(self, output: Output, path: Path) -> None:
        """Write an output to the empty file ``path``; raises StoreUnreachable if it is damaged."""
        self.store.get_file(output.key, path, most=output.size)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != output.sha256:
                raise StoreUnreachable("a picture in the store is damaged", value=output.key)

    def write_result(self, result: Result) -> None:
        """Write the result of a job."""
        data = json.dumps({"version": FORMAT_VERSION, **asdict(result)}, indent=1).encode()
        self.store.put(f"jobs/{result.id}/result.json", data, content_type="application/json")

    def read_result(self, job_id: str) -> Result:
        """The result of a job; raises ObjectMissing before the job has ended.

        Raises FailForGood if the result is damaged or belongs to another job.
        """
        data = self._read_document(f"jobs/{job_id}/result.json", MAX_RESULT_BYTES)
        given = read_document(ResultDocument, data, "result.json")
        own = f"jobs/{job_id}/out/"
        if given.id != job_id or not all(one.key.startswith(own) for one in given.outputs):
            raise FailForGood("result.json is damaged: it is in the folder of another job")
        return Result(
            job_id,
            tuple(Output(**one.model_dump()) for one in given.outputs),
            tuple(Failure(**one.model_dump()) for one in given.failures),
        )

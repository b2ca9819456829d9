"""One submitted job, as its producer sees it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from PIL import Image

from winepress.caller_checks import check_link_life
from winepress.event_stream import EventStream
from winepress.explanation import why_job_impossible
from winepress_shared.archive import Output, Result
from winepress_shared.errors import (
    JobCanceled,
    JobExpired,
    JobFailed,
    ObjectMissing,
    StoreUnreachable,
    WrongUsage,
)
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState
from winepress_shared.stores.base import MAX_GET_BYTES

if TYPE_CHECKING:
    from winepress.client import Client
    from winepress_shared.estimate import Estimate
    from winepress_shared.ledger.previews import Preview

_READERS = 8  #: pictures fetched at a time
_FILMS = ("mp4", "webm", "gif", "zip")  #: how keys of films end, and of nothing else


class JobHandle:
    """One job: its state, its events, its pictures."""

    def __init__(
        self, client: Client, job_id: str, warnings: tuple[str, ...] | None = None
    ) -> None:
        self._client = client
        self.id = job_id
        self._warnings = warnings

    def __repr__(self) -> str:
        return f"JobHandle({self.id!r})"

    # -- state -------------------------------------------------------------------------------

    def status(self) -> JobRow:
        """The job as the ledger knows it now; raises NotFound."""
        return self._client.ledger.get(self.id)

    @property
    def progress(self) -> float:
        """Share of the pictures that have ended, 0 to 1."""
        row = self.status()
        return (row.done + row.failed) / row.units

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the job asks for and will not get, one sentence each."""
        if self._warnings is None:
            self._warnings = self._client.archive.read_job(self.id).warnings
        return self._warnings

    @property
    def why_impossible(self) -> str | None:
        """Why no live worker can render this job, or cut its film; None when one can."""
        return why_job_impossible(self.status(), self._client.workers())

    @property
    def is_possible(self) -> bool:
        """True when a live worker can render this job."""
        return self.why_impossible is None

    @property
    def why_stalled(self) -> str:
        """What keeps the job from going on now, in sentences; empty when nothing does."""
        return self._client.why_stalled(self.id)

    def explain(self) -> str:
        """Why the job waits, and what to do about it."""
        return self._client.explain(self.id)

    def estimate(self) -> Estimate:
        """Place in the queue, start, end and time limit of a picture, as measured."""
        return self._client.estimate(self.id)

    def cancel(self) -> JobState:
        """Stop the job; finished pictures are kept. Raises Conflict when it is over."""
        return self._client.cancel(self.id)

    # -- waiting -----------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Self:
        """Return when the job has succeeded; ``timeout`` is in seconds.

        Raises JobFailed, JobCanceled, JobExpired, or TimeoutError while it is still going on.
        """
        events = self.events(timeout)
        for _ in events:
            pass
        raise_unless_succeeded(events.ended or self.status())
        return self

    def events(self, timeout: float | None = None, *, after: str | None = None) -> EventStream:
        """What happened and happens to the job, until it is over; ``timeout`` is in seconds.

        Begins with the newest few hundred events of the past. With ``after``, the id of an event
        ("0" is before the first), it begins with one event ``state``, which tells what the job is
        now, and goes on behind that id. `EventStream.close` ends it from any thread. Raises
        TimeoutError, and InvalidJob for what is no id.
        """
        return EventStream(self._client, self.id, timeout, after)

    def preview(self, unit: int = 0) -> Preview | None:
        """What picture ``unit`` looked like a moment ago; None when it is not being drawn.

        A job shows itself with ``preview_every``; each one is told by an event ``preview``.
        """
        return self._client.previews.get(self.id, unit)

    # -- results -----------------------------------------------------------------------------

    @property
    def result(self) -> Result:
        """What came of each unit so far; complete once the job is over. Raises NotFound."""
        try:
            return self._client.archive.read_result(self.id)
        except ObjectMissing:
            self.status()
            return Result.from_units(self.id, self._client.ledger.outputs(self.id))

    def files(self) -> Iterator[tuple[Output, bytes]]:
        """Every finished picture as it is stored, in unit order, checked against its SHA-256."""
        for output in self.result.outputs:
            if not output.is_film:
                yield output, self._read(output)

    def _read(self, output: Output) -> bytes:
        data = self._client.archive.store.get(output.key, most=min(output.size, MAX_GET_BYTES))
        if hashlib.sha256(data).hexdigest() != output.sha256:
            raise StoreUnreachable("a picture in the store is damaged", value=output.key)
        return data

    @property
    def images(self) -> Sequence[Image.Image]:
        """The finished pictures, in unit order."""
        return [_decode(output, data) for output, data in self.files()]

    def save(self, folder: Path | str) -> Sequence[Path]:
        """Write pictures and film as they are stored: ``FOLDER/ID-000007.png``, ``FOLDER/ID.mp4``.

        A file that is there already is not fetched again if it is the same; raises WrongUsage if
        it is not.
        """
        target = Path(folder)
        outputs = self.result.outputs
        paths = [target / file_name(self.id, output.key) for output in outputs]
        try:
            target.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(_READERS, thread_name_prefix="fetch") as pool:
                list(pool.map(self.save_as, outputs, paths))
            return paths
        except OSError as error:
            raise WrongUsage(
                f"cannot save here: {error.strerror}",
                value=str(target),
                hint=f"The farm keeps them: `winepress fetch {self.id} --out DIR` goes on later",
            ) from None

    def save_as(self, output: Output, path: Path) -> None:
        """Write one output under any name; raises WrongUsage when another file is there already."""
        if path.exists():
            if not path.is_file() or _digest(path) != output.sha256:  # a FIFO is never read
                raise WrongUsage(
                    "another file is there already",
                    value=str(path),
                    hint="Remove it, or save into another folder",
                )
            return
        part = path.with_name(f".{path.name}.part")
        try:
            part.unlink(missing_ok=True)
            self._client.archive.read_file(output, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @property
    def film(self) -> Output | None:
        """The film of a zoom; None before it is cut, and of other jobs."""
        return next((output for output in self.result.outputs if output.is_film), None)

    def save_newest(self, path: Path) -> None:
        """Keep the newest finished picture in one file, as it is stored; raises WrongUsage."""
        pictures = [output for output in self.result.outputs if not output.is_film]
        if not pictures:
            return
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_bytes(self._read(pictures[-1]))
            part.replace(path)
        except OSError as error:
            raise WrongUsage(f"cannot save here: {error.strerror}", value=str(path)) from None

    def urls(self, expires_s: int = 3600) -> Sequence[str]:
        """Links to the finished pictures, in unit order, valid for ``expires_s`` seconds.

        They name ``s3_public_endpoint`` where that is set. Raises WrongUsage unless ``expires_s``
        is 1 second to 7 days.
        """
        life_s = check_link_life(expires_s)
        store = self._client.archive.store
        return [store.url(output.key, life_s) for output in self.result.outputs]


def raise_unless_succeeded(row: JobRow) -> None:
    """Raise JobFailed, JobCanceled or JobExpired for a job that ended otherwise."""
    reason = f": {row.reason}" if row.reason else ""
    if row.state is JobState.FAILED:
        raise JobFailed(
            f"job {row.id} failed{reason}",
            hint=f"`winepress retry {row.id}` renders the missing pictures again",
        )
    if row.state is JobState.CANCELED:
        raise JobCanceled(
            f"job {row.id} was canceled{reason}",
            hint=f"`winepress fetch {row.id}` saves what is finished: {row.done} of {row.units}"
            if row.done
            else None,
        )
    if row.state is JobState.EXPIRED:
        raise JobExpired(
            f"job {row.id} expired{reason}",
            hint=f"`winepress retry {row.id}` queues it again without a deadline",
        )


def _decode(output: Output, data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
    if image.size != (output.width, output.height):
        raise StoreUnreachable("a picture in the store has another size", value=output.key)
    image.load()
    return image


def file_name(job_id: str, key: str) -> str:
    """The name under which the object at ``key`` is saved; a job has one film at the most."""
    name = key.rpartition("/")[2]
    suffix = name.rpartition(".")[2]
    return f"{job_id}.{suffix}" if suffix in _FILMS else f"{job_id}-{name}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

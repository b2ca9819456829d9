"""The handle of one submitted job."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from PIL import Image

from winepress.caller_checks import check_job_id, check_link_life
from winepress.control import CANCELED, cancel
from winepress.event_stream import EventStream
from winepress.explanation import estimate_job, explain, why_job_impossible, why_stalled
from winepress_shared.archive import Output, Result
from winepress_shared.atomic_file import atomic_write, replacing
from winepress_shared.errors import (
    JobCanceled,
    JobExpired,
    JobFailed,
    NotFound,
    ObjectMissing,
    StoreUnreachable,
    WrongUsage,
)
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState
from winepress_shared.stores.base import MAX_GET_BYTES

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress.estimate import Estimate
    from winepress_shared.ledger.previews import Preview

_READERS = 8  #: pictures fetched at a time
_FILMS = ("mp4", "webm", "gif", "zip")  #: suffixes of the keys of films; pictures have others


class JobHandle:
    """One job: its state, its events, its pictures."""

    def __init__(
        self, connections: Connections, job_id: str, warnings: tuple[str, ...] | None = None
    ) -> None:
        self._connections = connections
        self.id = job_id
        self._warnings = warnings

    def __repr__(self) -> str:
        return f"JobHandle({self.id!r})"

    # -- state -------------------------------------------------------------------------------

    def status(self) -> JobRow:
        """The job as the ledger knows it now; raises NotFound."""
        return self._connections.ledger.get(self.id)

    @property
    def progress(self) -> float:
        """Share of the pictures that have ended, 0 to 1."""
        row = self.status()
        return (row.done + row.failed) / row.units

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the job asks for and the model ignores, one sentence each; raises ObjectMissing."""
        if self._warnings is None:
            self._warnings = self._connections.archive.read_job(self.id).warnings
        return self._warnings

    @property
    def why_impossible(self) -> str | None:
        """Why no live worker can render this job, or cut its film; None when one can."""
        return why_job_impossible(self.status(), self._connections.ledger.workers())

    @property
    def is_possible(self) -> bool:
        """True when a live worker can render this job."""
        return self.why_impossible is None

    @property
    def why_stalled(self) -> str:
        """What keeps the job from being worked on now, in sentences; empty when nothing does."""
        return why_stalled(self._connections, self.id)

    def explain(self) -> str:
        """Why the job waits, and what to do about it."""
        return explain(self._connections, self.id)

    def estimate(self) -> Estimate:
        """Place in the queue, start, end and time limit of a picture, by the measured pace."""
        return estimate_job(self._connections, self.id)

    def cancel(self) -> JobState:
        """Stop the job and keep its finished pictures; raises Conflict when it has ended."""
        return cancel(self._connections, self.id, CANCELED)

    # -- waiting -----------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Self:
        """Return when the job has succeeded; ``timeout`` is in seconds.

        Raises JobFailed, JobCanceled or JobExpired when the job ends otherwise, and TimeoutError
        when it has not ended in time.
        """
        events = self.events(timeout, steps=False)
        for _ in events:
            pass
        raise_unless_succeeded(events.ended or self.status())
        return self

    def events(
        self, timeout: float | None = None, *, after: str | None = None, steps: bool = True
    ) -> EventStream:
        """The events of the job, past and future, until it ends; ``timeout`` is in seconds.

        The stream begins with the newest few hundred events of the past. With ``after``, the id of
        an event ("0" is before the first), it begins with an event ``state``, which holds the
        present state of the job, and continues after that id. Workers report every step only while
        somebody reads so; without ``steps`` this asks for none. `EventStream.close` ends it from
        any thread. Raises TimeoutError, and InvalidJob when ``after`` is not an event id.
        """
        return EventStream(self._connections, self.id, timeout, after, steps=steps)

    def preview(self, unit: int = 0) -> Preview | None:
        """The newest preview of picture ``unit``; None when it is not being drawn.

        Only jobs with ``preview_every`` have previews; an event ``preview`` announces each one.
        """
        return self._connections.previews.get(self.id, unit)

    # -- results -----------------------------------------------------------------------------

    @property
    def result(self) -> Result:
        """The outputs and failures so far; complete once the job has ended. Raises NotFound."""
        try:
            return self._connections.archive.read_result(self.id)
        except ObjectMissing:
            self.status()
            return Result.from_units(self.id, self._connections.ledger.outputs(self.id))

    def files(self) -> Iterator[tuple[Output, bytes]]:
        """Every finished picture and its file, in unit order, checked against its SHA-256.

        Raises StoreUnreachable for a damaged picture.
        """
        for output in self.result.outputs:
            if not output.is_film:
                yield output, self.read(output)

    def read(self, output: Output) -> bytes:
        """The file of one finished picture; raises StoreUnreachable for a damaged one."""
        data = self._connections.archive.store.get(output.key, most=min(output.size, MAX_GET_BYTES))
        if hashlib.sha256(data).hexdigest() != output.sha256:
            raise StoreUnreachable("a picture in the store is damaged", value=output.key)
        return data

    @property
    def images(self) -> Sequence[Image.Image]:
        """The finished pictures, in unit order."""
        return [_decode(output, data) for output, data in self.files()]

    def save(self, folder: Path | str) -> Sequence[Path]:
        """Write pictures and film as they are stored: ``FOLDER/ID-000007.png``, ``FOLDER/ID.mp4``.

        Returns the paths. A file that exists and is the same is not fetched again. Raises
        WrongUsage when a different file exists, or when the folder cannot be written.
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
        """Write one output to ``path``; raises WrongUsage when a different file exists there."""
        if path.exists():
            if not path.is_file() or _digest(path) != output.sha256:  # a FIFO is never read
                raise WrongUsage(
                    "a different file exists there",
                    value=str(path),
                    hint="Remove it, or save into another folder",
                )
            return
        with replacing(path) as partial:
            self._connections.archive.read_file(output, partial)

    @property
    def film(self) -> Output | None:
        """The film of a zoom; None before it is cut, and for other jobs."""
        return next((output for output in self.result.outputs if output.is_film), None)

    def save_newest(self, path: Path) -> None:
        """Write the newest finished picture to ``path``; raises WrongUsage if that fails."""
        pictures = [output for output in self.result.outputs if not output.is_film]
        if not pictures:
            return
        try:
            atomic_write(path, self.read(pictures[-1]))
        except OSError as error:
            raise WrongUsage(f"cannot save here: {error.strerror}", value=str(path)) from None

    def urls(self, expires_s: int = 3600) -> Sequence[str]:
        """Links to the finished pictures, in unit order, valid for ``expires_s`` seconds.

        They point to ``s3_public_endpoint`` if that is set. Raises WrongUsage unless ``expires_s``
        is 1 second to 7 days.
        """
        life_s = check_link_life(expires_s)
        store = self._connections.archive.store
        return [store.url(output.key, life_s) for output in self.result.outputs]


def open_job(connections: Connections, job_id: str) -> JobHandle:
    """The handle of a job; raises NotFound.

    A job whose record has expired is found while the store still holds its result.
    """
    check_job_id(job_id)
    try:
        connections.ledger.get(job_id)
    except NotFound:
        if connections.archive.store.head(f"jobs/{job_id}/result.json") is None:
            raise
    return JobHandle(connections, job_id)


def raise_unless_succeeded(row: JobRow) -> None:
    """Raise JobFailed, JobCanceled or JobExpired if the job has ended in that state."""
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
            else f"`winepress retry {row.id}` queues it again",
        )
    if row.state is JobState.EXPIRED:
        raise JobExpired(
            f"job {row.id} expired{reason}",
            hint=f"`winepress retry {row.id}` queues it again without a deadline",
        )


def _decode(output: Output, data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
    if image.size != (output.width, output.height):
        raise StoreUnreachable("a picture in the store has the wrong size", value=output.key)
    image.load()
    return image


def file_name(job_id: str, key: str) -> str:
    """The file name for the object at ``key``: ``ID.mp4`` for the film, else ``ID-000007.png``."""
    name = key.rpartition("/")[2]
    suffix = name.rpartition(".")[2]
    return f"{job_id}.{suffix}" if suffix in _FILMS else f"{job_id}-{name}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Another film from the stored key frames of a zoom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from winepress.handle import open_job
from winepress_shared.archive import output_key
from winepress_shared.errors import Conflict, InvalidJob
from winepress_shared.jobs.film_cut import Direction
from winepress_shared.jobs.zoom import ZoomVideo

if TYPE_CHECKING:
    from winepress.connections import Connections

#: Each of them decides the length of the film; a new value of one replaces the other.
_PACES = ("duration", "seconds_per_key_frame")


def recut(connections: Connections, job_id: str, changes: dict[str, Any]) -> ZoomVideo:
    """The job that cuts another film of ``job_id``; ``changes`` are fields of `FilmCut`.

    Raises NotFound for an unknown job, InvalidJob when the film cannot be cut so, and Conflict
    while key frames are missing.
    """
    open_job(connections, job_id)
    job = connections.archive.read_job(job_id).job
    if not isinstance(job, ZoomVideo):
        raise InvalidJob(f"a {job.kind} job has no film", field="job", value=job_id)
    source = job.key_frames_of or job_id
    _check_key_frames(connections, source, job)
    if changes.get("direction") == "loop" and job.direction is not Direction.LOOP:
        raise InvalidJob(
            "a film can only loop if its zoom was drawn with direction=loop",
            field="direction",
            value="loop",
        )
    values = job.model_dump() | {"image": None, "exit_image": None}
    values |= {"key_frames": job.key_frame_count, "key_frames_of": source}
    if job.duration is not None or any(name in changes for name in _PACES):
        values |= {"seconds_per_key_frame": None}
    if any(name in changes for name in _PACES):
        values |= {"duration": None}
    return ZoomVideo(**(values | changes))


def _check_key_frames(connections: Connections, source: str, job: ZoomVideo) -> None:
    stored = {found.key for found in connections.archive.store.list(f"jobs/{source}/out/")}
    wanted = {output_key(source, index, "png") for index in range(job.key_frame_count)}
    if not wanted <= stored:
        raise Conflict(
            "key frames of this job are missing",
            field="job",
            value=f"{len(wanted & stored)} of {len(wanted)}",
            hint=f"`winepress status {source}` shows whether they are still being drawn",
        )

"""Another film from the key frames that a zoom has left in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from winepress_shared.archive import output_key
from winepress_shared.errors import Conflict, InvalidJob
from winepress_shared.jobs.film_cut import Direction
from winepress_shared.jobs.zoom import ZoomVideo

if TYPE_CHECKING:
    from winepress.client import Client

#: What decides how long a film lasts; a new one of them replaces the others.
_PACES = ("duration", "seconds_per_key_frame")


def recut(client: Client, job_id: str, changes: dict[str, Any]) -> ZoomVideo:
    """The job that cuts the key frames of ``job_id`` anew; ``changes`` are fields of a film.

    Raises NotFound, InvalidJob for what cannot be cut like this, Conflict while key frames are
    missing.
    """
    client.get(job_id)
    job = client.archive.read_job(job_id).job
    if not isinstance(job, ZoomVideo):
        raise InvalidJob(f"a {job.kind} job has no film", field="job", value=job_id)
    source = job.key_frames_of or job_id
    _check_key_frames(client, source, job)
    if changes.get("direction") == "loop" and job.direction is not Direction.LOOP:
        raise InvalidJob(
            "only a zoom that was drawn as a loop can be one", field="direction", value="loop"
        )
    values = job.model_dump() | {"image": None, "exit_image": None}
    values |= {"key_frames": job.key_frame_count, "key_frames_of": source}
    if job.duration is not None or any(name in changes for name in _PACES):
        values |= {"seconds_per_key_frame": None}
    if any(name in changes for name in _PACES):
        values |= {"duration": None}
    return ZoomVideo(**(values | changes))


def _check_key_frames(client: Client, source: str, job: ZoomVideo) -> None:
    stored = {found.key for found in client.archive.store.list(f"jobs/{source}/out/")}
    wanted = {output_key(source, index, "png") for index in range(job.key_frame_count)}
    if not wanted <= stored:
        raise Conflict(
            "key frames of this job are missing",
            field="job",
            value=f"{len(wanted & stored)} of {len(wanted)}",
            hint=f"`winepress status {source}` says whether they are still being drawn",
        )

"""Control of submitted jobs: cancel, pause, resume, retry, drop, front, reprioritise.

Every function raises NotFound for an unknown job, and Conflict when the state of the job does not
allow the change.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from winepress.caller_checks import check_job_id, check_priority
from winepress.tickets import call_workers
from winepress_shared.errors import StoreUnreachable
from winepress_shared.ledger.records import PRIORITIES
from winepress_shared.result import Result
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress_shared.jobs.job import Priority

CANCELED = "canceled on request"  #: the reason of a job that its producer canceled


def cancel(connections: Connections, job_id: str, reason: str) -> JobState:
    """Stop a job and keep its finished pictures."""
    state = _control(connections, job_id, "cancel", reason)
    record_end(connections, job_id)
    return state


def record_end(connections: Connections, job_id: str) -> None:
    """Write the result of a canceled job: `recover` leaves a job alone that has one."""
    result = Result.from_units(job_id, connections.ledger.outputs(job_id))
    with contextlib.suppress(StoreUnreachable):
        connections.archive.write_result(result)


def pause(connections: Connections, job_id: str) -> JobState:
    """Hand out no more pictures of a job; workers finish those they have in hand."""
    return _control(connections, job_id, "pause")


def resume(connections: Connections, job_id: str) -> JobState:
    """Continue a paused job."""
    return _reopen(connections, job_id, "resume")


def retry(connections: Connections, job_id: str) -> JobState:
    """Render the missing pictures of a failed, canceled or expired job.

    Of a job that is still worked on, render those that it has given up.
    """
    state = connections.ledger.get(check_job_id(job_id)).state
    if state.is_terminal and state is not JobState.SUCCEEDED:
        # `recover` takes a job with a result for a finished one.
        connections.archive.reopen_job(job_id)
    return _reopen(connections, job_id, "retry")


def drop(connections: Connections, job_id: str) -> JobState:
    """Take a job off the list of those that gave up pictures; nothing else of it changes."""
    return _control(connections, job_id, "drop")


def front(connections: Connections, job_id: str) -> JobState:
    """Move a job before the other jobs of its user and priority; other users keep their turns."""
    return _control(connections, job_id, "front")


def reprioritise(connections: Connections, job_id: str, priority: Priority) -> JobState:
    """Move the waiting pictures of a job to another priority; raises WrongUsage as well."""
    place = PRIORITIES.index(check_priority(priority))
    return _control(connections, job_id, "reprioritise", str(place))


def _control(connections: Connections, job_id: str, verb: str, reason: str = "") -> JobState:
    return connections.ledger.control(check_job_id(job_id), verb, reason)


def _reopen(connections: Connections, job_id: str, verb: str) -> JobState:
    state = _control(connections, job_id, verb)
    call_workers(connections, job_id)
    return state

"""Why a job waits, and when it will end, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from winepress.caller_checks import check_job_id
from winepress.estimate import Estimate, estimate_of
from winepress.refusals import Refusals
from winepress_shared.lane import FILM, device_class, model_key
from winepress_shared.ledger.records import PRIORITIES, JobRow, Worker
from winepress_shared.state import JobState
from winepress_shared.terminal import shown

if TYPE_CHECKING:
    from winepress.connections import Connections
    from winepress_shared.ledger.lanes import LaneIndex, Place
    from winepress_shared.ledger.ledger import Ledger
    from winepress_shared.window import Window

_MOST_NAMED = 5  #: items of a list in one sentence


def why_impossible(lane: str, workers: Sequence[Worker]) -> str | None:
    """Why none of ``workers`` can serve ``lane``; None when one can."""
    if not workers:
        return "no worker is alive; `winepress worker --device CPU` starts one"
    if any(worker.serves(lane) for worker in workers):
        return None
    refusals = Refusals.of(lane, workers).text
    if refusals:
        return refusals
    named = shortened([_name(worker) for worker in workers])
    device = "CPU" if lane == FILM else device_class(lane)
    remedy = (
        f"`winepress worker --device {device}` starts one on a machine with this device"
        if device
        else "`winepress models list` says which models are prepared"
    )
    return f"no live worker serves {lane} (alive: {named}); {remedy}"


def why_job_impossible(row: JobRow, workers: Sequence[Worker]) -> str | None:
    """Why none of ``workers`` can draw this job or cut its film; None when they can do both."""
    lanes = filter(None, (row.lane, row.last_lane))
    return next(filter(None, (why_impossible(lane, workers) for lane in lanes)), None)


def explain(connections: Connections, job_id: str) -> str:
    """Why a job waits, fails or does not move, and what to do about it; raises NotFound."""
    ledger, lanes = connections.ledger, connections.lanes
    row = ledger.get(check_job_id(job_id))
    if row.state is JobState.SUCCEEDED:
        return shown(_headline(row))
    if row.state.is_terminal:
        return f"{shown(_headline(row))}\n`winepress retry {row.id}` renders the missing pictures."
    workers, place = ledger.workers(), place_of(lanes, row)
    impossible = why_job_impossible(row, workers)
    lines = [_headline(row), *what_holds(row, place)]
    if impossible:
        lines.append(f"No worker can render it now: {impossible}.")
    if row.state is JobState.QUEUED and not impossible and len(lines) == 1:
        lines.append(_turn(ledger, row, place, workers))
    if not impossible and not row.paused and not row.pending:
        lines.append(estimate_text(estimate_of(row, place, lanes, workers)))
    return "\n".join(shown(line) for line in lines if line)


def why_stalled(connections: Connections, job_id: str) -> str:
    """What keeps a job from being worked on now, in sentences; empty when nothing does.

    Raises NotFound.
    """
    row = connections.ledger.get(check_job_id(job_id))
    if row.state.is_terminal:
        return ""
    impossible = why_job_impossible(row, connections.ledger.workers())
    told = [f"No worker can render it now: {impossible}."] if impossible else []
    return " ".join([*told, *what_holds(row, place_of(connections.lanes, row))])


def what_holds(row: JobRow, place: Place) -> list[str]:
    """One sentence for each thing that keeps a job from being worked on now."""
    starts = row.starts if row.state is JobState.QUEUED else None
    lines = [*_pauses(row, place), *times_of(starts, row.window)]
    if row.unread and row.state is JobState.QUEUED:
        lines.append(
            "A later version of Winepress has submitted it, and a worker could not read it: it "
            "waits for workers of that version."
        )
    if place.parked:
        lines.append(f"Its lane {row.lane} rests after a fault: {place.parked}.")
    return lines


def times_of(starts: float | None, window: Window | None) -> list[str]:
    """When a job may be worked on, one sentence for each limit; ``starts`` is a Unix time."""
    lines = []
    if starts is not None:
        lines.append(f"It starts no earlier than {_clock(starts)}.")
    if window is not None:
        lines.append(f"It is worked on only during {window.local}.")
    return lines


def place_of(lanes: LaneIndex, row: JobRow) -> Place:
    """What goes before a job and holds it back."""
    return lanes.place(row.lane, PRIORITIES.index(row.priority), row.user, row.id)


def estimate_job(connections: Connections, job_id: str) -> Estimate:
    """The estimate of a submitted job; raises NotFound."""
    ledger, lanes = connections.ledger, connections.lanes
    row = ledger.get(check_job_id(job_id))
    return estimate_of(row, place_of(lanes, row), lanes, ledger.workers())


def estimate_text(found: Estimate) -> str:
    """An estimate in words; empty when there is nothing to say."""
    text = f"Pictures before it: {found.ahead}. " if found.ahead else ""
    if found.ends_in_s is not None and found.starts_in_s is not None:
        start = f"it starts in about {duration(found.starts_in_s)} and " if found.ahead else "it "
        text += f"At the measured pace {start}ends in about {duration(found.ends_in_s)}. "
    if found.limit_s is not None:
        text += f"Time limit of a picture: {duration(found.limit_s)}."
    return text.rstrip()


def counted(count: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shortened(names: Sequence[str], between: str = ", ") -> str:
    """The first few of ``names`` in a sentence, and the number of the others."""
    more = f"{between}and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return between.join(names[:_MOST_NAMED]) + more


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: ``0:02:10``; at least one second."""
    return str(timedelta(seconds=max(1, round(seconds))))


def _pauses(row: JobRow, place: Place) -> list[str]:
    lines = []
    if row.pending:
        lines.append(
            "It is pending: its submission is not complete. If it was interrupted, a worker looks "
            "after a few minutes whether the store has the job, and then accepts or forgets it."
        )
    if row.paused:
        lines.append(f"It is paused: `winepress resume {row.id}` continues it.")
    for scope in place.paused:
        kind, _, name = scope.partition(":")
        what = f"{kind} {name}" if name else "whole farm"
        lines.append(f"The {what} is paused: `winepress resume {_flag(scope)}` continues it.")
    return lines


def _flag(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f"--{kind} {name}".rstrip()


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "minutes")


def _headline(row: JobRow) -> str:
    counts = f"{row.done} of {row.units} pictures done"
    if row.failed:
        counts += f", {row.failed} failed"
    reason = f": {row.reason}" if row.reason else ""
    return f"Job {row.id} is {row.state.value}{reason} ({counts}; lane {row.lane})."


def _turn(ledger: Ledger, row: JobRow, place: Place, workers: Sequence[Worker]) -> str:
    serving = [worker for worker in workers if worker.serves(row.lane)]
    model = model_key(row.lane)
    warm = sum(model in worker.renderer.get("warm", ()) for worker in serving)
    waiting = ledger.waiting().get(row.lane, 0)
    if place.most_slices and place.slices >= place.most_slices:
        return (
            f"{row.user} has {counted(place.slices, 'slice')} in work, and the limit is "
            f"{place.most_slices}: the job continues when one of them is done."
        )
    return (
        f"It waits for its turn: {place.jobs} earlier jobs of {row.user} go first, "
        f"{len(place.others)} other users take turns with {row.user} at priority "
        f"{row.priority.value}, {waiting} pictures wait in the lane. Live workers that serve it: "
        f"{len(serving)}, {warm} of them with the model loaded. Pictures of other jobs that these "
        f"workers have in hand: {sum(slice_.units for slice_ in place.in_hand)}."
        f"{_slowness(serving, model)}"
    )


def _slowness(serving: Sequence[Worker], model: str) -> str:
    staged = sum(model in worker.staged for worker in serving)
    if not staged:
        return ""
    return (
        f" {staged} of them hold one stage of the model at a time, for their memory is small: each "
        "picture takes longer there."
    )


def _name(worker: Worker) -> str:
    return f"{worker.name} on {worker.facts.get('device', '?')}"

"""Why a job waits, in words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from winepress.refusals import Refusals
from winepress_shared.lane import FILM
from winepress_shared.ledger.records import BANDS, JobRow, Worker
from winepress_shared.state import JobState
from winepress_shared.terminal import shown

if TYPE_CHECKING:
    from winepress_shared.estimate import Estimate
    from winepress_shared.ledger.lanes import LaneIndex, Place
    from winepress_shared.ledger.ledger import Ledger
    from winepress_shared.window import Window

_MOST_NAMED = 5  #: of a list, in one sentence


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
    device = "CPU" if lane == FILM else lane.partition("@")[2]
    remedy = (
        f"`winepress worker --device {device}` starts one on a machine that has it"
        if device
        else "`winepress models list` says which models are prepared"
    )
    return f"no live worker serves {lane} (alive: {named}); {remedy}"


def why_job_impossible(row: JobRow, workers: Sequence[Worker]) -> str | None:
    """Why none of ``workers`` can draw this job, or cut its film; None when both can be done."""
    lanes = (row.lane, FILM) if row.kind == "zoom-video" else (row.lane,)
    return next(filter(None, (why_impossible(lane, workers) for lane in lanes)), None)


def explain(ledger: Ledger, lanes: LaneIndex, row: JobRow) -> str:
    """Why a job waits, fails or does not move, and what to do about it."""
    if row.state is JobState.SUCCEEDED:
        return shown(_headline(row))
    if row.state.is_terminal:
        return f"{shown(_headline(row))}\n`winepress retry {row.id}` draws what it lacks."
    workers, place = ledger.workers(), place_of(lanes, row)
    impossible = why_job_impossible(row, workers)
    lines = [_headline(row), *what_holds(row, place)]
    if impossible:
        lines.append(f"Nothing can render it now: {impossible}.")
    if row.state is JobState.QUEUED and not impossible and len(lines) == 1:
        lines.append(_turn(ledger, row, place, workers))
    if not impossible and not row.paused:
        lines.append(estimate_text(estimate_of(row, place, lanes, workers)))
    return "\n".join(shown(line) for line in lines if line)


def why_stalled(ledger: Ledger, lanes: LaneIndex, row: JobRow) -> str:
    """What keeps a job from going on now, in sentences; empty when nothing does."""
    if row.state.is_terminal:
        return ""
    impossible = why_job_impossible(row, ledger.workers())
    told = [f"Nothing can render it now: {impossible}."] if impossible else []
    return " ".join([*told, *what_holds(row, place_of(lanes, row))])


def what_holds(row: JobRow, place: Place) -> list[str]:
    """One sentence for each thing that keeps a job from being worked on now."""
    starts = row.starts if row.state is JobState.QUEUED else None
    lines = [*_pauses(row, place), *times_of(starts, row.window)]
    if place.parked:
        lines.append(f"Its lane {row.lane} rests after a fault: {place.parked}.")
    return lines


def times_of(starts: float | None, window: Window | None) -> list[str]:
    """When a job is worked on, one sentence for each bound; ``starts`` is a Unix time."""
    lines = []
    if starts is not None:
        lines.append(f"It is not begun before {_clock(starts)}.")
    if window is not None:
        lines.append(f"It is worked on from {window} only.")
    return lines


def place_of(lanes: LaneIndex, row: JobRow) -> Place:
    """What goes before a job, and what holds it back."""
    return lanes.place(row.lane, BANDS.index(row.priority), row.user, row.id)


def estimate_of(row: JobRow, place: Place, lanes: LaneIndex, workers: Sequence[Worker]) -> Estimate:
    """What can be said about the time of a job that is not over."""
    from winepress_shared.estimate import Paces, Work, estimate

    views, _ = lanes.look("")
    found = estimate(Work.of(row), place, views, Paces(workers, lanes.paces()))
    left_s = max(0.0, (row.starts or 0.0) - time.time())
    if found.starts_in_s is None or found.ends_in_s is None:
        return found
    return replace(
        found, starts_in_s=found.starts_in_s + left_s, ends_in_s=found.ends_in_s + left_s
    )


def estimate_text(found: Estimate) -> str:
    """An estimate in words; empty when there is nothing to say."""
    text = f"Pictures that go before it: {found.ahead}. " if found.ahead else ""
    if found.ends_in_s is not None and found.starts_in_s is not None:
        start = f"begun in about {duration(found.starts_in_s)}, " if found.ahead else ""
        text += f"At the measured pace {start}done in about {duration(found.ends_in_s)}. "
    if found.limit_s is not None:
        text += f"Time limit of a picture: {duration(found.limit_s)}."
    return text.rstrip()


def counted(count: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shortened(names: Sequence[str], between: str = ", ") -> str:
    """The first of them in a sentence, and how many more there are."""
    more = f"{between}and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return between.join(names[:_MOST_NAMED]) + more


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: ``0:02:10``; at least one second."""
    return str(timedelta(seconds=max(1, round(seconds))))


def _pauses(row: JobRow, place: Place) -> list[str]:
    lines = []
    if row.paused:
        lines.append(f"It is paused: `winepress resume {row.id}` lets it go on.")
    for scope in place.paused:
        kind, _, name = scope.partition(":")
        what = f"{kind} {name}" if name else "whole farm"
        lines.append(f"The {what} is paused: `winepress resume {_flag(scope)}` lets it go on.")
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
    model = row.lane.partition("@")[0]  # what is loaded is known without the device
    warm = sum(model in worker.renderer.get("warm", ()) for worker in serving)
    waiting = ledger.waiting().get(row.lane, 0)
    if place.most_slices and place.slices >= place.most_slices:
        return (
            f"{row.user} has {place.slices} slices being drawn and may have {place.most_slices} "
            "at a time: it goes on when one of them is done."
        )
    return (
        f"It waits its turn: {place.jobs} earlier jobs of {row.user} go first, "
        f"{len(place.others)} other users take turns with {row.user} in band "
        f"{row.priority.value}, {waiting} pictures wait in the lane; live workers that serve it: "
        f"{len(serving)}, {warm} of them with the model loaded; pictures of other jobs that they "
        f"have in hand: {sum(part.units for part in place.in_hand)}."
    )


def _name(worker: Worker) -> str:
    return f"{worker.name} on {worker.facts.get('device', '?')}"

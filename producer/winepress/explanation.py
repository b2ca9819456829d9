"""Why a job waits, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from winepress_shared.ledger_records import JobRow, Worker
from winepress_shared.state import JobState

if TYPE_CHECKING:
    from winepress_shared.ledger import Ledger

_MOST_NAMED = 8  #: workers named in one sentence


def why_impossible(lane: str, workers: Sequence[Worker]) -> str | None:
    """Why none of ``workers`` can serve ``lane``; None when one can."""
    if not workers:
        return "no worker is alive; `winepress worker --device CPU` starts one"
    if any(lane in worker.facts.get("lanes", ()) for worker in workers):
        return None
    named = ", ".join(_name(worker) for worker in workers[:_MOST_NAMED])
    more = f" and {len(workers) - _MOST_NAMED} more" if len(workers) > _MOST_NAMED else ""
    device = lane.partition("@")[2]
    remedy = (
        f"`winepress worker --device {device}` starts one on a machine that has it"
        if device
        else "`winepress models list` says which models are prepared"
    )
    return f"no live worker serves {lane} (alive: {named}{more}); {remedy}"


def explain(ledger: Ledger, row: JobRow) -> str:
    """Why a job waits, fails or does not move, and what to do about it."""
    lines = [_headline(row)]
    if row.state.is_terminal:
        return lines[0]
    if row.paused:
        lines.append(f"It is paused: `winepress resume {row.id}` lets it go on.")
        return "\n".join(lines)
    if row.starts is not None and row.state is JobState.QUEUED:
        lines.append(f"It is not begun before {_clock(row.starts)}.")
    if row.window is not None:
        lines.append(f"It is worked on from {row.window} only.")
    workers = ledger.workers()
    impossible = why_impossible(row.lane, workers)
    if impossible:
        lines.append(f"Nothing can render it now: {impossible}.")
    parked = ledger.parked(row.lane)
    if parked is not None:
        lines.append(f"Its lane {row.lane} rests after a fault: {parked}.")
    if row.state is JobState.QUEUED and not impossible:
        lines.append(_place(ledger, row, workers))
    return "\n".join(lines)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "minutes")


def _headline(row: JobRow) -> str:
    counts = f"{row.done} of {row.units} pictures done"
    if row.failed:
        counts += f", {row.failed} failed"
    reason = f": {row.reason}" if row.reason else ""
    return f"Job {row.id} is {row.state.value}{reason} ({counts}; lane {row.lane})."


def _place(ledger: Ledger, row: JobRow, workers: Sequence[Worker]) -> str:
    mine, others = ledger.ahead(row)
    serving = [worker for worker in workers if row.lane in worker.facts.get("lanes", ())]
    model = row.lane.partition("@")[0]  # what is loaded is known without the device
    warm = sum(model in worker.renderer.get("warm", ()) for worker in serving)
    waiting = ledger.waiting().get(row.lane, 0)
    text = (
        f"It waits its turn: {mine} earlier jobs of {row.user} go first, {others} other users "
        f"take turns with {row.user} in band {row.priority.value}, {waiting} pictures wait in "
        f"the lane; live workers that serve it: {len(serving)}, {warm} of them with the model "
        "loaded."
    )
    paces = [worker.renderer.get("seconds_per_picture", {}).get(row.lane) for worker in serving]
    rate = sum(1 / pace for pace in paces if pace)
    return f"{text} At their pace the lane is empty in {waiting / rate:.0f} s." if rate else text


def _name(worker: Worker) -> str:
    return f"{worker.name} on {worker.facts.get('device', '?')}"

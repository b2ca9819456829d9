"""Follow jobs to their end: progress meanwhile, then what came of them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from winepress.commands.stall_watch import StallWatch
from winepress.console import INTERRUPTED, Console
from winepress.handle import JobHandle, file_name, raise_unless_succeeded
from winepress.joint_events import JointEvents
from winepress.views.progress_board import ProgressBoard
from winepress_shared.errors import JobFailed
from winepress_shared.ledger.events import Event

_MOST_WARNINGS = 5  #: shown of one job


def follow_to_end(
    console: Console,
    handle: JobHandle,
    *,
    out: Path | None = None,
    preview: Path | None = None,
    timeout: float | None = None,
    said: str = "",
) -> int:
    """Show progress until the job is over, save its pictures; returns the exit code.

    ``preview`` is a file that holds the newest picture meanwhile; ``said`` is why nothing moves,
    if the user has been told. Raises JobFailed and its kin, TimeoutError.
    """

    def hear(board: ProgressBoard, job: JobHandle, event: Event) -> None:
        if preview is not None and event.name == "unit-done":
            job.save_newest(preview)
            board.note(job.id, f"newest picture: {preview}")

    with ProgressBoard([handle.status()], sys.stderr) as board:
        follow(board, [handle], hear, timeout=timeout, said=said)
    _show_end(console, handle, out)
    return 0


def follow_all(
    console: Console, handles: Sequence[JobHandle], out: Path | None
) -> JobFailed | None:
    """The same for several jobs, what comes of each as soon as it is over; the first failure."""
    failures: list[JobFailed] = []

    def end(board: ProgressBoard, handle: JobHandle) -> None:
        with board.aside():
            try:
                _show_end(console, handle, out)
            except JobFailed as error:
                failures.append(error)

    with ProgressBoard([handle.status() for handle in handles], sys.stderr) as board:
        follow(board, handles, end=end)
    return failures[0] if failures else None


def follow(
    board: ProgressBoard,
    handles: Sequence[JobHandle],
    hear: Callable[[ProgressBoard, JobHandle, Event], None] | None = None,
    end: Callable[[ProgressBoard, JobHandle], None] | None = None,
    *,
    timeout: float | None = None,
    said: str = "",
) -> None:
    """Draw progress until every job is over, and tell each event and each end.

    ``said`` is why nothing moves, if the user has been told. Raises TimeoutError.
    """

    def say(handle: JobHandle, reason: str) -> None:
        board.say(f"{handle.id}: {reason}")

    board.refresh()
    with StallWatch(handles, say, said), JointEvents(handles, timeout, board.refresh) as events:
        for handle, event in events:
            if event is not None:
                board.take(handle.id, event)
                if hear:
                    hear(board, handle, event)
            elif end:
                end(board, handle)


def _show_end(console: Console, handle: JobHandle, out: Path | None) -> None:
    row = handle.status()
    if console.json_lines:
        console.result({"id": row.id, "state": row.state.value, "done": row.done})
    if out is not None:
        show_outputs(console, handle, handle.save(out))
    elif row.done and not console.json_lines:
        _tell_warnings(console, handle)
    raise_unless_succeeded(row)


def show_outputs(console: Console, handle: JobHandle, paths: Sequence[Path]) -> None:
    """Tell where each picture of a job was saved, and what was ignored in drawing it."""
    saved = {path.name: path for path in paths}
    for output in handle.result.outputs:
        path = saved.get(file_name(handle.id, output.key))
        if path is not None:  # else it was finished after the others were saved
            console.result({**asdict(output), "path": str(path)}, str(path))
    if not console.json_lines:  # each line has them
        _tell_warnings(console, handle)


def _tell_warnings(console: Console, handle: JobHandle) -> None:
    """What was ignored in drawing, beyond what was known when the job was queued."""
    found = Counter(warning for output in handle.result.outputs for warning in output.warnings)
    for known in handle.warnings if found else ():
        del found[known]
    for warning, count in found.most_common(_MOST_WARNINGS):
        console.note(f"winepress: {count} {'picture' if count == 1 else 'pictures'}: {warning}")
    if len(found) > _MOST_WARNINGS:
        console.note(
            f"winepress: {len(found) - _MOST_WARNINGS} more warnings; --manifest lists them all"
        )


def interrupted(console: Console, handles: Sequence[JobHandle]) -> int:
    """Say that jobs go on without their watcher, and what to do next; returns the exit code."""
    one = len(handles) == 1
    named = " ".join(handle.id for handle in handles)
    console.note(f"winepress: interrupted; the {'job goes' if one else 'jobs go'} on")
    console.note(f"  To wait again: winepress {'wait' if one else 'watch'} {named}")
    console.note(f"  To end {'it' if one else 'them'}: winepress cancel {named}")
    return INTERRUPTED

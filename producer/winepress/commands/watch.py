"""``winepress wait | watch``: follow jobs to their end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from winepress.client import Client
from winepress.commands.follow import follow, follow_to_end, interrupted
from winepress.commands.stall_watch import StallWatch
from winepress.commands.targets import check_targets
from winepress.console import Console
from winepress.handle import JobHandle, raise_unless_succeeded
from winepress.joint_events import JointEvents
from winepress.views.progress_board import ProgressBoard
from winepress_shared.atomic_file import atomic_write
from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.events import Event
from winepress_shared.screen.surface import can_draw

_MOST_JOBS = 100  #: watched together


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    wait = subparsers.add_parser("wait", help="wait until a job is over")
    wait.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than this")
    wait.add_argument("--out", type=Path, metavar="DIR", help="then save the pictures here")
    wait.add_argument("--preview", type=Path, metavar="FILE", help="keep the newest picture here")
    wait.add_argument("job", metavar="JOB", help="id of the job")
    wait.set_defaults(run=_wait)
    text = "show how far jobs are, until they are over"
    watch = subparsers.add_parser(
        "watch",
        help=text,
        description=f"{text[0].upper()}{text[1:]}: bars on a terminal, a line for each event "
        "elsewhere.",
    )
    watch.add_argument(
        "--previews", type=Path, metavar="DIR", help="keep the newest preview of each picture here"
    )
    watch.add_argument("jobs", nargs="+", metavar="JOB", help="id of a job")
    watch.set_defaults(run=_watch)
    for parser in (wait, watch):
        parser.add_argument("--json", action="store_true", help="one JSON object per line")


def _wait(arguments: argparse.Namespace) -> int:
    check_targets(arguments)
    with Client.from_env() as client:
        console, handle = Console(arguments.json), client.get(arguments.job)
        try:
            return follow_to_end(
                console,
                handle,
                out=arguments.out,
                preview=arguments.preview,
                timeout=arguments.timeout,
            )
        except KeyboardInterrupt:
            return interrupted(console, [handle])


def _watch(arguments: argparse.Namespace) -> int:
    names = list(dict.fromkeys(arguments.jobs))
    if len(names) > _MOST_JOBS:
        raise WrongUsage("too many jobs", value=len(names), allowed=f"at most {_MOST_JOBS}")
    check_targets(arguments)
    with Client.from_env() as client:
        handles = [client.get(name) for name in names]
        console = Console(arguments.json)
        try:
            if can_draw(sys.stdout) and not arguments.json:
                _draw(handles, arguments.previews)
            else:
                _write_events(console, handles, arguments.previews)
        except KeyboardInterrupt:
            return interrupted(console, handles)
        for handle in handles:
            raise_unless_succeeded(handle.status())
    return 0


def _draw(handles: Sequence[JobHandle], previews: Path | None) -> None:
    def hear(board: ProgressBoard, handle: JobHandle, event: Event) -> None:
        path = _save_preview(handle, event, previews)
        if path is not None:
            board.note(handle.id, f"preview: {path}")

    with ProgressBoard([handle.status() for handle in handles], sys.stdout) as board:
        follow(board, handles, hear)


def _write_events(console: Console, handles: Sequence[JobHandle], previews: Path | None) -> None:
    """A line for each event, which begins with the job's id where there are several."""

    def tell(handle: JobHandle, name: str, at: float, fields: dict[str, str], text: str) -> None:
        is_one = len(handles) == 1
        job = {} if is_one else {"job": handle.id}
        line = f"{name:<13} {text}".rstrip()
        values = {**job, "event": name, "at": at, **fields}
        console.result(values, line if is_one else f"{handle.id}  {line}")

    def say(handle: JobHandle, reason: str) -> None:
        tell(handle, "stalled", time.time(), {"reason": reason}, reason)

    with StallWatch(handles, say), JointEvents(handles) as events:
        for handle, event in events:
            if event is not None:
                told = " ".join(f"{name}={value}" for name, value in event.fields.items() if value)
                tell(handle, event.name, event.at, event.fields, told)
                _save_preview(handle, event, previews)


def _save_preview(handle: JobHandle, event: Event, folder: Path | None) -> Path | None:
    """Write ``FOLDER/ID-000007.preview.jpg`` in one step: a viewer may have it open.

    Returns where, or None when this event tells of no preview.
    """
    if event.name != "preview" or folder is None or "unit" not in event.fields:
        return None
    unit = int(event.fields["unit"])
    preview = handle.preview(unit)
    if preview is None:  # vanished meanwhile, or an event of the past
        return None
    path = folder / f"{handle.id}-{unit:06d}.preview.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, preview.jpeg)
    except OSError as error:
        raise WrongUsage(
            f"cannot save here: {error.strerror}", field="--previews", value=str(folder)
        ) from None
    return path

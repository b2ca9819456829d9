"""``winepress wait | watch | fetch``: follow a job to its end, save its pictures."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from winepress.client import Client
from winepress.commands.stall_watch import StallWatch
from winepress.commands.targets import check_targets
from winepress.console import INTERRUPTED, Console
from winepress.handle import JobHandle, raise_unless_succeeded
from winepress.progress import Progress
from winepress_shared.atomic_file import atomic_write
from winepress_shared.errors import WrongUsage

_MOST_WARNINGS = 5  #: shown of one job


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    wait = subparsers.add_parser("wait", help="wait until a job is over")
    wait.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer than this")
    wait.add_argument("--out", type=Path, metavar="DIR", help="then save the pictures here")
    wait.add_argument("--preview", type=Path, metavar="FILE", help="keep the newest picture here")
    wait.set_defaults(run=_wait)
    watch = subparsers.add_parser("watch", help="show what happens to a job, as it happens")
    watch.add_argument(
        "--previews", type=Path, metavar="DIR", help="keep the newest preview of each picture here"
    )
    watch.set_defaults(run=_watch)
    fetch = subparsers.add_parser("fetch", help="save the finished pictures of jobs")
    fetch.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    fetch.add_argument("--urls", action="store_true", help="print links instead of saving")
    fetch.add_argument(
        "--manifest", action="store_true", help="also manifest.jsonl and manifest.csv"
    )
    fetch.add_argument("--contact-sheet", action="store_true", help="also sheets of all pictures")
    fetch.add_argument("jobs", nargs="+", metavar="JOB", help="id of a job")
    fetch.set_defaults(run=_fetch)
    for parser in (wait, watch):
        parser.add_argument("job", metavar="JOB", help="id of the job")
    for parser in (wait, watch, fetch):
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
            return interrupted(console, handle)


def _watch(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    check_targets(arguments)
    with Client.from_env() as client:
        handle = client.get(arguments.job)

        def say(reason: str) -> None:
            values = {"event": "stalled", "at": time.time(), "reason": reason}
            console.result(values, f"{'stalled':<13} {reason}")

        with StallWatch(handle, say):
            _show_events(console, handle, arguments.previews)
        raise_unless_succeeded(handle.status())
    return 0


def _show_events(console: Console, handle: JobHandle, previews: Path | None) -> None:
    for event in handle.events():
        told = " ".join(f"{name}={value}" for name, value in event.fields.items() if value)
        values = {"event": event.name, "at": event.at, **event.fields}
        console.result(values, f"{event.name:<13} {told}".rstrip())
        if event.name == "preview" and previews and "unit" in event.fields:
            _save_preview(handle, int(event.fields["unit"]), previews)


def _save_preview(handle: JobHandle, unit: int, folder: Path) -> None:
    """Write ``FOLDER/ID-000007.preview.jpg`` in one step: a viewer may have it open."""
    preview = handle.preview(unit)
    if preview is None:  # vanished meanwhile, or an event of the past
        return
    path = folder / f"{handle.id}-{unit:06d}.preview.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, preview.jpeg)
    except OSError as error:
        raise WrongUsage(
            f"cannot save here: {error.strerror}", field="--previews", value=str(folder)
        ) from None


def _fetch(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    if not arguments.urls:
        check_targets(arguments)
    with Client.from_env() as client:
        handles = [client.get(job_id) for job_id in arguments.jobs]
        for handle in handles:
            if not handle.result.outputs:
                console.note("no picture of this job is finished")
            elif arguments.urls:
                for output, url in zip(handle.result.outputs, handle.urls(), strict=True):
                    console.result({"unit": output.unit, "url": url}, url)
            else:
                _show_outputs(console, handle, handle.save(arguments.out))
        if not arguments.urls:
            show_tables(client, console, handles, arguments)
    return 0


def show_tables(
    client: Client, console: Console, handles: Sequence[JobHandle], arguments: argparse.Namespace
) -> None:
    """Write the manifest and the contact sheets that were asked for, of all jobs together."""
    from winepress.bulk.manifest import manifest_rows, write_contact_sheets, write_manifest

    if not (arguments.manifest or arguments.contact_sheet):
        return
    rows = [row for handle in handles for row in manifest_rows(client, handle.id)]
    paths = write_manifest(rows, arguments.out) if arguments.manifest else []
    if arguments.contact_sheet:
        paths += write_contact_sheets(rows, arguments.out)
    for path in paths:
        console.result({"path": str(path)}, str(path))


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
    progress = Progress(handle.status())
    try:
        with StallWatch(handle, progress.say, said):
            for event in handle.events(timeout):
                progress.follow(event)
                if preview is not None and event.name == "unit-done":
                    handle.save_newest(preview)
    finally:
        progress.close()
    row = handle.status()
    if console.json_lines:
        console.result({"id": row.id, "state": row.state.value, "done": row.done})
    if out is not None:
        _show_outputs(console, handle, handle.save(out))
    elif row.done and not console.json_lines:
        tell_warnings(console, handle)
    raise_unless_succeeded(row)
    return 0


def tell_warnings(console: Console, handle: JobHandle) -> None:
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


def interrupted(console: Console, handle: JobHandle) -> int:
    """Say that the job goes on without its watcher; returns the exit code."""
    console.note(f"winepress: interrupted; the job goes on: winepress wait {handle.id}")
    return INTERRUPTED


def _show_outputs(console: Console, handle: JobHandle, paths: Sequence[Path]) -> None:
    for output, path in zip(handle.result.outputs, paths, strict=True):
        console.result({**asdict(output), "path": str(path)}, str(path))
    if not console.json_lines:  # each line has them
        tell_warnings(console, handle)

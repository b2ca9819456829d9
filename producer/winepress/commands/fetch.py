"""``winepress fetch``: save the finished pictures of jobs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from winepress.client import Client
from winepress.commands.follow import show_outputs
from winepress.commands.targets import check_targets
from winepress.console import Console
from winepress.handle import JobHandle


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    fetch = subparsers.add_parser("fetch", help="save the finished pictures of jobs")
    fetch.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    fetch.add_argument("--urls", action="store_true", help="print links instead of saving")
    fetch.add_argument(
        "--manifest", action="store_true", help="also manifest.jsonl and manifest.csv"
    )
    fetch.add_argument("--contact-sheet", action="store_true", help="also sheets of all pictures")
    fetch.add_argument("jobs", nargs="+", metavar="JOB", help="id of a job")
    fetch.add_argument("--json", action="store_true", help="one JSON object per line")
    fetch.set_defaults(run=_fetch)


def _fetch(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    if not arguments.urls:
        check_targets(arguments)
    with Client.from_env() as client:
        handles = [client.get(job_id) for job_id in arguments.jobs]
        for handle in handles:
            outputs = handle.result.outputs
            if not outputs:
                console.note("no picture of this job is finished")
            elif arguments.urls:
                for output in outputs:
                    url = client.archive.store.url(output.key)
                    console.result({"unit": output.unit, "url": url}, url)
            else:
                show_outputs(console, handle, handle.save(arguments.out))
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

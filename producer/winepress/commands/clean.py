"""``winepress clean``: delete the objects of jobs that ended long ago."""

from __future__ import annotations

import argparse

from winepress.blob_cleaning import BlobCleaning
from winepress.cleaning import Cleaning
from winepress.client import Client
from winepress.console import Console
from winepress.input_cleaning import InputCleaning
from winepress_shared.errors import WrongUsage

_MOST_DAYS = 3650.0


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    text = "delete the pictures of jobs that ended long ago"
    parser = subparsers.add_parser(
        "clean",
        help=text,
        description="Delete the objects of jobs that are no longer listed, once the newest of a "
        "job is as old as the limit `keep_objects_days` says, inputs of that age which "
        "no job that is left uses, and compiled blobs of that age. By default that is never. "
        "Pinned jobs are kept, and so is everything that is to be drawn. It needs the operator's "
        "key.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be deleted, delete nothing"
    )
    parser.add_argument(
        "--days", type=float, metavar="N", help="instead of the limit keep_objects_days"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    console, given = Console(arguments.json), arguments.days
    if given is not None and not 0 < given <= _MOST_DAYS:
        raise WrongUsage(
            "not a number of days",
            field="--days",
            value=f"{given:g}",
            allowed=f"more than 0 to {_MOST_DAYS:.0f}",
        )
    with Client.from_env() as client:
        days = given or client.farm.limits()["keep_objects_days"]
        if not days:
            console.note(
                "nothing is deleted: the limit keep_objects_days is 0; `--dry-run --days N` "
                "tells what would be, and `winepress limits --keep-objects-days N` sets it"
            )
            return 0
        _clean(client, console, Cleaning(client, days, dry_run=arguments.dry_run))
    return 0


def _clean(client: Client, console: Console, cleaning: Cleaning) -> None:
    """Delete jobs, inputs and blobs, tell of each, and how much it was."""
    jobs = objects = inputs = blobs = size = 0
    for job in cleaning.run():
        jobs, objects, size = jobs + 1, objects + job.objects, size + job.size
        values = {"id": job.id, "objects": job.objects, "bytes": job.size}
        text = f"{job.id}  {job.objects:,} objects, {_mib(job.size)}"
        console.result(values | {"written": round(job.written, 3)}, text)
    for one in InputCleaning(client, cleaning).run():
        inputs, size = inputs + 1, size + one.size
        values = {"input": one.key, "bytes": one.size, "written": round(one.written, 3)}
        console.result(values, f"{one.key}  {_mib(one.size)}")
    for blob in BlobCleaning(client, cleaning).run():
        blobs, size = blobs + 1, size + blob.size
        values = {"blob": blob.key, "bytes": blob.size, "written": round(blob.written, 3)}
        console.result(values, f"{blob.key}  {_mib(blob.size)}")
    verb = "would be deleted; nothing is changed" if cleaning.dry_run else "deleted"
    what = f"{jobs:,} jobs with {objects:,} objects, {inputs:,} inputs, {blobs:,} blobs"
    console.note(f"{what}, {_mib(size)} in all, {verb}")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"

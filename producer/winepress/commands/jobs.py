"""``winepress list | status | cancel | front | retry | explain | …``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from winepress.caller_checks import MOST_LISTED
from winepress.client import Client
from winepress.console import Console
from winepress.estimate import estimate_of
from winepress.explanation import (
    estimate_text,
    place_of,
    shortened,
    what_holds,
    why_job_impossible,
)
from winepress.views.job_table import JobTable
from winepress_shared.errors import Conflict, WinepressError, WrongUsage
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.records import JobRow
from winepress_shared.result import Failure, Result
from winepress_shared.screen.output import write_table
from winepress_shared.state import JobState

_VERBS: dict[str, tuple[str, Callable[[Client, str], JobState]]] = {
    "cancel": ("stop a job; finished pictures are kept", Client.cancel),
    "front": ("let a job go before the others of its user", Client.front),
    "retry": (
        "render what a job lacks that failed, was canceled or gave pictures up",
        Client.retry,
    ),
    "drop": ("take a job off the list of those with pictures that were given up", Client.drop),
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    listing = subparsers.add_parser("list", help="the newest jobs, newest first")
    listing.add_argument("--state", choices=tuple(JobState), metavar="S", help=", ".join(JobState))
    listing.add_argument(
        "--dead", action="store_true", help="those that gave pictures up, and why, until retried"
    )
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    listing.set_defaults(run=_list)
    _add(subparsers, "status", "where jobs stand", _status)
    _add(subparsers, "explain", "why jobs wait, and what to do about it", _explain)
    for verb, (text, _) in _VERBS.items():
        _add(subparsers, verb, text, _control)
    _add(subparsers, "pin", "keep jobs listed, and their pictures in the store", _pin)
    _add(subparsers, "unpin", "let jobs that are pinned go in time", _pin)
    _add(subparsers, "reprioritise", "move jobs to another priority", _reprioritise)
    subparsers.choices["reprioritise"].add_argument(
        "--priority", choices=tuple(Priority), required=True, metavar="B", help=", ".join(Priority)
    )
    retry = subparsers.choices["retry"]
    retry.add_argument(
        "--failed", action="store_true", help="those that failed; all, if none named"
    )


def _add(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    verb: str,
    text: str,
    run: Callable[[argparse.Namespace], int],
) -> None:
    parser = subparsers.add_parser(verb, help=text, description=f"{text[0].upper()}{text[1:]}.")
    many = "*" if verb == "retry" else "+"
    parser.add_argument("jobs", nargs=many, metavar="JOB", help="id of a job")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=run, verb=verb)


def _list(arguments: argparse.Namespace) -> int:
    console, table = Console(arguments.json), JobTable()
    state = JobState(arguments.state) if arguments.state else None
    if arguments.dead and state:
        raise WrongUsage("--dead and --state cannot be used together")
    with Client.from_env() as client:
        rows = (
            client.dead(arguments.limit) if arguments.dead else client.list(state, arguments.limit)
        )
        failures = {row.id: _failures(client, row.id) for row in rows if arguments.dead}
    for row in rows:
        mine = failures.get(row.id, ())
        if arguments.json:
            dead = {"failures": [asdict(one) for one in mine]} if arguments.dead else {}
            console.result(asdict(row) | dead)
        else:
            table.add_job(row, [_failures_text(mine)])
    if not rows:
        console.note("no picture was given up" if arguments.dead else "no jobs")
    elif not arguments.json:
        write_table(sys.stdout, table)
    return 0


def _failures(client: Client, job_id: str) -> Sequence[Failure]:
    return Result.from_units(job_id, client.ledger.outputs(job_id)).failures


def _failures_text(failures: Sequence[Failure]) -> str:
    """Which pictures were given up, counted from 1 as people do, and why."""
    told = [f"picture {one.unit + 1}: {one.error}: {one.message}" for one in failures]
    return shortened(told, "; ")


def _status(arguments: argparse.Namespace) -> int:
    table = JobTable()

    def show(client: Client, console: Console, job_id: str) -> None:
        row = client.get(job_id).status()
        values, notes, eta_s = _outlook(client, row)
        if arguments.json:
            console.result(asdict(row) | values)
        else:
            table.add_job(row, notes, eta_s)

    try:
        return each(arguments, show)
    finally:
        if table.rows:
            write_table(sys.stdout, table)


def _outlook(client: Client, row: JobRow) -> tuple[dict[str, Any], list[str], float | None]:
    """What is to be expected of a job, for programs and for people, and in how many seconds."""
    if row.state.is_terminal:
        return {}, [], None
    workers, place = client.workers(), place_of(client.lanes, row)
    found = estimate_of(row, place, client.lanes, workers)
    impossible, held = why_job_impossible(row, workers), what_holds(row, place)
    told = f"No worker can render it now: {impossible}" if impossible else estimate_text(found)
    values = {"estimate": asdict(found), "impossible": impossible, "held": held}
    return values, [*held, told], None if impossible else found.ends_in_s


def _explain(arguments: argparse.Namespace) -> int:
    def show(client: Client, console: Console, job_id: str) -> None:
        text = client.get(job_id).explain()
        console.result({"id": job_id, "explanation": text}, *text.split("\n"))

    return each(arguments, show)


def _control(arguments: argparse.Namespace) -> int:
    if arguments.verb == "retry":
        arguments.jobs = _to_retry(arguments)
        if not arguments.jobs:
            Console().note("none of them failed: there is nothing to retry")
    return control(arguments, _VERBS[arguments.verb][1])


def control(arguments: argparse.Namespace, act: Callable[[Client, str], JobState]) -> int:
    """Do ``act`` to every job named, and say what state it is in then."""

    def do(client: Client, console: Console, job_id: str) -> None:
        state = act(client, client.get(job_id).id)
        paused = client.get(job_id).status().paused
        text = f"{job_id} {state.value}{' (paused)' if paused else ''}"
        console.result({"id": job_id, "state": state.value, "paused": paused}, text)

    return each(arguments, do)


def _reprioritise(arguments: argparse.Namespace) -> int:
    priority = Priority(arguments.priority)

    def do(client: Client, console: Console, job_id: str) -> None:
        client.reprioritise(client.get(job_id).id, priority)
        console.result({"id": job_id, "priority": priority.value}, f"{job_id} {priority.value}")

    return each(arguments, do)


def _pin(arguments: argparse.Namespace) -> int:
    is_pinned = arguments.verb == "pin"

    def do(client: Client, console: Console, job_id: str) -> None:
        (client.pin if is_pinned else client.unpin)(job_id)
        text = f"{job_id} {'pinned' if is_pinned else 'no longer pinned'}"
        console.result({"id": job_id, "pinned": is_pinned}, text)

    return each(arguments, do)


def _to_retry(arguments: argparse.Namespace) -> list[str]:
    """The jobs named; with ``--failed`` those of them that failed, or every one that did."""
    named: list[str] = arguments.jobs
    if not arguments.failed:
        if not named:
            raise WrongUsage("name a job, or say --failed for all that failed")
        return named
    with Client.from_env() as client:
        if not named:
            return [row.id for row in client.list(JobState.FAILED, MOST_LISTED)]
        return [name for name in named if client.get(name).status().state is JobState.FAILED]


def each(arguments: argparse.Namespace, act: Callable[[Client, Console, str], None]) -> int:
    """Do it for every job, whatever becomes of the others; the last error decides the code."""
    console, code = Console(arguments.json), 0
    with Client.from_env() as client:
        for job_id in arguments.jobs:
            try:
                act(client, console, job_id)
            except WinepressError as error:
                if len(arguments.jobs) == 1 or error.exit_code == 3:
                    raise
                if isinstance(error, Conflict):  # names no job
                    error.field = job_id
                console.error(error)
                code = error.exit_code
    return code

"""``winepress workers | doctor``: the farm as a whole."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from winepress.client import Client
from winepress.console import Console
from winepress.explanation import shortened, why_impossible
from winepress.farm_checks import (
    blocked_text,
    check_blocks,
    check_dead,
    check_links,
    check_memory,
    check_room,
    check_uptake,
    check_versions,
    check_writes,
)
from winepress.finding import Finding
from winepress.refusals import refused_models
from winepress.stored_jobs import StoredJobs, unexpired
from winepress_shared.errors import (
    Conflict,
    FarmUnreachable,
    NotFound,
    StoreRefused,
    WinepressError,
)
from winepress_shared.ledger.records import SILENT_S
from winepress_shared.screen.output import write_table

if TYPE_CHECKING:
    from winepress_shared.ledger.snapshot import FarmSnapshot

_USUAL_ENGINE = "openvino"  #: only another one is named
_MOST_WORKERS = 10_000  #: told of
_MOST_OBJECTS = 100_000  #: of the store that `doctor` looks at


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    for verb, text, run in (
        ("workers", "the live workers", _workers),
        ("doctor", "find out what is wrong with the farm, and what to do", _doctor),
    ):
        parser = subparsers.add_parser(verb, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        parser.set_defaults(run=run)
    subparsers.choices["workers"].add_argument(
        "--forget", metavar="NAME", help="forget a worker that was lost and will not come back"
    )
    subparsers.choices["workers"].add_argument(
        "--unblock", metavar="NAME", help="let a worker draw again where it failed"
    )


def _workers(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    with Client.from_env() as client:
        if arguments.forget:
            _forget(client, arguments.forget)
        if arguments.unblock and not client.lanes.unblock(arguments.unblock):
            console.note(f"{arguments.unblock} is blocked in no lane")
        farm = client.snapshots.take(_MOST_WORKERS, 0)
    if arguments.json:
        for one in farm.known_workers:
            silent_s = round(farm.at - one.seen, 1)
            values = {"facts": {}, "renderer": {}, **asdict(one), "silent_s": silent_s}
            console.result(values | {"blocked": dict(farm.blocked.get(one.name, {}))})
    elif farm.workers or farm.lost:
        _write_workers(farm)
    if not farm.workers:
        console.note("no worker is alive; `winepress worker --device CPU` starts one")
    return 0


def _forget(client: Client, name: str) -> None:
    farm = client.snapshots.take(_MOST_WORKERS, 0)
    found = next((one for one in farm.known_workers if one.name == name), None)
    if found is None:
        raise NotFound("no worker of this name was heard of today", value=name)
    if farm.at - found.seen <= SILENT_S:
        raise Conflict("this worker is alive", value=name, hint="Stop it: then it leaves the farm")
    client.ledger.leave(name)


def _write_workers(farm: FarmSnapshot) -> None:
    from winepress.views.worker_table import WorkerTable

    table = WorkerTable(farm)
    for worker in farm.workers:
        refused = "; ".join(f"{model} ({why})" for model, why in refused_models(worker).items())
        serves = _lanes_text(worker.facts.get("lanes", ()))
        notes = [serves and f"serves: {serves}", refused and f"not: {refused}"]
        if worker.staged:
            notes.append(f"one stage at a time, which is slower: {', '.join(worker.staged)}")
        if (engine := worker.facts.get("engine", _USUAL_ENGINE)) != _USUAL_ENGINE:
            notes.append(f"engine: {engine}")
        if worker.facts.get("draining"):
            notes.append("leaving: ends what it draws and takes nothing more")
        if blocked := farm.blocked.get(worker.name):
            notes.append(blocked_text(blocked, farm.at))
        table.add_worker(worker, notes)
    for lost in farm.lost:
        table.add_lost(lost)
    write_table(sys.stdout, table)


def _lanes_text(lanes: Iterable[str]) -> str:
    """Each model once, with its precisions; a pinned lane only where it is served alone."""
    served = set(lanes)
    precisions: dict[str, list[str]] = {}
    for lane in sorted(served):
        if "@" not in lane or lane.partition("@")[0] not in served:
            model, _, precision = lane.partition(".")
            precisions.setdefault(model, []).append(precision)
    return ", ".join(
        f"{model} ({' '.join(each)})".removesuffix(" ()") for model, each in precisions.items()
    )


def _doctor(arguments: argparse.Namespace) -> int:
    """Look at every part, even after one is found broken."""
    console = Console(arguments.json)
    with Client.from_env() as client:
        codes = [_examine(console, client, *check) for check in _PARTS]
        if codes[-1] == 0:  # the broker answers
            codes += [_examine(console, client, *check) for check in _PARTS_BEHIND_BROKER]
    return max(codes)


def _examine(
    console: Console, client: Client, part: str, check: Callable[[Client], Finding]
) -> int:
    try:
        finding = check(client)
    except WinepressError as error:
        values = {"part": part, "ok": False, "problem": error.problem, "hint": error.hint}
        console.result(values, f"BAD  {part:<10} {error.message}")
        return error.exit_code
    values = {"part": part, "ok": True, "finding": finding.text, "all": list(finding.all)}
    console.result(values, f"ok   {part:<10} {finding.text}")
    return 0


def _check_catalogue(client: Client) -> Finding:
    names = client.catalogue.names
    return Finding(f"{len(names)} models: {shortened(names)}", names)


def check_broker(client: Client) -> Finding:
    """Whether it answers, and its disk has what the farm says it has."""
    primary = client.ledger.ping()
    where = f" at {primary}, the primary that its Sentinels name" if primary else ""
    disk = client.broker_disk.examine()
    return Finding(f"answers{where}; farm {client.settings.farm}; {disk}")


def _check_store(client: Client) -> Finding:
    client.archive.store.check()
    return Finding(repr(client.archive.store))


def check_workers(client: Client) -> Finding:
    """Who is alive, and which models somebody who knows them does not serve."""
    workers = client.workers()
    if not workers:
        raise FarmUnreachable(
            "no worker is alive",
            hint="`winepress worker --device CPU` starts one; its own output says why it stops",
        )
    for model in sorted({model for worker in workers for model in worker.unfit}):
        nobody = why_impossible(model, workers)
        if nobody is not None:
            raise FarmUnreachable(nobody)
    names = [worker.name for worker in workers]
    refused = [(worker.name, list(refused_models(worker))) for worker in workers]
    pairs = [(name, models) for name, models in refused if models]
    told = shortened([f"{name} does not serve {shortened(models)}" for name, models in pairs], "; ")
    every = [f"{name} does not serve {', '.join(models)}" for name, models in pairs]
    alive = f"{len(names)} alive: {shortened(names)}"
    return Finding(f"{alive}; {told}" if told else alive, [*names, *every])


def _check_lanes(client: Client) -> Finding:
    waiting, workers = client.ledger.waiting(), client.workers()
    for lane in sorted(waiting):
        reason = client.lanes.parked(lane)
        if reason is not None:
            raise FarmUnreachable(f"lane {lane} rests after a fault: {reason}")
        impossible = why_impossible(lane, workers)
        if impossible is not None:
            raise FarmUnreachable(f"waiting in {lane}: {waiting[lane]}, but {impossible}")
    found = [f"{scope} is paused" for scope in client.farm.pauses()]
    found += [f"{lane}: {units} waiting" for lane, units in waiting.items()]
    return Finding(shortened(found) or "empty", found)


def _check_records(client: Client) -> Finding:
    damaged = client.farm.damaged()
    if damaged:
        raise damaged[0]
    return Finding("every one can be read")


def check_jobs(client: Client) -> Finding:
    """Whether the broker has lost jobs that the store says are to be done."""
    client.archive.store.check()  # which tells of a store that hangs sooner than a list does
    try:
        stored = StoredJobs.list(client, _MOST_OBJECTS)
    except StoreRefused:
        return Finding("not looked for: a producer's key does not list them, the operator's does")
    bound = "" if stored.is_all else f" (of the first {_MOST_OBJECTS} objects of the store)"
    unknown = client.farm.unknown_jobs(sorted(stored.ids))
    lost = next(unexpired(client, unknown), None)
    if lost is not None:
        raise FarmUnreachable(
            f"the broker does not know {len(unknown)} of {len(stored.ids)} unfinished jobs "
            f"of the store, like {lost.id}{bound}",
            hint="`winepress recover` enters them again",
        )
    return Finding(f"{len(stored.ids)} unfinished in the store, none lost{bound}")


_PARTS: tuple[tuple[str, Callable[[Client], Finding]], ...] = (
    ("catalogue", _check_catalogue),
    ("store", _check_store),
    ("room", check_room),
    ("writes", check_writes),
    ("broker", check_broker),
)
_PARTS_BEHIND_BROKER: tuple[tuple[str, Callable[[Client], Finding]], ...] = (
    ("workers", check_workers),
    ("links", check_links),
    ("lanes", _check_lanes),
    ("uptake", check_uptake),
    ("blocks", check_blocks),
    ("versions", check_versions),
    ("jobs", check_jobs),
    ("dead", check_dead),
    ("records", _check_records),
    ("memory", check_memory),
)

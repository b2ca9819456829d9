"""``winepress workers | doctor | recover``: the farm as a whole."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict

from winepress.client import Client
from winepress.console import Console
from winepress.explanation import why_impossible
from winepress.recovery import StoredJobs, unexpired
from winepress.refusals import refused_models
from winepress_shared.errors import FarmUnreachable, StoreRefused, WinepressError
from winepress_shared.ledger.records import Worker

_MOST_OBJECTS = 100_000  #: of the store that `doctor` looks at


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    for verb, text, run in (
        ("workers", "the live workers", _workers),
        ("doctor", "find out what is wrong with the farm, and what to do", _doctor),
        (
            "recover",
            "enter unfinished jobs of the store again, after the broker lost them",
            _recover,
        ),
    ):
        parser = subparsers.add_parser(verb, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        if run is _recover:
            parser.add_argument(
                "--pending",
                action="store_true",
                help="those too whose submission was not seen through; who was told that it "
                "failed may have submitted them again",
            )
        parser.set_defaults(run=run)


def _workers(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    with Client.from_env() as client:
        workers = client.workers()
        for worker in workers:
            console.result(asdict(worker), _text(worker))
    if not workers:
        console.note("no worker is alive; `winepress worker --device CPU` starts one")
    return 0


def _text(worker: Worker) -> str:
    warm = ", ".join(worker.renderer.get("warm", ())) or "nothing"
    lanes = _lanes_text(worker.facts.get("lanes", ()))
    refused = "; ".join(f"{model} ({why})" for model, why in refused_models(worker).items())
    return (
        f"{worker.name}  {worker.facts.get('device', '?')}  loaded: {warm}  serves: {lanes}"
        f"{'  not: ' if refused else ''}{refused}"
    )


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


def _recover(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    with Client.from_env() as client:
        handles = client.recover(pending=arguments.pending)
    for handle in handles:
        console.result({"id": handle.id}, handle.id)
    console.note(f"{len(handles)} jobs entered again")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    """Look at every part, even after one is found broken."""
    console = Console(arguments.json)
    with Client.from_env() as client:
        codes = [_examine(console, client, *check) for check in _PARTS]
        if codes[-1] == 0:  # the broker answers
            codes += [_examine(console, client, *check) for check in _PARTS_BEHIND_BROKER]
    return max(codes)


def _examine(console: Console, client: Client, part: str, check: Callable[[Client], str]) -> int:
    try:
        finding = check(client)
    except WinepressError as error:
        values = {"part": part, "ok": False, "problem": error.problem, "hint": error.hint}
        console.result(values, f"BAD  {part:<10} {error.message}")
        return error.exit_code
    console.result({"part": part, "ok": True, "finding": finding}, f"ok   {part:<10} {finding}")
    return 0


def _check_catalogue(client: Client) -> str:
    return f"{len(client.catalogue.names)} models: {', '.join(client.catalogue.names)}"


def _check_broker(client: Client) -> str:
    client.ledger.ping()
    return f"answers; farm {client.settings.farm}"


def _check_store(client: Client) -> str:
    client.archive.store.check()
    return repr(client.archive.store)


def _check_workers(client: Client) -> str:
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
    refusals = {worker.name: " and ".join(refused_models(worker)) for worker in workers}
    refused = [f"{name} does not serve {models}" for name, models in refusals.items() if models]
    found = f"{len(workers)} alive: {', '.join(worker.name for worker in workers)}"
    return "; ".join([found, *refused])


def _check_lanes(client: Client) -> str:
    waiting = client.ledger.waiting()
    for lane in sorted(waiting):
        reason = client.lanes.parked(lane)
        if reason is not None:
            raise FarmUnreachable(f"lane {lane} rests after a fault: {reason}")
        impossible = client.why_impossible(lane)
        if impossible is not None:
            raise FarmUnreachable(f"waiting in {lane}: {waiting[lane]}, but {impossible}")
    found = [f"{lane}: {units} waiting" for lane, units in waiting.items()]
    found += [f"{scope} is paused" for scope in client.farm.pauses()]
    return ", ".join(found) or "empty"


def _check_records(client: Client) -> str:
    damaged = client.farm.damaged()
    if damaged:
        raise damaged[0]
    return "every one can be read"


def check_jobs(client: Client) -> str:
    """Whether the broker has lost jobs that the store says are to be done."""
    try:
        stored = StoredJobs.list(client, _MOST_OBJECTS)
    except StoreRefused:
        client.archive.store.check()  # no key at all, or a wrong one, is another matter
        return "not looked for: a producer's key does not list them, the operator's does"
    bound = "" if stored.is_all else f" (of the first {_MOST_OBJECTS} objects of the store)"
    unknown = client.farm.unknown_jobs(sorted(stored.accepted))
    lost = next(unexpired(client, unknown), None)
    if lost is not None:
        raise FarmUnreachable(
            f"the broker does not know {len(unknown)} of {len(stored.accepted)} unfinished jobs "
            f"of the store, like {lost.id}{bound}",
            hint="`winepress recover` enters them again",
        )
    return (
        f"{len(stored.accepted)} unfinished in the store, none lost{bound}; "
        f"never accepted: {len(stored.pending)}"
    )


_PARTS: tuple[tuple[str, Callable[[Client], str]], ...] = (
    ("catalogue", _check_catalogue),
    ("store", _check_store),
    ("broker", _check_broker),
)
_PARTS_BEHIND_BROKER: tuple[tuple[str, Callable[[Client], str]], ...] = (
    ("workers", _check_workers),
    ("lanes", _check_lanes),
    ("jobs", check_jobs),
    ("records", _check_records),
)

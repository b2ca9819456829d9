"""Puts many broken inputs into every door, and tells what came out: ``make fuzz``."""

from __future__ import annotations

import argparse
import hashlib
import logging
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.door import Door, Fault, Trial, strict
from fuzz.doors import DOORS
from fuzz.mutator import Mutator

CORPUS = Path(__file__).parent / "corpus"
_FAULT = "fault-"  #: how the names of inputs begin that once found a fault
_VALID = "valid-"  #: of inputs that are taken
_LAST = "last-input"
_MOST_KEPT = 20  #: different faults of a door


@dataclass
class Tally:
    """What has come out of one door."""

    door: str
    inputs: int = 0
    taken: int = 0
    slowest_s: float = 0.0
    seconds: float = 0.0
    faults: dict[str, Fault] = field(default_factory=dict)  #: name of the kept input → fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz; the exit code is 1 if anything came out that must not."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all doors together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--door", action="append", help="only this one; may be repeated")
    asked = parser.parse_args(arguments)
    doors = [door for door in DOORS if not asked.door or door.name in asked.door]
    shares = sum(door.share for door in doors)
    print(f"{'door':24} {'inputs':>9} {'taken':>8} {'slowest':>9} {'a second':>9}  faults")
    tallies = []
    for door in doors:
        tally = _in_a_process(door, -(-asked.inputs * door.share // shares), asked.seed)
        tallies.append(tally)
        rate = tally.inputs / (tally.seconds or 1)
        print(
            f"{door.name:24} {tally.inputs:9} {tally.taken:8} {1000 * tally.slowest_s:6.0f} ms"
            f" {rate:9.0f}  {len(tally.faults)}",
            flush=True,
        )
        for name, fault in tally.faults.items():
            print(f"  {fault.kind} at {fault.where}: {fault.told!r}\n  {CORPUS / door.name / name}")
    faults = sum(len(tally.faults) for tally in tallies)
    print(f"{sum(tally.inputs for tally in tallies)} inputs, {faults} faults, seed {asked.seed}")
    return 1 if faults else 0


def _in_a_process(door: Door, inputs: int, seed: int) -> Tally:
    """The tally of one door; what kills the process is a fault too."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="winepress-fuzz-") as folder:
        process = context.Process(target=_work, args=(door, inputs, seed, Path(folder), theirs))
        process.start()
        theirs.close()
        tally = Tally(door.name)
        with suppress(EOFError):
            while True:
                tally = ours.recv()
        process.join()
        if process.exitcode:
            data = (Path(folder) / _LAST).read_bytes()
            fault = Fault("the process died", f"exit code {process.exitcode}", "")
            tally.faults[_keep(door, data)] = fault
    return tally


def _work(door: Door, inputs: int, seed: int, folder: Path, results: Connection) -> None:
    place, began = folder / "door", time.monotonic()
    place.mkdir()
    last = os.open(folder / _LAST, os.O_RDWR | os.O_CREAT)
    kept = {path.name: path.read_bytes() for path in sorted((CORPUS / door.name).iterdir())}
    valid = [data for name, data in kept.items() if not name.startswith(_FAULT)]
    tally, places = Tally(door.name), set()
    logging.disable()
    with strict(), door.opened(place) as enter:
        trial = Trial(door, enter, place)
        for data in valid:
            with suppress(Exception):
                enter(data)  # what is imported at first use
        trial.bound_memory()
        for number, (name, data) in enumerate(_inputs(door, kept, valid, inputs, seed)):
            os.ftruncate(last, os.pwrite(last, data, 0))
            outcome = trial.put_in(data)
            fault = outcome.fault
            if name.startswith(_VALID) and not outcome.taken:
                fault = fault or Fault("a valid input was refused", name, "")
            tally.inputs += 1
            tally.taken += outcome.taken
            tally.slowest_s = max(tally.slowest_s, outcome.cpu_s)
            if fault is not None and (fault.kind, fault.where) not in places:
                places.add((fault.kind, fault.where))
                if len(tally.faults) < _MOST_KEPT:
                    tally.faults[name or _keep(door, data)] = fault
            if number % 1000 == 999:
                tally.seconds = time.monotonic() - began
                results.send(tally)
    tally.seconds = time.monotonic() - began
    results.send(tally)


def _inputs(
    door: Door, kept: dict[str, bytes], valid: list[bytes], inputs: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """The whole corpus first, then new ones; with their names if they are kept."""
    yield from kept.items()
    chance = random.Random(f"{door.name} {seed}")
    for data in islice(Mutator(chance, [*kept.values()]), max(0, inputs - len(kept))):
        yield "", data


def _keep(door: Door, data: bytes) -> str:
    name = f"{_FAULT}{hashlib.sha256(data).hexdigest()[:8]}"
    (CORPUS / door.name / name).write_bytes(data)
    return name


if __name__ == "__main__":
    sys.exit(main())

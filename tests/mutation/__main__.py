"""Tries mutants of the paths commit, lease and recover on their tests: ``make mutants``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from mutation.lua_tokens import LuaTokens
from mutation.mutant import Mutant
from mutation.reach import Place
from mutation.sources import PATHS, ROOT, SOURCES, TESTS, Source
from mutation.survivors import Survivors
from mutation.trial import Trial, Verdict

#: The plugin has the last word on what is printed, and what a test writes is removed at once.
_OPTIONS = (
    "--capture=no",
    *("-p", "no:terminal", "-p", "no:cacheprovider"),
    *("-o", "addopts=--import-mode=importlib", "-o", "tmp_path_retention_policy=none"),
)
_COLUMNS = ("mutants", "killed", "equivalent", "survived")


class Tally:
    """Counts verdicts, and tells at once of those that nobody expected."""

    def __init__(self, known: Survivors, wanted: int) -> None:
        self._known = known
        self._wanted = wanted
        self._began = time.monotonic()
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in SOURCES}
        self.unexpected = 0

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        mutant, why = verdict.mutant, self._known.why(verdict.mutant)
        counts = self.counts[mutant.source]
        counts["mutants"] += 1
        counts["killed" if verdict.killer else "equivalent" if why else "survived"] += 1
        if bool(verdict.killer) is bool(why):
            self.unexpected += 1
            told = "survived" if verdict.is_reached else "survived: no test gets there"
            told = f"listed, but noticed by {verdict.killer}" if verdict.killer else told
            print(f"{mutant.source}  {mutant.line}  [{mutant.change}]  {told}", flush=True)
        done = sum(one["mutants"] for one in self.counts.values())
        if done % 100 == 0:
            print(f"-- {done} of {self._wanted} in {time.monotonic() - self._began:.0f} s")

    def show(self, reached: set[Place]) -> None:
        """Print the table."""
        print(f"{'path':9}{'source':18}{''.join(f'{name:>11}' for name in _COLUMNS)}  statements")
        total: Counter[str] = Counter()
        for path, names in PATHS.items():
            for source in (SOURCES[Source(name).name] for name in names):  # as they were read
                counts = self.counts[source.name]
                total += counts
                if counts["mutants"]:
                    numbers = "".join(f"{counts[name]:11}" for name in _COLUMNS)
                    print(f"{path:9}{source.name:18}{numbers}  {_reached(source, reached)}")
        print(f"{'':27}{''.join(f'{total[name]:11}' for name in _COLUMNS)}")


def _reached(source: Source, reached: set[Place]) -> str:
    """How many statements of a script the tests run."""
    if not source.is_lua:
        return ""
    tokens = LuaTokens(source.text)
    places = {tokens.all[index].first for index in tokens.begins}
    run = {place for name, place in reached if name == source.name}
    return f"{len(run & places)} of {len(places)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants; the exit code is 1 if any verdict differs from the kept list."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--source", action="append", help="only of this file; may be repeated")
    parser.add_argument("--line", default="", help="only of lines with this text")
    parser.add_argument("--test", action="append", help="only with the tests of this file, ditto")
    parser.add_argument("--most", type=int, help="a sample of so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    chosen = [one for one in SOURCES.values() if not asked.source or one.name in asked.source]
    every = [mutant for source in chosen for mutant in source.mutants()]
    mutants = [mutant for mutant in every if asked.line in mutant.line]
    if asked.most is not None and asked.most < len(mutants):
        mutants = _sample(mutants, asked.most, asked.seed)
    known = Survivors.load()
    tally = Tally(known, len(mutants))
    trial = Trial(mutants, tally.add)
    tests = [f"{ROOT}/{one}" for one in TESTS if not asked.test or Path(one).name in asked.test]
    with tempfile.TemporaryDirectory(
        prefix="winepress-mutants-", ignore_cleanup_errors=True
    ) as folder:
        ended = pytest.main([*_OPTIONS, f"--basetemp={folder}/tests", *tests], plugins=[trial])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED) or not trial.reached:
        print("the tests fail without any change", file=sys.stderr)
        return 2
    tally.show(trial.reached)
    stale = known.unknown(every)
    for source, line, change in stale:
        print(f"{source}  {line}  [{change}]  is listed, and there is no such mutant")
    return 1 if stale or tally.unexpected else 0


def _sample(mutants: list[Mutant], most: int, seed: int) -> list[Mutant]:
    """That many, in their order."""
    chance = random.Random(seed)
    return [mutants[place] for place in sorted(chance.sample(range(len(mutants)), most))]


if __name__ == "__main__":
    sys.exit(main())

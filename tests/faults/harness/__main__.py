"""What ``make kills``, ``make soak`` and ``make recovery`` run."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from faults.harness.handover_run import handovers
from faults.harness.kill_report import as_text, spread
from faults.harness.kill_run import KillRun, Terms
from faults.harness.recovery_run import recoveries
from faults.harness.soak_report import soak_text
from faults.harness.soak_run import SoakRun


def main() -> int:
    """Run what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="faults.harness")
    commands = parser.add_subparsers(required=True)
    kills = commands.add_parser("kills", help="SIGKILLs at random phases")
    kills.add_argument("--kills", type=int, default=300)
    kills.add_argument("--seed", type=int, default=1)
    kills.add_argument("--workers", type=int, default=6)
    kills.add_argument("--forked", action="store_true", help="start no interpreter for each")
    kills.set_defaults(run=_kills)
    soak = commands.add_parser("soak", help="random faults for a time, and what grows meanwhile")
    soak.add_argument("--minutes", type=float, default=60.0)
    soak.add_argument("--seed", type=int, default=1)
    soak.set_defaults(run=_soak)
    recovery = commands.add_parser("recovery", help="how soon work goes on after faults")
    recovery.set_defaults(run=_recovery)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winepress-faults-") as folder:
        code: int = options.run(options, Path(folder))
    return code


def _kills(options: argparse.Namespace, folder: Path) -> int:
    terms = Terms(options.kills, options.seed, options.workers, is_forked=options.forked)
    report = KillRun(terms, _say).run(folder)
    print(as_text(report))
    return 0 if report.account.is_kept else 1


def _soak(options: argparse.Namespace, folder: Path) -> int:
    report = SoakRun(options.minutes, options.seed).run(folder)
    print(soak_text(report))
    return 0 if report.account.is_kept and not report.grown() else 1


def _recovery(options: argparse.Namespace, folder: Path) -> int:
    for whose, seconds in handovers(folder / "handovers"):
        print(f"a {whose} gone: its picture was begun again {spread(seconds)}", flush=True)
    for one in recoveries(folder):
        print(
            f"{one.fault:37} {one.before:5.1f} pictures/s before, {one.after:5.1f} after: "
            f"{one.ratio:.2f}, reached after {one.seconds:.1f} s",
            flush=True,
        )
    return 0


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


sys.exit(main())

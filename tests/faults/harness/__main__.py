"""What ``make kills`` runs: ``python -m faults.harness kills --kills 3000 --seed 1``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from faults.harness.kill_report import as_text
from faults.harness.kill_run import KillRun, Terms


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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winepress-faults-") as folder:
        code: int = options.run(options, Path(folder))
    return code


def _kills(options: argparse.Namespace, folder: Path) -> int:
    terms = Terms(options.kills, options.seed, options.workers, is_forked=options.forked)
    report = KillRun(terms, _say).run(folder)
    print(as_text(report))
    return 0 if report.account.is_kept else 1


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


sys.exit(main())

"""``winepress recover``: bring back what a broker or a store has lost."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from winepress.client import Client
from winepress.console import Console
from winepress.recovery import MINUTES, Progress, Recovery, Repair, Repaired
from winepress_shared.errors import WrongUsage

_TELL_S = 5.0  #: between two lines of progress
_MOST_MINUTES = 60.0 * 24 * 366
_WORDS = {
    Repair.ENTERED: "entered again",
    Repair.ACCEPTED: "accepted, its submission was not complete",
    Repair.RESULT: "its result is written again",
    Repair.WRITTEN: "its description is written again",
}
_WOULD = {
    Repair.ENTERED: "would be entered again",
    Repair.ACCEPTED: "would be accepted, its submission was not complete",
    Repair.RESULT: "its result would be written again",
    Repair.WRITTEN: "its description would be written again",
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    text = "bring back what the broker or the store has lost"
    parser = subparsers.add_parser(
        "recover",
        help=text,
        description="Enter unfinished jobs of the store again that the broker has lost, and look "
        "for the pictures that were counted last: what is not whole in the store is drawn again. "
        "Workers may go on drawing, and running it twice is like running it once.",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what is lost, change nothing")
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        metavar="N",
        help="look for pictures counted in the last N minutes of the farm's work (default: "
        f"{MINUTES:g}; the broker remembers the newest twenty thousand)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.minutes <= _MOST_MINUTES:
        raise WrongUsage(
            "not a number of minutes",
            field="--minutes",
            value=arguments.minutes,
            allowed=f"0 to {_MOST_MINUTES:.0f}",
        )
    console, done = Console(arguments.json), Counter[Repair]()
    teller = _Teller(console)
    with Client.from_env() as client:
        recovery = Recovery(
            client, dry_run=arguments.dry_run, minutes=arguments.minutes, tell=teller.tell
        )
        for one in recovery.run():
            done[one.repair] += 1
            values = {"id": one.id, "repair": one.repair, "lost": one.lost}
            console.result(values, f"{one.id}  {_told(one, arguments.dry_run)}")
    console.note(_summary(done, arguments.dry_run))
    return 0


class _Teller:
    """Tells now and then how far it is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_at = time.monotonic()

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_S:
            return
        self._told_at = now
        self._console.note(
            f"{progress.objects:,} objects of the store seen, {progress.jobs:,} unfinished jobs "
            f"and {progress.pictures:,} pictures looked at"
        )


def _told(one: Repaired, dry_run: bool) -> str:
    if one.repair is Repair.REDRAWN:
        pictures = f"{one.lost} picture{'' if one.lost == 1 else 's'}"
        return f"{pictures} lost, to be drawn again"
    return (_WOULD if dry_run else _WORDS)[one.repair]


def _summary(done: Counter[Repair], dry_run: bool) -> str:
    entered = done[Repair.ENTERED] + done[Repair.ACCEPTED]
    verb = "would be entered" if dry_run else "entered"
    text = f"{entered} jobs {verb} again"
    if done[Repair.REDRAWN]:
        text += f", lost pictures of {done[Repair.REDRAWN]} jobs found"
    if done[Repair.RESULT]:
        text += f", lost results of {done[Repair.RESULT]} jobs found"
    if done[Repair.WRITTEN]:
        text += f", lost descriptions of {done[Repair.WRITTEN]} jobs found"
    return text + ("; nothing is changed" if dry_run else "")

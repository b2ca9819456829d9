"""``winepress limits``: the limits of the farm."""

from __future__ import annotations

import argparse

from winepress.client import Client
from winepress.console import Console

_DEFAULT = "default"  #: instead of a number
_HELP = {
    "queue_limit": "most units of the farm that have not ended",
    "user_queue_limit": "most units of one user that have not ended",
    "user_running_limit": "most slices of one user in work at a time; 0 is no limit",
    "keep_days": "days for which an ended job stays listed",
    "keep_objects_days": "days for which pictures of jobs no longer listed are kept; 0: for ever",
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    text = "show or set the limits of the farm"
    parser = subparsers.add_parser(
        "limits",
        help=text,
        description=f"{text[0].upper()}{text[1:]}. The broker keeps them until it loses its data; "
        f"`winepress up` sets those in its settings. The word {_DEFAULT!r} resets a limit.",
    )
    for name, meaning in _HELP.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N", help=meaning)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    given = {name: getattr(arguments, name) for name in _HELP}
    changes = {
        name: None if value == _DEFAULT else value
        for name, value in given.items()
        if value is not None
    }
    with Client.from_env() as client:
        limits = client.farm.set_limits(changes)
    lines = [f"{name:<19} {limits[name]:>13,.10g}  {meaning}" for name, meaning in _HELP.items()]
    Console(arguments.json).result(limits, *lines)
    return 0

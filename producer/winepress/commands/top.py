"""``winepress top``: lanes, workers and jobs of the farm, live."""

from __future__ import annotations

import argparse

from winepress_shared.settings import Settings


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    text = "lanes, workers and jobs of the farm, live"
    parser = subparsers.add_parser(
        "top",
        help=text,
        description=f"Show {text}; q leaves. Where the output is no terminal: once.",
    )
    parser.add_argument("--json", action="store_true", help="once, as one JSON object")
    parser.set_defaults(run=_top)


def _top(arguments: argparse.Namespace) -> int:
    from winepress.views.live_farm import show_farm  # imports the broker's client

    return show_farm(Settings.load(), json_lines=arguments.json)

"""``winepress zoom recut``: another film of a finished zoom."""

from __future__ import annotations

import argparse

from winepress.client import Client
from winepress.commands.submit import add_following, tell_and_follow
from winepress.commands.targets import check_targets
from winepress.commands.zoom_flags import FILM_FIELDS, add_film, zoom_fields
from winepress.console import Console


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("zoom", help="make another film of a zoom")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    recut = verbs.add_parser(
        "recut",
        help="cut a new film from the key frames of a zoom, without a model",
        description="Cut a new film from the key frames of a finished zoom, without drawing. Every "
        "option that is not given stays as in the first film.",
    )
    recut.add_argument("job", metavar="JOB", help="id of the zoom-video job")
    add_film(recut.add_argument_group("the film"), own=True)
    recut.add_argument("--user", metavar="U", help="default: the setting user")
    add_following(recut)
    recut.set_defaults(run=_recut)


def _recut(arguments: argparse.Namespace) -> int:
    console = Console(arguments.json)
    check_targets(arguments)
    with Client.from_env() as client:
        changes = zoom_fields(arguments, FILM_FIELDS)
        handle = client.recut(arguments.job, user=arguments.user, **changes)
        return tell_and_follow(console, handle, arguments)

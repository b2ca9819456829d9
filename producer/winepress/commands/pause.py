"""``winepress pause | resume``: a job, a user, a lane or the whole farm."""

from __future__ import annotations

import argparse

from winepress.client import Client
from winepress.commands.jobs import control
from winepress.console import Console
from winepress_shared.errors import WrongUsage

_EXAMPLES = """\
examples:
  winepress {verb} JOB
  winepress {verb} --user ann
  winepress {verb} --lane sdxl-turbo.fp16
  winepress {verb} --farm
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    for verb, text in (
        ("pause", "hand out no more pictures; those in hand are finished"),
        ("resume", "continue paused jobs"),
    ):
        parser = subparsers.add_parser(
            verb,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=_EXAMPLES.format(verb=verb),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("jobs", nargs="*", metavar="JOB", help="id of a job")
        parser.add_argument("--user", metavar="U", help="all jobs of this user")
        parser.add_argument(
            "--lane", metavar="L", help="all jobs of this lane: MODEL.PRECISION[@DEVICE]"
        )
        parser.add_argument("--farm", action="store_true", help="all jobs of the farm")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        parser.set_defaults(run=_run, verb=verb)


def _run(arguments: argparse.Namespace) -> int:
    scopes = (arguments.jobs, arguments.user is not None, arguments.lane is not None)
    if sum(map(bool, (*scopes, arguments.farm))) != 1:
        raise WrongUsage("name jobs, or one of --user, --lane and --farm")
    is_pause = arguments.verb == "pause"
    if arguments.jobs:
        return control(arguments, Client.pause if is_pause else Client.resume)
    console = Console(arguments.json)
    with Client.from_env() as client:
        act = client.farm.pause if is_pause else client.farm.resume
        is_new = act(user=arguments.user, lane=arguments.lane)
        paused = client.farm.pauses()
    if not is_new:
        console.note("it was paused already" if is_pause else "it was not paused")
    console.result({"paused": paused}, f"paused: {', '.join(paused) or 'nothing'}")
    return 0

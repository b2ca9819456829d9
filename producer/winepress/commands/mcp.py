"""``winepress mcp``: the farm as tools of an assistant on this machine."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from winepress.commands.targets import check_targets
from winepress.console import INTERRUPTED
from winepress_shared.settings import Settings

_TEXT = """\
Serve the farm as tools of an assistant (MCP) over stdin and stdout. Assistants
start this command themselves. They tell links to finished pictures in the
store, or with --out the paths of files in that folder.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "mcp", help="serve the farm to an assistant over stdio", description=_TEXT
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="save finished pictures there; default: links"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    import asyncio  # loads ssl and thirty other modules

    from winepress.gateway.mcp.stdio import serve  # imports the SDK

    check_targets(arguments)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not under nohup
        # A thread of the SDK waits for the next line of stdin, and nothing else would wake it.
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    asyncio.run(serve(Settings.load(), arguments.out))
    return 0

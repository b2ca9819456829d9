"""``winepress mcp``: the farm as tools of an assistant on this machine."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from winepress_shared.settings import Settings

_TEXT = """\
Serve the farm as tools of an assistant (MCP) over stdin and stdout. Assistants
start this command themselves. Pictures are links to the store, or files in the
folder --out; a store in a folder always needs it on another machine.
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
    from winepress.gateway.mcp.stdio import serve  # imports the SDK

    asyncio.run(serve(Settings.load(), arguments.out))
    return 0

"""``winepress gateway``: the HTTP gateway of a farm."""

from __future__ import annotations

import argparse
import logging

from winepress.console import Console
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

DEFAULT_PORT = 8188


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    text = "serve the farm over HTTP"
    parser = subparsers.add_parser(
        "gateway", help=text, description="Serve the farm over HTTP, until Ctrl-C."
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="P", help=f"default: {DEFAULT_PORT}"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from winepress.gateway.server import address_of, listen, make_server  # imports FastAPI

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if not 0 < arguments.port < 65536:
        raise WrongUsage("not a port", field="--port", value=arguments.port, allowed="1 to 65535")
    settings = Settings.load()
    with listen(arguments.host, arguments.port) as listener:
        Console().note(f"gateway of farm {settings.farm}: {address_of(listener)}")
        make_server(settings).run(sockets=[listener])
    return 0

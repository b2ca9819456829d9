"""``winepress gateway``: the HTTP gateway of a farm."""

from __future__ import annotations

import argparse
import logging
from urllib.parse import urlsplit

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
    parser.add_argument(
        "--require-keys",
        action="store_true",
        help="ask callers on this machine for a key too; others always need one",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from winepress.gateway.server import address_of, listen, make_server  # imports FastAPI

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if not 0 < arguments.port < 65536:
        raise WrongUsage("not a port", field="--port", value=arguments.port, allowed="1 to 65535")
    console, settings = Console(), Settings.load(require_keys=arguments.require_keys or None)
    with listen(arguments.host, arguments.port) as listener:
        settings = with_keys(settings, address_of(listener))
        console.note(f"gateway of farm {settings.farm}: {address_of(listener)}")
        make_server(settings).run(sockets=[listener])
    return 0


def with_keys(settings: Settings, address: str) -> Settings:
    """The settings of a gateway at an address: beyond loopback everybody needs a key.

    Also the caller on this machine: proxies and the ports of containers make others look like
    that. Raises WrongUsage if a key is needed and there is none.
    """
    from winepress.gateway.key_store import KeyStore
    from winepress.gateway.surroundings import is_loopback
    from winepress_shared.stores import open_store

    reached = (address, settings.public_url or address)
    if settings.require_keys or all(is_loopback(urlsplit(one).hostname or "") for one in reached):
        return settings
    if not KeyStore(open_store(settings)).has_valid_key():
        raise WrongUsage(
            "other machines can reach this gateway, and there is no key that they could show",
            value=reached[-1],
            hint="Create one first: winepress keys create --user NAME",
        )
    return settings.model_copy(update={"require_keys": True})

"""``winepress gateway``: the HTTP gateway of a farm."""

from __future__ import annotations

import argparse
import gc
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from winepress.console import Console
from winepress_shared.errors import WrongUsage
from winepress_shared.network_address import is_loopback
from winepress_shared.service_log import add_log_flag, configure_log
from winepress_shared.settings import Settings
from winepress_shared.tracers import open_tracer

DEFAULT_PORT = 8188
_NEW_OBJECTS = 10_000  #: between two searches for cycles of garbage
_CREATE = "Create a key: winepress keys create --user NAME"


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
    add_log_flag(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from winepress.gateway.server import address_of, listen, make_server  # imports FastAPI
    from winepress_shared.ledger.broker_disk import complaint_of
    from winepress_shared.stores import open_store

    settings = Settings.load(require_keys=arguments.require_keys or None)
    configure_log(settings)
    open_tracer(settings, "winepress-gateway").close()  # refuses what it would refuse at each job
    logging.getLogger("mcp").setLevel(logging.WARNING)  # it tells of each request
    if not 0 < arguments.port < 65536:
        raise WrongUsage("not a port", field="--port", value=arguments.port, allowed="1 to 65535")
    with listen(arguments.host, arguments.port) as listener:
        settings = with_keys(settings, address_of(listener), Console().note)
        if complaint := complaint_of(settings):
            Console().note(complaint)
        open_store(settings).check()  # uvicorn would tell of it in a traceback
        Console().note(f"gateway of farm {settings.farm}: {address_of(listener)}")
        _collect_rarely()
        make_server(settings).run(sockets=[listener])
    return 0


def _collect_rarely() -> None:
    """Let a thousand watchers not wait for searches through what they hold.

    By default Python looks for cycles after every 700 new objects, and each event for each watcher
    makes some; what was imported stays anyhow.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def with_keys(settings: Settings, address: str, note: Callable[[str], None]) -> Settings:
    """The settings of a gateway at an address: reached from elsewhere, everybody needs a key.

    Also callers on this machine: behind a proxy, or in a container, others look like these.
    Raises WrongUsage if it listens beyond loopback and there is no key.
    """
    from winepress.gateway.key_store import KeyStore
    from winepress_shared.stores import open_store

    is_near, is_meant_near = (
        is_loopback(urlsplit(one).hostname or "")
        for one in (address, settings.public_url or address)
    )
    if is_near and is_meant_near and not settings.require_keys:
        return settings
    if not KeyStore(open_store(settings)).has_valid_key():
        if not is_near:
            raise WrongUsage(
                "other machines can reach this gateway, and there is no key that they could show",
                value=address,
                hint=_CREATE,
            )
        note(f"nobody can use this gateway yet. {_CREATE}")
    return settings.model_copy(update={"require_keys": True})

"""``winepress metrics``: the farm's metrics, for Prometheus or once for a reader."""

from __future__ import annotations

import argparse

from winepress.client import Client
from winepress.console import Console
from winepress_shared.errors import WrongUsage
from winepress_shared.network_address import is_loopback
from winepress_shared.service_log import add_log_flag, configure_log
from winepress_shared.settings import Settings

DEFAULT_PORT = 9188


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "metrics",
        help="tell Prometheus how the farm does",
        description="Serve the farm's metrics to Prometheus, until Ctrl-C. "
        "The gateway serves them too, at /metrics.",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="P", help=f"default: {DEFAULT_PORT}"
    )
    parser.add_argument("--once", action="store_true", help="print them once instead")
    add_log_flag(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from winepress.metrics.exporter import Exporter
    from winepress.metrics.exposition import exposition
    from winepress.metrics.farm_metrics import FarmMetrics

    if not 0 < arguments.port < 65536:
        raise WrongUsage("not a port", field="--port", value=arguments.port, allowed="1 to 65535")
    settings = Settings.load()
    if not arguments.once:
        configure_log(settings)
    with Client(settings) as client:
        metrics = FarmMetrics(client)
        if arguments.once:
            client.ledger.ping()
            Console().result({}, *exposition(metrics.read())[0].decode().splitlines())
            return 0
        with Exporter(arguments.host, arguments.port, metrics.read) as exporter:
            Console().note(f"metrics of farm {client.settings.farm}: {exporter.url}")
            if not is_loopback(arguments.host):
                Console().note("whoever reaches this address can read them: no key is asked for")
            exporter.serve_forever()
    return 0

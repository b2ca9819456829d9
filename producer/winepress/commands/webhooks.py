"""``winepress webhooks``: deliver to webhooks, and look after the deliveries."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import asdict

from winepress.client import Client
from winepress.console import Console
from winepress.views.delivery_table import DeliveryTable
from winepress_shared.errors import WinepressError, WrongUsage
from winepress_shared.screen.output import write_table
from winepress_shared.service_log import add_log_flag, configure_log
from winepress_shared.settings import Settings

_MOST_THREADS = 256
_MOST_REPLAYED = 10_000
_LIMITS = range(1, 10_001)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    text = "deliver to webhooks, and see how that went"
    parser = subparsers.add_parser("webhooks", help=text, description=f"{text.capitalize()}.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    run = verbs.add_parser("run", help="deliver, until Ctrl-C; `winepress up` does it too")
    run.add_argument(
        "--threads", type=int, default=8, metavar="N", help="deliveries at a time; default: 8"
    )
    add_log_flag(run)
    run.set_defaults(run=_run)
    listing = verbs.add_parser("list", help="the newest deliveries, newest first")
    listing.add_argument("--job", metavar="JOB", help="of one job")
    listing.add_argument("--failed", action="store_true", help="those that were given up")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    listing.set_defaults(run=_list)
    replay = verbs.add_parser("replay", help="deliver again, under the same message id")
    replay.add_argument("ids", nargs="*", metavar="ID", help="of a delivery")
    replay.add_argument("--failed", action="store_true", help="all that were given up")
    replay.add_argument("--json", action="store_true", help="one JSON object per line")
    replay.set_defaults(run=_replay)
    secret = verbs.add_parser("secret", help="show the secret that signs messages")
    secret.add_argument("--user", metavar="U", help="default: the setting user")
    secret.add_argument(
        "--rotate", action="store_true", help="make a new one; the old one signs too for a day"
    )
    secret.add_argument("--json", action="store_true", help="one JSON object per line")
    secret.set_defaults(run=_secret)


def _run(arguments: argparse.Namespace) -> int:
    from winepress.gateway.webhooks.process import DeliveryProcess  # imports Celery and FastAPI

    if not 1 <= arguments.threads <= _MOST_THREADS:
        raise WrongUsage(
            "out of range",
            field="--threads",
            value=arguments.threads,
            allowed=f"1 to {_MOST_THREADS}",
        )
    settings = Settings.load()
    configure_log(settings)
    for name in ("httpx", "httpcore"):  # they log the whole address, whose path may be a secret
        logging.getLogger(name).setLevel(logging.WARNING)
    with Client(settings) as client:
        client.service = "winepress-webhooks"
        client.ledger.ping()
        _ = client.tracer  # refuses what it would refuse at each delivery
        Console().note(f"delivering webhooks of farm {client.settings.farm}")
        return DeliveryProcess(client, arguments.threads).run()


def _list(arguments: argparse.Namespace) -> int:
    if arguments.limit not in _LIMITS:
        raise WrongUsage(
            "out of range", field="--limit", value=arguments.limit, allowed=f"1 to {_LIMITS[-1]}"
        )
    console, table = Console(arguments.json), DeliveryTable()
    with Client.from_env() as client:
        found = client.outbox.deliveries(
            arguments.limit, job_id=arguments.job, failed=arguments.failed
        )
        is_delivering = bool(client.outbox.deliverers())
    for one in found:
        if arguments.json:
            console.result(asdict(one))
        else:
            table.add_delivery(one)
    if found and not arguments.json:
        write_table(sys.stdout, table)
    if not found:
        console.note("no deliveries")
    if not is_delivering:
        console.note("nothing delivers now: `winepress webhooks run` does")
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    if bool(arguments.ids) == arguments.failed:
        raise WrongUsage("name deliveries, or say --failed for all that were given up")
    console, code = Console(arguments.json), 0
    with Client.from_env() as client:
        ids = arguments.ids
        if arguments.failed:
            failed = client.outbox.deliveries(_MOST_REPLAYED, failed=True)
            ids = [one.id for one in reversed(failed)]
        for delivery in ids:
            try:
                client.outbox.replay(delivery)
            except WinepressError as error:
                if len(ids) == 1 or error.exit_code == 3:
                    raise
                console.error(error)
                code = error.exit_code
            else:
                console.result({"id": delivery, "state": "waiting"}, f"{delivery} waiting")
    if not ids:
        console.note("none was given up: there is nothing to replay")
    return code


def _secret(arguments: argparse.Namespace) -> int:
    from winepress.gateway.webhooks.signing import read_secrets, rotate_secret
    from winepress.submit_options import SubmitOptions

    with Client.from_env() as client:
        user = SubmitOptions(arguments.user or client.settings.user).user.partition("@")[0]
        store = client.archive.store
        found = (rotate_secret if arguments.rotate else read_secrets)(store, user)
    Console(arguments.json).result({"user": user, "key": found.current}, found.current)
    return 0

"""The process that delivers webhooks: a Celery worker of its own, whose tickets are mere calls.

Times are in the outbox, and not in tickets: a Celery message with a later time is held by one
process and lost with it. So this process looks for what is due and sends tickets, as the
reconciler does for lanes of pictures.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Any

from celery.apps import worker as apps_worker
from celery.signals import setup_logging, worker_shutting_down

from winepress.client import Client
from winepress.gateway.webhooks.deliverer import Deliverer
from winepress_shared.broker import DELIVER, make_celery, send_tickets
from winepress_shared.errors import FarmUnreachable, WinepressError
from winepress_shared.gate import put_gate_before
from winepress_shared.webhook import QUEUE

log = logging.getLogger(__name__)

_LOOK_S = 0.25  #: between two looks at the outbox
_OUTAGE_S = 2.0  #: before the next look when the broker does not answer
_TICKET_S = 20.0  #: a ticket is worked on for about this long
_MOST_TICKETS = 4  #: sent after one look


class DeliveryProcess:
    """One process that delivers, until it is told to stop; several may run."""

    def __init__(self, client: Client, threads: int) -> None:
        self._client = client
        self._threads = threads
        self._deliverer = Deliverer(client, threads)
        self._name = f"{socket.gethostname()}/{os.getpid()}"
        self._stopping = threading.Event()

    def run(self) -> int:
        """Deliver; returns the exit code. Raises FarmUnreachable."""
        app = make_celery(self._client.settings)
        app.conf.update(
            worker_pool="threads",
            worker_concurrency=self._threads,
            worker_enable_remote_control=False,  # nobody has anything to ask or to order here
        )
        put_gate_before(app)
        app.task(name=DELIVER, ignore_result=True)(self._deliver)
        apps_worker.safe_say = _say_in_log
        setup_logging.connect(_keep_logs)
        worker_shutting_down.connect(self._stop)
        app.set_default()
        worker = app.Worker(
            hostname=f"webhooks-{os.getpid()}@{socket.gethostname()}",
            queues=[QUEUE],
            loglevel="INFO",
            without_gossip=True,
            without_mingle=True,
            quiet=True,
        )
        watch = threading.Thread(target=self._watch, args=(app,), name="outbox", daemon=True)
        watch.start()
        worker.start()
        self._stopping.set()
        return int(worker.exitcode or 0)

    def _stop(self, **_: Any) -> None:
        self._stopping.set()

    def _deliver(self, lane: str) -> str:
        """The task: deliver what is due."""
        made, until = 0, time.monotonic() + _TICKET_S
        try:
            while time.monotonic() < until and not self._stopping.is_set():
                if not self._deliverer.deliver_next():
                    break
                made += 1
        except FarmUnreachable as error:
            log.warning("deliveries wait: %s", error)
        return f"{made} tries"

    def _watch(self, app: Any) -> None:
        """Send tickets for what is due."""
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            try:
                due, queued = self._client.outbox.look(self._name)
                idle = self._threads - self._deliverer.busy
                wanted = min(due - queued, idle - queued, _MOST_TICKETS)
                if wanted > 0:
                    send_tickets(app, QUEUE, wanted)
                pause_s = _LOOK_S
            except WinepressError as error:
                log.warning("the outbox cannot be read: %s", error)
                pause_s = _OUTAGE_S


def _keep_logs(**_: Any) -> None:
    """Keep our handlers: with this receiver connected, Celery installs none of its own."""


def _say_in_log(message: str, _: object = None) -> None:
    """Let Celery's words about signals go: it would write from a signal handler."""

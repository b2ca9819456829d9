"""The one task a worker accepts; Celery stops here."""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery, Task, current_app, shared_task
from celery.signals import setup_logging, worker_process_init

from winepress_shared.broker import RENDER, send_tickets
from winepress_shared.errors import BrokerUnreachable, EnvironmentFault, WorkerBroken
from winepress_shared.settings import Settings
from winepress_worker.cores import keep_to_cores
from winepress_worker.logs import configure_logs
from winepress_worker.options import WorkerOptions

if TYPE_CHECKING:
    from winepress_worker.renderer.renderer import Renderer

log = logging.getLogger(__name__)

OPTIONS = "winepress_worker"  #: key of the worker's options in Celery's configuration
#: How long the delivery thread may keep the interpreter while the next picture waits for it;
#: Python's own 5 ms would be paid at most of the twenty steps.
_SWITCH_S = 0.0005
_EXIT_BROKEN = 70  #: exit status of a rendering process that must be replaced (EX_SOFTWARE)


@cache
def the_renderer(options: WorkerOptions) -> Renderer:
    """The one renderer of this process, built and started at first use."""
    # The parent knows this task and never draws: it must not import what draws.
    from winepress_worker.renderer.renderer import Renderer

    app: Celery = current_app._get_current_object()

    def leave_ticket(lane: str) -> None:
        try:
            send_tickets(app, lane)
        except BrokerUnreachable as error:
            log.warning("ticket not sent, the reconciler will: %s", error)

    renderer = Renderer(options, Settings.load(), leave_ticket)
    renderer.start()
    return renderer


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def _keep_logs(**_: Any) -> None:
    """Where somebody listens, Celery adds no handlers with formats of its own."""
    configure_logs()


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def _build_early(**_: Any) -> None:
    """Import the engine before the first ticket, not after it."""
    sys.setswitchinterval(_SWITCH_S)
    options = WorkerOptions.decode(current_app.conf[OPTIONS])
    keep_to_cores(options.cores)
    the_renderer(options)


@shared_task(name=RENDER, bind=True, ignore_result=True)  # type: ignore[untyped-decorator]
def renderer(self: Task, lane: str) -> str:
    """Take slices of ``lane`` and render them; the ticket says no more than that."""
    try:
        return the_renderer(WorkerOptions.decode(self.app.conf[OPTIONS])).run(str(lane))
    except BrokerUnreachable as error:
        return f"{lane}: {error}"
    except EnvironmentFault as error:  # no renderer can be built now; the next ticket tries again
        log.error("%s is left to others: %s", lane, error)
        return f"{lane}: {error}"
    except WorkerBroken:
        log.exception("this process cannot be trusted any more; it is replaced")
        os._exit(_EXIT_BROKEN)

"""The worker's only Celery task; no other module of the renderer uses Celery."""

from __future__ import annotations

import gc
import logging
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery, Task, current_app, shared_task
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown

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
#: Longest time the delivery thread may hold the interpreter while the next picture waits; with
#: Python's default of 5 ms most of the twenty steps would pay that.
_SWITCH_S = 0.0005
_EXIT_BROKEN = 70  #: exit status of a rendering process that must be replaced (EX_SOFTWARE)


@cache
def the_renderer(options: WorkerOptions) -> Renderer:
    """The one renderer of this process, built and started at first use."""
    # The parent imports this module and never draws, so it must not import the renderer.
    from winepress_worker.renderer.renderer import Renderer

    app: Celery = current_app._get_current_object()

    def leave_ticket(lane: str) -> None:
        try:
            send_tickets(app, lane)
        except BrokerUnreachable as error:
            log.warning("ticket not sent, the reconciler will: %s", error)

    renderer = Renderer(options, Settings.load(), leave_ticket)
    # What the libraries brought stays for good: no load waits until all of it was searched again.
    gc.freeze()
    renderer.start()
    return renderer


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def _keep_logs(**_: Any) -> None:
    """Keep our handlers: with this receiver connected, Celery installs none of its own."""
    configure_logs(Settings.load())


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def _build_early(**_: Any) -> None:
    """Import the engine before the first ticket, not after it."""
    sys.setswitchinterval(_SWITCH_S)
    options = WorkerOptions.decode(current_app.conf[OPTIONS])
    configure_logs(Settings.load(), options.name)
    keep_to_cores(options.cores)
    try:
        the_renderer(options)
    except EnvironmentFault as error:  # the first ticket tries again
        log.error("nothing can be drawn now: %s", error)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def _deliver_spans(**_: Any) -> None:
    """Deliver the last spans; billiard ends this process without Python's own ends."""
    if the_renderer.cache_info().currsize:
        the_renderer(WorkerOptions.decode(current_app.conf[OPTIONS])).close()


@shared_task(name=RENDER, bind=True, ignore_result=True)  # type: ignore[untyped-decorator]
def renderer(self: Task, lane: str) -> str:
    """Take slices of ``lane`` and render them; the ticket holds nothing but the lane."""
    try:
        return the_renderer(WorkerOptions.decode(self.app.conf[OPTIONS])).run(str(lane))
    except BrokerUnreachable as error:
        return f"{lane}: {error}"
    except EnvironmentFault as error:  # no renderer can be built now; the next ticket tries again
        log.error("%s is left to others: %s", lane, error)
        return f"{lane}: {error}"
    except WorkerBroken:
        log.exception("the rendering process is broken and will be replaced")
        _deliver_spans()
        os._exit(_EXIT_BROKEN)

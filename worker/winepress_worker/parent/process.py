"""A worker's parent process: Celery's consumer, and the supervisor beside it."""

from __future__ import annotations

import logging
import os
import socket
from functools import cache, partial
from pathlib import Path
from typing import Any

from celery import bootsteps, current_app
from celery.apps import worker as apps_worker
from celery.signals import worker_shutting_down
from celery.worker import state as celery_state

from winepress_shared import __version__
from winepress_shared.broker import make_celery, send_tickets
from winepress_shared.errors import BrokerUnreachable, WrongUsage
from winepress_shared.gate import forget_orders, put_gate_before
from winepress_shared.ledger.broker_disk import complaint_of
from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.server_certificates import check_certificates
from winepress_shared.settings import Settings, warn_of_limits
from winepress_worker.engine_name import EngineName
from winepress_worker.lane_order import LaneCycle, LaneWatch
from winepress_worker.logs import FORMAT, say_in_log
from winepress_worker.options import WorkerOptions
from winepress_worker.parent.consumption import Consumption
from winepress_worker.parent.served_lanes import ServedLanes
from winepress_worker.parent.sign_of_life import SignOfLife
from winepress_worker.parent.supervisor import WorkerSupervisor
from winepress_worker.parent.unique_name import check_unique_name, process_space

log = logging.getLogger(__name__)

_HEARTBEAT_S = 10  #: between two events for Flower


class SupervisorStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is untyped
    """Starts the supervisor with the worker, and tells Flower what it knows.

    Celery stops its steps before it waits for the task in hand, when the supervisor is needed
    most. So `run_worker` stops the supervisor, after everything else.
    """

    requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - Celery reads a class attribute

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self.supervisor: WorkerSupervisor | None = None

    def start(self, worker: Any) -> None:
        """Begin to beat once the pool has its renderer."""
        app = worker.app
        options = WorkerOptions.decode(app.conf["winepress_worker"])
        self.supervisor = WorkerSupervisor(
            Ledger(Settings.load()),
            options.name,
            _facts(options, list(app.amqp.queues.consume_from)),
            lambda: _renderer_pid(worker),
            lambda lane, count: send_tickets(app, lane, count),
            partial(follow_lanes, worker, ServedLanes(options, Settings.load())),
            app.winepress_consumption,
            options.drain_s,
        )
        self.supervisor.show_life = SignOfLife(_file(options.alive_file)).show
        worker_shutting_down.connect(self._drain)
        self.supervisor.arrive()
        self.supervisor.start()
        worker.supervisor = self.supervisor

    def info(self, worker: Any) -> dict[str, Any]:
        """What Flower shows under "Other"."""
        return {"winepress": self.supervisor.heartbeat.renderer} if self.supervisor else {}

    def _drain(self, **_: Any) -> None:
        if self.supervisor:
            self.supervisor.draining.set()


def run_worker(options: WorkerOptions, settings: Settings) -> int:
    """Serve until told to stop; returns the exit code.

    Raises WrongUsage when a live worker has the same name, and FarmUnreachable when broker or
    store shows a certificate that is not accepted.
    """
    warn_of_limits(settings)
    check_certificates(settings)
    _check_name(options.name, settings)
    if complaint := complaint_of(settings):
        log.warning("%s", complaint)
    lanes = ServedLanes(options, settings).find_first()
    app = make_celery(settings)
    app.conf.update(winepress_worker=options.encode(), include=["winepress_worker.tasks"])
    put_gate_before(app)
    # billiard logs by it in a spawned child, before anything of ours runs there.
    app.conf.worker_log_format = FORMAT
    apps_worker.safe_say = say_in_log
    forget_orders()
    app.conf.broker_transport_options["queue_order_strategy"] = f"{__name__}:lane_cycle"
    app.steps["worker"].add(SupervisorStep)
    app.winepress_consumption = Consumption(lambda: len(celery_state.reserved_requests))
    app.set_default()
    worker = app.Worker(
        hostname=f"{options.name}@{socket.gethostname()}",
        queues=lanes,
        loglevel="INFO",
        without_gossip=True,
        without_mingle=True,
        heartbeat_interval=_HEARTBEAT_S,
        quiet=True,
    )
    log.info("%s serves %s", options.name, ", ".join(lanes))
    try:
        worker.start()
    finally:
        supervisor = getattr(worker, "supervisor", None)
        if supervisor:
            supervisor.stop()
    return int(worker.exitcode or 0)


def lane_cycle() -> LaneCycle:
    """The order of lanes for the worker of this process; kombu finds this function by its name."""
    consumption = getattr(current_app, "winepress_consumption", None)
    # A renderer opens a channel too, to leave tickets, and consumes nothing.
    return LaneCycle(_lane_watch(), consumption.asked) if consumption else LaneCycle(_lane_watch())


@cache
def _lane_watch() -> LaneWatch:
    """One for all channels: Celery opens new ones whenever it reconnects, and keeps the old."""
    options = WorkerOptions.decode(current_app.conf["winepress_worker"])
    return LaneWatch(LaneIndex(Settings.load()), options)


def follow_lanes(worker: Any, lanes: ServedLanes) -> dict[str, Any]:
    """Open and close lanes as models come and go; returns facts of what is served now."""
    consumed = set(worker.app.amqp.queues.consume_from)
    try:
        found = lanes.find()
    except (WrongUsage, OSError) as error:
        log.warning("the lanes stay as they are: %s", error)
        found = list(consumed)
    opened, closed = set(found) - consumed, consumed - set(found)
    if opened or closed:
        worker.consumer.call_soon(_follow, worker.consumer, opened, closed)
    return {"lanes": sorted(found), "too_large": lanes.too_large, "staged": lanes.staged}


def _follow(consumer: Any, opened: set[str], closed: set[str]) -> None:
    """Runs in Celery's own thread, like everything that touches its consumer."""
    if consumer.task_consumer is None:
        return  # broker unreachable: the next look will find the same lanes
    for lane in opened:
        log.info("serves %s from now on", lane)
        consumer.add_task_queue(lane)
    for lane in closed:
        log.info("serves %s no more", lane)
        consumer.cancel_task_queue(lane)


def _check_name(name: str, settings: Settings) -> None:
    ledger = Ledger(settings)
    try:
        check_unique_name(ledger, name)
    except BrokerUnreachable as error:
        log.warning("%s", error)  # a worker may be started before its broker
    finally:
        ledger.close()


def _facts(options: WorkerOptions, lanes: list[str]) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "processes": process_space(),
        "device": options.device,
        "engine": EngineName.parse(options.engine).name,
        "lanes": sorted(lanes),
        "memory_budget": options.model_budget,
        "version": __version__,
    }


def _file(path: str) -> Path | None:
    return Path(path) if path else None


def _renderer_pid(worker: Any) -> int:
    """Process id of the pool's one child; 0 while it is being replaced."""
    processes = worker.pool._pool._pool if worker.pool and worker.pool._pool else []
    return next((process.pid for process in processes if process.exitcode is None), 0)

"""Configures Celery; no other module does.

A Celery message is a *ticket*: it says that a lane has work, not which job. The reconciler sends a
lost ticket again, and a surplus one finds nothing to claim, so the broker emulation need not be
reliable; the ledger is. Celery delivers tickets to process pools across machines, and provides
events, remote control and Flower.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.exceptions import OperationalError
from celery.loaders.app import AppLoader

from winepress_shared.broker_url import BrokerUrl
from winepress_shared.causes import cause_of, certificate_fault
from winepress_shared.errors import BrokerUnreachable
from winepress_shared.sentinels import options_of
from winepress_shared.settings import Settings
from winepress_shared.webhook import QUEUE

RENDER = "winepress.render"  #: the one task a worker accepts
DELIVER = "winepress.deliver"  #: the one task of the process that delivers webhooks
#: Celery's setting ``broker_transport`` where Sentinels name the broker.
BY_SENTINELS = "winepress_shared.sentinel_transport:SentinelTransport"
DEFAULT_QUEUE = "unrouted"

_HEARTBEAT_S = 10


class _OwnLoader(AppLoader):  # type: ignore[misc]  # Celery is untyped
    """Ignores CELERY_LOADER; only `make_celery` configures the application."""

    def read_configuration(self, env: str = "") -> dict[str, Any]:
        """Return nothing, where Celery would read the module in CELERY_CONFIG_MODULE."""
        return {}


class _FarmCelery(Celery):  # type: ignore[misc]  # Celery is untyped
    """Uses the broker of our settings.

    Celery itself prefers CELERY_BROKER_URL and similar variables, which belong to other
    applications.
    """

    backend_cls = "disabled"  # else CELERY_RESULT_BACKEND would apply

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        """A connection to receive tickets; ``url`` is ignored."""
        return super().connection_for_read(self.conf["broker_url"], **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """A connection to send tickets; ``url`` is ignored."""
        return super().connection_for_write(self.conf["broker_url"], **options)


def make_celery(settings: Settings) -> Celery:
    """A Celery application for this farm, the same for workers, producers and Flower."""
    url = BrokerUrl.of(settings.broker_url)
    app = _FarmCelery("winepress", set_as_current=False, loader=_OwnLoader)
    app.conf.update(
        broker_url=url.address,
        broker_transport=BY_SENTINELS if url.group else None,
        broker_use_ssl=url.verification(settings.broker_ca) or None,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker survives any outage of the broker
        broker_channel_error_retry=True,  # and its refusals, for example while its disk is full
        broker_transport_options=_transport(settings, url) | url.of_sockets,
        # Results are in the ledger and the store.
        result_backend=None,
        task_ignore_result=True,
        # Tickets are acknowledged early: late acknowledgement runs them twice after a reconnect.
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        # One spawned child owns the device; no ticket is fetched while it is busy.
        worker_pool="prefork",
        worker_concurrency=1,
        worker_pool_start_method="spawn",
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_proc_alive_timeout=900,  # seconds; children take long to import
        worker_max_tasks_per_child=None,  # a replaced child would lose its warm models
        worker_max_memory_per_child=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_create_missing_queues=True,
        task_default_queue=DEFAULT_QUEUE,
        # Flower
        worker_send_task_events=True,
        task_send_sent_event=False,
        worker_enable_remote_control=True,
        task_track_started=True,
        # Accept only JSON messages.
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        task_publish_retry_policy={
            "max_retries": 3,
            "interval_start": 0.1,
            "interval_step": 0.5,
            "interval_max": 2,
        },
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_heartbeat=_HEARTBEAT_S,
    )
    return app


def _transport(settings: Settings, url: BrokerUrl) -> dict[str, Any]:
    by_sentinels = url.group and {
        "master_name": url.group.name,
        "sentinels": url.group.sentinels,
        "sentinel_kwargs": options_of(settings, url),
    }
    return (by_sentinels or {}) | {
        "priority_steps": [0],  # the ledger handles priority
        "sep": ":",
        "queue_order_strategy": "round_robin",
        "body_encoding": "utf-8",
        "global_keyprefix": f"{settings.farm}:queue:",
        "socket_keepalive": True,
        "socket_connect_timeout": 5,
        "socket_timeout": 15,
        "health_check_interval": 25,
        "retry_on_timeout": False,  # True could publish twice
        # Not an option, but part of the key of kombu's global connection pool, so that a child does
        # not reuse its parent's connections.
        "process": os.getpid(),
    }


def task_of(lane: str) -> str:
    """The task that a ticket of this queue calls."""
    return DELIVER if lane == QUEUE else RENDER


def send_tickets(app: Celery, lane: str, count: int = 1) -> None:
    """Send ``count`` tickets for ``lane``; raises BrokerUnreachable."""
    try:
        with app.producer_or_acquire() as producer:
            for _ in range(count):
                app.send_task(
                    task_of(lane),
                    kwargs={"lane": lane},
                    queue=lane,
                    ignore_result=True,
                    argsrepr="()",
                    kwargsrepr=f"lane={lane}",
                    producer=producer,
                )
    except (OperationalError, OSError) as error:
        fault = certificate_fault(error)
        why = f"the broker's certificate {fault}" if fault else cause_of(error)
        raise BrokerUnreachable(f"cannot send a ticket: {why}") from None
    except AttributeError:
        # kombu's, for a channel that lost its connection between two of its own tries to send.
        raise BrokerUnreachable("cannot send a ticket: its connection was lost") from None

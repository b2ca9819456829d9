"""The list of all metrics. docs/metrics.md shows it; board and alert rules name nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "winepress_"  #: of every name
_MODEL = ("model", "precision", "device")


class Kind(StrEnum):
    """How the values of a metric change."""

    GAUGE = "gauge"  #: up and down
    COUNTER = "counter"  #: up only; the name in Prometheus ends with ``_total``
    HISTOGRAM = "histogram"  #: counts in buckets, of seconds


@dataclass(frozen=True)
class Family:
    """One metric, with a series for each combination of its labels."""

    name: str  #: without `PREFIX`
    help: str  #: what one value is
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE

    @property
    def full_name(self) -> str:
        """The name in queries; there a histogram's ends with ``_bucket``, ``_sum``, ``_count``."""
        return f"{PREFIX}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, text, labels, Kind.COUNTER)


def _histogram(name: str, text: str, *labels: str) -> Family:
    return Family(name, text, labels, Kind.HISTOGRAM)


#: Matter → its metrics.
GROUPS: dict[str, tuple[Family, ...]] = {
    "The farm": (
        Family("up", "1 if the broker answered; if not, 0, and nothing else of the farm is told"),
        Family("build_info", "1; the label tells the version of what tells this", ("version",)),
        Family("paused", "pauses in force", ("scope",)),
        Family("open_pictures", "pictures accepted that have not ended"),
        Family("queue_limit_pictures", "most of them; further jobs are refused"),
    ),
    "Lanes": (
        Family("lane_waiting_pictures", "pictures that no worker has taken", ("lane",)),
        Family("lane_in_hand_pictures", "pictures that workers have taken, not ended", ("lane",)),
        Family("lane_oldest_wait_seconds", "age of the oldest job with waiting ones", ("lane",)),
        Family(
            "lane_unserved_seconds",
            "since the priority last got a slice, or began to wait",
            ("lane", "priority"),
        ),
        Family("lane_ready_work_seconds", "one worker's time for what waits, if known", ("lane",)),
        Family("lane_workers", "live workers that serve the lane", ("lane",)),
        Family("lane_parked", "1 while the lane rests after a fault", ("lane",)),
        Family("lane_paused", "1 while the lane, or the farm, is paused", ("lane",)),
        Family("lane_tickets", "tickets queued in the broker", ("lane",)),
    ),
    "Jobs": (
        Family("jobs", "jobs on record", ("state",)),
        Family("pending_submissions", "submissions that are not complete"),
        _counter("jobs_accepted", "jobs accepted", "priority"),
        _counter("pictures_accepted", "pictures of accepted jobs", "priority"),
        _counter("jobs_ended", "jobs ended", "state"),
        _histogram(
            "job_wait_seconds",
            "from acceptance, or the start asked for, to the first slice",
            "priority",
        ),
        _histogram(
            "job_run_seconds",
            "from the first slice to the end, of jobs drawn to the end",
            "priority",
        ),
    ),
    "Pictures": (
        _counter("pictures", "pictures drawn and stored; films too, as the model film", *_MODEL),
        _counter("megapixel_steps", "megapixel-steps of these pictures", *_MODEL),
        _histogram("picture_seconds", "drawing one picture", *_MODEL),
        _counter("pictures_failed", "pictures given up", "class"),
        _counter("attempts", "pictures begun"),
        _counter("retries", "pictures that failed and were to be tried again", "class"),
        Family("slices_in_hand", "slices that workers hold"),
        _counter("slices", "slices given out"),
        _counter("slices_lost", "slices whose worker was lost"),
    ),
    "Models": (
        _counter("model_loads", "loads of a model", *_MODEL),
        _counter("model_load_seconds", "time that loads took", *_MODEL),
        _counter("model_warm_hits", "slices whose model was loaded before", *_MODEL),
        _counter("model_unloads", "models unloaded to make room, or idle", *_MODEL),
        _counter("blob_cache_hits", "parts of models read from compiled blobs", *_MODEL),
        _counter("blob_cache_misses", "parts of models compiled", *_MODEL),
        _counter("calls", "calls of a pipeline", *_MODEL),
        _counter("call_pictures", "pictures drawn in these calls, also such as fill up", *_MODEL),
    ),
    "Workers": (
        Family("workers", "live workers"),
        Family("device_workers", "live workers by device", ("device",)),
        Family("worker_beat_age_seconds", "since its last heartbeat", ("worker", "device")),
        Family("worker_resident_bytes", "memory of its rendering process", ("worker", "device")),
        Family("worker_model_bytes", "memory of the models it holds", ("worker", "device")),
        Family("worker_model_limit_bytes", "most of that, if limited", ("worker", "device")),
        Family("worker_warm_models", "models it holds", ("worker", "device")),
        Family("worker_unfit_models", "models it cannot serve now", ("worker", "device")),
        _counter("tickets", "tickets that workers have taken", "device"),
    ),
    "Webhooks": (
        Family("webhooks_waiting", "messages to be delivered"),
        Family("webhooks_due", "of them, those to be delivered now"),
        Family("webhook_overdue_seconds", "since the first of these was due"),
        Family("webhook_deliverers", "live processes that deliver"),
        _counter("webhook_tries", "tries to deliver", "outcome"),
    ),
    "Gateway": (
        _counter("gateway_requests", "requests answered", "dialect", "method", "status"),
        _histogram("gateway_request_seconds", "until the answer began", "dialect"),
        Family("gateway_requests_in_hand", "requests being answered"),
    ),
    "Broker": (
        Family("broker_uptime_seconds", "since the server started"),
        Family("broker_memory_bytes", "memory in use"),
        Family("broker_memory_limit_bytes", "its maxmemory; 0: no limit"),
        Family("broker_evicts_nothing", "1 if its maxmemory-policy is noeviction"),
        _counter("broker_evicted_keys", "records that it dropped for want of memory"),
        Family("broker_clients", "connections"),
        Family("broker_aof_enabled", "1 if it keeps an append-only file"),
        Family("broker_aof_last_write_ok", "0 after it could not write that file"),
        Family("broker_aof_last_rewrite_ok", "0 after it could not rewrite it"),
        Family("broker_rdb_last_save_ok", "0 after it could not save a snapshot"),
        Family("broker_rdb_unsaved_changes", "changes since the last snapshot"),
    ),
    "The counts themselves": (
        _counter("counts_dropped", "events that found no room: too many models, devices or errors"),
    ),
}
FAMILIES = {family.name: family for families in GROUPS.values() for family in families}

"""The metrics of a farm, read from its ledger, its workers' descriptions and its broker."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from winepress.connections import Connections
from winepress.lane_work import lane_work
from winepress.metrics.samples import Buckets, Samples
from winepress.paces import Paces
from winepress_shared import __version__
from winepress_shared.errors import WinepressError
from winepress_shared.lane import FILM
from winepress_shared.ledger.measures import Counts, Measures
from winepress_shared.ledger.outbox import TryOutcome
from winepress_shared.ledger.records import PRIORITIES, Worker
from winepress_shared.ledger.snapshot import FarmSnapshot
from winepress_shared.state import JobState

log = logging.getLogger(__name__)

MOST_LANES = 500  #: told of; what waits in others is told as one lane
MOST_WORKERS = 1000  #: told of one by one, the first by name
OTHER_LANES = "others"  #: no lane is called so: it has no precision
_MOST_BYTES = 2.0**53  #: a larger budget is none
_MIB = 2**20
#: Count of `Counts` → counter, for those that name a lane's model and a device, and for others.
_BY_MODEL = {
    "steps": "megapixel_steps",
    "loads": "model_loads",
    "load_seconds": "model_load_seconds",
    "warm_hits": "model_warm_hits",
    "unloads": "model_unloads",
    "blob_hits": "blob_cache_hits",
    "blob_misses": "blob_cache_misses",
    "calls": "calls",
    "call_pictures": "call_pictures",
}
_BY_WORD = {
    "failed": "pictures_failed",
    "retried": "retries",
    "tickets": "tickets",
    "tries": "webhook_tries",
}
#: Told from the start, as 0: Prometheus cannot see the first rise of a series that was not there.
_KNOWN_WORDS = {
    "failed": ("FailForGood", "RetryElsewhere", "WorkerBroken", "WorkerLost"),
    "retried": ("RetryElsewhere", "WorkerBroken"),
    "tries": tuple(TryOutcome),
}
_ALONE = {
    "attempts": "attempts",
    "slices": "slices",
    "slices_lost": "slices_lost",
    "overflow": "counts_dropped",
}


class FarmMetrics:
    """Reads the metrics of one farm."""

    def __init__(self, client: Connections) -> None:
        self._client = client

    def read(self) -> Samples:
        """What the farm is like now; of a broker that does not answer, nothing but that."""
        samples = Samples()
        samples.add("build_info", 1, __version__)
        try:
            measures = self._client.measures.take(MOST_LANES)
            farm = self._client.snapshots.take(MOST_WORKERS, 0)
            paces = Paces(farm.workers, self._client.lanes.paces())
            info = self._client.measures.broker_info()
        except WinepressError as error:
            log.warning("no metrics of the farm: %s", error)
            samples.add("up", 0)
            return samples
        samples.add("up", 1)
        add_farm(samples, measures)
        add_lanes(samples, measures, farm, paces)
        add_counts(samples, measures)
        add_workers(samples, farm)
        add_broker(samples, info)
        return samples


def add_farm(samples: Samples, measures: Measures) -> None:
    """The farm as a whole, its jobs and its webhooks."""
    kinds = [pause.partition(":")[0] for pause in measures.pauses]
    for scope in ("farm", "lane", "user"):
        samples.add("paused", kinds.count(scope), scope)
    samples.add("open_pictures", measures.open)
    samples.add("queue_limit_pictures", measures.queue_limit)
    samples.add("slices_in_hand", measures.slices)
    samples.add("pending_submissions", measures.pending)
    for state in JobState:
        samples.add("jobs", measures.jobs.get(state, 0), state)
    outbox = measures.outbox
    samples.add("webhooks_waiting", outbox.waiting)
    samples.add("webhooks_due", outbox.due)
    samples.add("webhook_overdue_seconds", outbox.overdue_s)
    samples.add("webhook_deliverers", outbox.deliverers)


def add_lanes(samples: Samples, measures: Measures, farm: FarmSnapshot, paces: Paces) -> None:
    """Every lane with work, those with most of it first."""
    measured = {lane.lane: lane for lane in measures.lanes}
    costs = {lane.lane: lane.cost for lane in measures.lanes}
    for work in lane_work(farm, paces, costs):
        if work.waiting and work.lane not in measured:
            continue  # one of the others
        samples.add("lane_waiting_pictures", work.waiting, work.lane)
        samples.add("lane_in_hand_pictures", work.in_hand, work.lane)
        samples.add("lane_workers", work.workers, work.lane)
        samples.add("lane_parked", bool(work.parked), work.lane)
        is_paused = not {"farm", f"lane:{work.lane}"}.isdisjoint(measures.pauses)
        samples.add("lane_paused", is_paused, work.lane)
        if work.ready_work_s is not None:
            samples.add("lane_ready_work_seconds", work.ready_work_s, work.lane)
    for lane in measures.lanes:
        samples.add("lane_oldest_wait_seconds", lane.oldest_s, lane.lane)
        samples.add("lane_tickets", lane.tickets, lane.lane)
        for priority, seconds in lane.served_s.items():
            samples.add("lane_unserved_seconds", seconds, lane.lane, PRIORITIES[priority])
    if measures.other_lanes:
        samples.add("lane_waiting_pictures", measures.other_lanes, OTHER_LANES)


def add_counts(samples: Samples, measures: Measures) -> None:
    """What has happened so far."""
    counts = measures.counts
    by_model = {counter: counts.named(name, 2) for name, counter in _BY_MODEL.items()}
    for model, device in sorted(set().union(*by_model.values())):
        for counter, totals in by_model.items():
            samples.add(counter, totals.get((model, device), 0.0), *_split(model), device)
    for name, counter in _BY_WORD.items():
        known = dict.fromkeys(((word,) for word in _KNOWN_WORDS.get(name, ())), 0.0)
        for (word,), total in (known | counts.named(name, 1)).items():
            samples.add(counter, total, word)
    for name, counter in _ALONE.items():
        samples.add(counter, counts.total(name))
    for priority in range(len(PRIORITIES)):
        accepted = counts.total(f"accepted {priority}")
        samples.add("jobs_accepted", accepted, PRIORITIES[priority])
        pictures = counts.total(f"accepted_pictures {priority}")
        samples.add("pictures_accepted", pictures, PRIORITIES[priority])
    for state in JobState:
        if state.is_terminal:
            samples.add("jobs_ended", counts.total(f"ended {state}"), state)
    for (model, device), buckets in _histograms(counts, "drawn", 3, measures.picture_s).items():
        labels = (*_split(model), device)
        samples.add_buckets("picture_seconds", buckets, *labels)
        samples.add("pictures", sum(buckets.counts.values()), *labels)
    for name, metric in (("waited", "job_wait_seconds"), ("ran", "job_run_seconds")):
        found = _histograms(counts, name, 2, measures.job_s)
        for priority in range(len(PRIORITIES)):
            buckets = found.get((str(priority),)) or Buckets.of(measures.job_s, {})
            samples.add_buckets(metric, buckets, PRIORITIES[priority])


def _histograms(
    counts: Counts, name: str, words: int, bounds: tuple[float, ...]
) -> dict[tuple[str, ...], Buckets]:
    """Labels → buckets of the counts ``name LABELS BUCKET``."""
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for (*labels, bucket), total in counts.named(name, words).items():
        rows.setdefault(tuple(labels), {})[bucket] = total
    return {labels: Buckets.of(bounds, row) for labels, row in rows.items()}


def add_workers(samples: Samples, farm: FarmSnapshot) -> None:
    """The workers, by device and one by one."""
    samples.add("workers", farm.worker_count)
    devices = [_device(worker) for worker in farm.workers]
    for device in devices:
        samples.add("device_workers", devices.count(device), device)
    for worker in farm.workers:
        labels = (worker.name, _device(worker))
        samples.add("worker_beat_age_seconds", max(0.0, farm.at - worker.seen), *labels)
        samples.add("worker_warm_models", len(worker.renderer.get("warm", ())), *labels)
        samples.add("worker_unfit_models", len(worker.unfit), *labels)
        for name, mib in (("resident", "rss_mib"), ("model", "model_mib")):
            if mib in worker.renderer:
                samples.add(f"worker_{name}_bytes", worker.renderer[mib] * _MIB, *labels)
        budget = worker.facts.get("memory_budget", 0)
        if 0 < budget < _MOST_BYTES:
            samples.add("worker_model_limit_bytes", budget, *labels)


def add_broker(samples: Samples, info: Mapping[str, Any]) -> None:
    """What the broker tells of itself; nothing where this role may not ask."""
    for metric, name in _BROKER.items():
        value = info.get(name)
        if isinstance(value, int | float) and math.isfinite(value):
            samples.add(metric, value)
    for metric, name in _BROKER_STATUS.items():
        if name in info:
            samples.add(metric, info[name] == "ok")
    if "maxmemory_policy" in info:
        samples.add("broker_evicts_nothing", info["maxmemory_policy"] == "noeviction")


#: Metric → its field in the broker's INFO; the same for fields that say ``ok`` or ``err``.
_BROKER = {
    "broker_uptime_seconds": "uptime_in_seconds",
    "broker_memory_bytes": "used_memory",
    "broker_memory_limit_bytes": "maxmemory",
    "broker_evicted_keys": "evicted_keys",
    "broker_clients": "connected_clients",
    "broker_aof_enabled": "aof_enabled",
    "broker_rdb_unsaved_changes": "rdb_changes_since_last_save",
}
_BROKER_STATUS = {
    "broker_aof_last_write_ok": "aof_last_write_status",
    "broker_aof_last_rewrite_ok": "aof_last_bgrewrite_status",
    "broker_rdb_last_save_ok": "rdb_last_bgsave_status",
}


def _split(model_key: str) -> tuple[str, str]:
    """Model and precision; the film lane has none."""
    model, _, precision = model_key.partition(".")
    return model, "" if model == FILM else precision


def _device(worker: Worker) -> str:
    return str(worker.facts.get("device", "?"))

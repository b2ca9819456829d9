"""The list of metrics, and everything that names one: the page, the board, the alert rules."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from support.fixed_farm import FARM, WORKERS
from support.metric_table import tables, written_tables
from support.promql import BOARD, alerts, board_queries, named

from winepress.metrics.exposition import exposition
from winepress.metrics.families import FAMILIES, GROUPS, Family, Kind
from winepress.metrics.farm_metrics import add_broker, add_counts, add_lanes, add_workers
from winepress.metrics.samples import Buckets, Samples
from winepress.paces import Paces
from winepress_shared.ledger.measures import Measures

_OWN_LABELS = {"le", "instance", "job"}  #: of histograms, and of what Prometheus adds
#: Metrics that no panel and no rule shows: they are there for whoever looks for them.
_UNSHOWN = {"winepress_build_info", "winepress_broker_uptime_seconds", "winepress_slices_total"} | {
    "winepress_counts_dropped_total",
    "winepress_pictures_accepted_total",
}
QUERIES = {f"{title} {n}": q for title, qs in board_queries().items() for n, q in enumerate(qs)} | {
    name: rule["expr"] for name, rule in alerts().items()
}


def _names(family: Family) -> set[str]:
    """The names of a metric in queries."""
    if family.kind is not Kind.HISTOGRAM:
        return {family.full_name}
    return {f"{family.full_name}_{part}" for part in ("bucket", "sum", "count")}


def _families_of(query: str) -> list[Family]:
    by_name = {name: family for family in FAMILIES.values() for name in _names(family)}
    return [by_name[name] for name in named(query).metrics]


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_names_what_is_there(title: str) -> None:
    """It can be parsed; its metrics exist, and so do its labels on one of them."""
    families = _families_of(QUERIES[title])
    labels = {label for family in families for label in family.labels}
    assert families
    assert named(QUERIES[title]).labels <= labels | _OWN_LABELS


def test_every_metric_is_shown_somewhere() -> None:
    """On the board or in a rule, but for a few that are listed here."""
    shown = {family.full_name for query in QUERIES.values() for family in _families_of(query)}
    unshown = {family.full_name for family in FAMILIES.values()} - shown
    assert unshown == _UNSHOWN - shown


def test_the_page_lists_every_metric() -> None:
    """As the code has it; `support.metric_table` writes the list."""
    assert written_tables() == tables()


def test_names_are_those_that_prometheus_asks_for() -> None:
    """Base units at the end, one name once, labels that Prometheus does not use itself."""
    assert len(FAMILIES) == sum(map(len, GROUPS.values()))
    for family in FAMILIES.values():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert not _OWN_LABELS & set(family.labels)
        assert family.kind is not Kind.HISTOGRAM or family.name.endswith("_seconds")


def test_no_label_names_a_job_or_a_user() -> None:
    """They would be as many as there ever were."""
    assert not {label for family in FAMILIES.values() for label in family.labels} & {"user", "id"}


def _samples() -> Samples:
    samples = Samples()
    samples.add("lane_waiting_pictures", 3, 'a "lane"\n\\')
    samples.add("pictures", 2, "vignette", "fp16", "CPU")
    buckets = Buckets.of((1.0, 5.0), {"1": 2, "inf": 1, "sum": 9})
    samples.add_buckets("job_wait_seconds", buckets, "bulk")
    return samples


def test_both_formats_can_be_read() -> None:
    """That of Prometheus for whoever asks for nothing, OpenMetrics for whoever accepts it."""
    text, media_type = exposition(_samples())
    assert media_type.startswith("text/plain")
    plain = {family.name: family for family in parser.text_string_to_metric_families(text.decode())}
    text, media_type = exposition(_samples(), "application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    parse: Any = openmetrics_parser.text_string_to_metric_families
    told = {family.name: family for family in parse(text.decode())}
    assert told.keys() == plain.keys()
    (waiting,) = told["winepress_lane_waiting_pictures"].samples
    assert (waiting.labels, waiting.value) == ({"lane": 'a "lane"\n\\'}, 3)
    wait = [one.value for one in told["winepress_job_wait_seconds"].samples]
    assert wait == [2, 2, 3, 3, 9]  # buckets, count, sum


def test_a_sample_has_the_labels_of_its_metric() -> None:
    """What does not fit is a mistake of ours, and is found at once."""
    samples = Samples()
    with pytest.raises(ValueError, match="labels"):
        samples.add("pictures", 1, "vignette")
    with pytest.raises(ValueError, match="histogram"):
        samples.add("job_wait_seconds", 1, "bulk")


def _measures(**values: Any) -> Measures:
    webhooks = {"waiting": 0, "due": 0, "overdue_ms": 0, "deliverers": 0}
    lane = {"lane": "vignette.fp16", "waiting": 36, "oldest_ms": 5000, "cost": 2.0, "tickets": 1}
    answer: dict[str, Any] = {
        "job_counts": {},
        "work_counts": {},
        "delivery_counts": {},
        "webhooks": webhooks,
        "picture_s": [0.5, 1],
        "job_s": [1, 60],
        "jobs": {},
        "open": 0,
        "queue_limit": 9,
        "slices": 0,
        "pending": 0,
        "pauses": ["lane:vignette.fp16"],
        "other_lanes": 7,
        "lanes": [lane | {"served_ms": [[1, 3000]]}],
    }
    return Measures.of(answer | values)


def test_lanes_are_told_with_the_time_that_their_work_takes() -> None:
    """One worker's time for what waits; lanes beyond the limit are told as one."""
    samples = Samples()
    add_lanes(samples, _measures(), FARM, Paces(WORKERS, {}))
    lane = ("vignette.fp16",)
    assert samples.values["lane_ready_work_seconds"] == {lane: 36 * 1.5}
    assert samples.values["lane_waiting_pictures"] == {lane: 36, ("others",): 7}
    assert samples.values["lane_in_hand_pictures"] == {lane: 4}
    assert samples.values["lane_parked"] == samples.values["lane_paused"] == {lane: 1}
    assert samples.values["lane_unserved_seconds"] == {(*lane, "normal"): 3}


def test_counts_become_counters_by_model_and_device() -> None:
    """One of them is enough for the others of the same model to be told, as 0."""
    flat = ["loads vignette.fp16 CPU", "2", "drawn film CPU 0.5", "3", "drawn film CPU sum", "1.2"]
    samples = Samples()
    add_counts(samples, _measures(work_counts=[*flat, "failed WorkerLost", "4", "strange", "5"]))
    model = ("vignette", "fp16", "CPU")
    assert samples.values["model_loads"] == {model: 2}
    assert samples.values["model_warm_hits"] == {model: 0}
    assert samples.values["pictures"] == {("film", "", "CPU"): 3}
    assert samples.buckets["picture_seconds"]["film", "", "CPU"].cumulative()[-1] == ("+Inf", 3)
    assert samples.values["pictures_failed"]["WorkerLost",] == 4
    assert samples.values["pictures_failed"]["FailForGood",] == 0


def test_workers_are_counted_by_device() -> None:
    """All of them, and one by one as many as the snapshot has."""
    samples = Samples()
    add_workers(samples, FARM)
    assert samples.values["workers"] == {(): 3}
    assert samples.values["device_workers"] == {("CPU",): 2, ("GPU.1",): 1}
    assert samples.values["worker_beat_age_seconds"]["host-cpu-1", "CPU"] == 2


def test_a_broker_that_tells_nothing_is_told_nothing_of() -> None:
    """An absent figure is not a zero, which would raise an alarm."""
    samples = Samples()
    add_broker(samples, {})
    assert samples.values == {}
    add_broker(samples, {"aof_last_write_status": "err", "used_memory": 5, "maxmemory": "text"})
    assert samples.values == {
        "broker_memory_bytes": {(): 5},
        "broker_aof_last_write_ok": {(): 0},
    }


def test_the_board_loads_as_it_is() -> None:
    """Its panels have ids and places of their own, and ask the Prometheus that is chosen."""
    board = json.loads(BOARD.read_text("utf-8"))
    (source,) = board["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    places: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        grid = panel["gridPos"]
        mine = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not mine & places, panel["title"]
        assert max(x for x, _ in mine) < 24
        places |= mine
        asked = [target["datasource"]["uid"] for target in panel.get("targets", ())]
        assert set(asked) <= {f"${{{source['name']}}}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_alert_says_what_to_do() -> None:
    """How bad it is, what it is, and what that means."""
    for name, rule in alerts().items():
        assert re.fullmatch(r"Winepress([A-Z][a-z]*)+", name)
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description"}

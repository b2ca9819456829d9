"""After 200 jobs ledger, metrics, Flower and store agree, and the board has something to show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.prometheus import Prometheus
from support.promql import ALERTS, WINDOW, board_queries

from winepress import Client, JobHandle, TextToImage, ZoomVideo
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.services.flower import PAGES
from winepress_deploy.services.flower_report import ask_flower
from winepress_shared.ledger.records import JobRow

pytestmark = pytest.mark.timeout(900)

_JOBS = 200
_PATIENCE_S = 600.0  #: until they have ended
_DAMAGED, _CANCELED = 4, 6  #: of them
_PICTURES = re.compile(r": (\d+) pictures? in ")


@dataclass(frozen=True)
class Drawn:
    """A farm that has drawn all of its jobs, and whoever watched."""

    farm: Farm
    client: Client
    prometheus: Prometheus
    rows: list[JobRow]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Iterator[Drawn]:
    """Two workers with real models draw them; some jobs fail, and some are canceled."""
    folder = tmp_path_factory.mktemp("prometheus")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("WINEPRESS_HOME", str(model_home))
        options = FarmOptions(state=tmp_path_factory.mktemp("farm"), workers=2, gateway=True)
        farm = stack.enter_context(Farm(options))
        client = stack.enter_context(Client(farm.settings))
        address = farm.urls["gateway"].removeprefix("http://")
        rules = ALERTS.read_text("utf-8")
        prometheus = stack.enter_context(Prometheus(folder, address, rules))
        handles = _submit(client)
        prometheus.wait_until(
            lambda: client.measures.take(1).open == 0 and _is_told(farm, client),
            "the jobs do not end",
            _PATIENCE_S,
        )
        yield Drawn(farm, client, prometheus, [handle.status() for handle in handles])


def _submit(client: Client) -> list[JobHandle]:
    client.farm.pause()
    handles = [client.submit(ZoomVideo(prompt="a valley", seed=5, **_SMALL_ZOOM))]
    for seed in range(_JOBS - 1):
        job = TextToImage(prompt="an apple", seed=seed, n=1 + seed % 2, **_SMALL)
        handles.append(client.submit(job))
    for handle in handles[1 : 1 + _DAMAGED]:
        client.archive.store.put(f"jobs/{handle.id}/job.json", b"{}")
    for handle in handles[-_CANCELED:]:
        handle.cancel()
    client.farm.resume()
    return handles


_SMALL: dict[str, Any] = {"width": 64, "height": 64, "num_inference_steps": 2}
_SMALL_ZOOM = _SMALL | {"key_frames": 3, "overlap": 8, "fps": 10, "seconds_per_key_frame": 0.5}


def _succeeded(farm: Farm) -> dict[str, str]:
    """Ticket → what Flower shows of it in its last column."""
    tasks = ask_flower(farm, "/api/tasks?state=SUCCESS&limit=20000")
    return {name: str(task["result"]) for name, task in tasks.items()}


def _is_told(farm: Farm, client: Client) -> bool:
    """Whether every ticket has ended, for Flower and for us."""
    tickets = client.measures.take(1).counts.total("tickets CPU")
    unended = ask_flower(farm, "/api/tasks?limit=20000").values()
    return len(_succeeded(farm)) == tickets and all(one["state"] == "SUCCESS" for one in unended)


def _flower_events(farm: Farm) -> float:
    """Tickets that succeeded, by Flower's own metrics."""
    with PAGES.open(f"{farm.urls['flower']}/metrics") as page:
        families = text_string_to_metric_families(page.read().decode())
    samples = (one for family in families for one in family.samples)
    wanted = ("flower_events_total", "task-succeeded")
    return sum(one.value for one in samples if (one.name, one.labels.get("type")) == wanted)


def _in_store(client: Client) -> int:
    return sum("/out/" in found.key for found in client.archive.store.list("jobs/"))


def _now(prometheus: Prometheus, query: str, expected: float) -> None:
    """Prometheus may be half a second behind."""
    what = f"{query} is {prometheus.query(query)}, not {expected}"
    prometheus.wait_until(lambda: prometheus.query(query) == [expected], what)


def test_ledger_metrics_flower_and_store_agree(drawn: Drawn) -> None:
    """On jobs by state, pictures drawn and given up, attempts, and tickets."""
    states = Counter(row.state.value for row in drawn.rows)
    assert states == {
        "succeeded": _JOBS - _DAMAGED - _CANCELED,
        "failed": _DAMAGED,
        "canceled": _CANCELED,
    }
    done, failed = (sum(getattr(row, name) for row in drawn.rows) for name in ("done", "failed"))
    assert _in_store(drawn.client) == done
    for state, count in states.items():
        _now(drawn.prometheus, f'winepress_jobs_ended_total{{state="{state}"}}', count)
        _now(drawn.prometheus, f'winepress_jobs{{state="{state}"}}', count)
    _now(drawn.prometheus, "sum(winepress_jobs_accepted_total)", _JOBS)
    accepted = sum(row.units for row in drawn.rows)
    _now(drawn.prometheus, "sum(winepress_pictures_accepted_total)", accepted)
    _now(drawn.prometheus, "sum(winepress_pictures_total)", done)
    _now(drawn.prometheus, "sum(winepress_picture_seconds_count)", done)
    _now(drawn.prometheus, "sum(winepress_pictures_failed_total)", failed)
    _now(drawn.prometheus, "winepress_open_pictures", 0)
    shown = _succeeded(drawn.farm)
    told = [int(found[1]) for text in shown.values() if (found := _PICTURES.search(text))]
    assert sum(told) == done
    _now(drawn.prometheus, "sum(winepress_tickets_total)", len(shown))
    assert _flower_events(drawn.farm) == len(shown)


@pytest.mark.parametrize("title", board_queries())
def test_a_panel_of_the_board_shows_data(drawn: Drawn, title: str) -> None:
    """Each of its queries had a value while the jobs were drawn."""
    queries = (query.replace(WINDOW, "10s") for query in board_queries()[title])
    assert [query for query in queries if not drawn.prometheus.has_shown(query)] == []

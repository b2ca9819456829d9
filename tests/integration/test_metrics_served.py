"""The metrics of a farm over HTTP, from its gateway and from `winepress metrics`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.command_line import Run
from support.local_worker import LocalWorker
from support.manual_worker import LANE, ManualWorker, apple
from support.running_gateway import RunningGateway
from support.servers import free_ports

from winepress import Client
from winepress.gateway.access import Scope
from winepress.gateway.key_store import KeyStore
from winepress.metrics.exporter import Exporter
from winepress.metrics.farm_metrics import FarmMetrics
from winepress_shared.outage_log import OutageFilter
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _values(text: str) -> Values:
    """Name and labels of each series → its value."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def _value(values: Values, name: str, **labels: str) -> float:
    return values[f"winepress_{name}", frozenset(labels.items())]


@contextmanager
def _exporter(client: Client) -> Iterator[Exporter]:
    with Exporter("127.0.0.1", 0, FarmMetrics(client).read) as one:
        thread = threading.Thread(target=one.serve_forever, name="exporter")
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def _get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=60)


def test_a_worker_tells_what_it_loads_and_calls(farm_settings: Settings, client: Client) -> None:
    """Pictures by model, precision and device; loads, warm slices, calls, tickets and memory."""
    worker = LocalWorker(farm_settings, engine="fake")
    ManualWorker(farm_settings).ledger.beat(
        worker.name, "one/1", {"device": "CPU", "lanes": [LANE]}
    )
    for _ in range(3):
        client.submit(apple(width=64, height=64, num_inference_steps=2))
    worker.renderer.run(LANE)
    worker.renderer._messenger.settle()
    with _exporter(client) as exporter:
        values = _values(_get(exporter.url).text)
    model = {"model": "vignette", "precision": "fp16", "device": "CPU"}
    assert _value(values, "pictures_total", **model) == 3
    assert _value(values, "megapixel_steps_total", **model) == pytest.approx(3 * 64 * 64 * 2 / 1e6)
    assert _value(values, "model_loads_total", **model) == 1
    assert _value(values, "model_warm_hits_total", **model) == 2
    assert _value(values, "calls_total", **model) <= _value(values, "call_pictures_total", **model)
    assert _value(values, "tickets_total", device="CPU") == 1
    assert _value(values, "worker_resident_bytes", worker="one", device="CPU") > 2**20
    assert _value(values, "worker_model_bytes", worker="one", device="CPU") > 0


def test_the_exporter_has_one_page_in_both_formats(client: Client) -> None:
    """Any other address says where the metrics are."""
    with _exporter(client) as exporter:
        assert _get(exporter.url).headers["content-type"].startswith("text/plain; version=0.0.4")
        told = _get(exporter.url, Accept="application/openmetrics-text; version=1.0.0")
        assert told.text.endswith("# EOF\n")
        lost = _get(exporter.url + "x")
        assert (lost.status_code, "the metrics are at /metrics" in lost.text) == (404, True)


def test_a_broker_that_does_not_answer_is_told_and_nothing_else(
    farm_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Prometheus gets an answer: without one it could not tell the broker's fault from ours."""
    caplog.handler.addFilter(OutageFilter())
    (port,) = free_ports(1)
    away = type(farm_settings.broker_url)(f"redis://127.0.0.1:{port}/0")
    with (
        Client(farm_settings.model_copy(update={"broker_url": away})) as lonely,
        _exporter(lonely) as exporter,
    ):
        _get(exporter.url)
        values = _values(_get(exporter.url).text)
    assert _value(values, "up") == 0
    assert caplog.text.count("no metrics of the farm") == 1  # and not at every scrape
    assert {name for name, _ in values} == {"winepress_up", "winepress_build_info"}


def test_the_command_prints_metrics_once(run: Run, client: Client) -> None:
    """For a reader, and for whoever checks what an alert would see."""
    client.submit(apple())
    done = run("metrics", "--once")
    assert done.returncode == 0
    assert _value(_values(done.stdout), "lane_waiting_pictures", lane=LANE) == 1


def test_the_command_refuses_what_is_no_port_and_what_is_taken(run: Run, client: Client) -> None:
    """With what to do, and no traceback."""
    assert "1 to 65535" in run("metrics", "--port", "70000").stderr
    with _exporter(client) as exporter:
        taken = run("metrics", "--port", str(exporter.server_address[1]))
    assert (taken.returncode, "cannot listen here" in taken.stderr) == (2, True)


def test_the_command_says_when_the_broker_is_away(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a reader a single zero would say too little."""
    (port,) = free_ports(1)
    monkeypatch.setenv("WINEPRESS_BROKER_URL", f"redis://127.0.0.1:{port}/0")
    done = run("metrics", "--once")
    assert (done.returncode, done.stdout) == (3, "")


def test_the_gateway_tells_of_the_farm_and_of_its_requests(farm_settings: Settings) -> None:
    """Each by dialect, method and status; unknown methods are one."""
    with RunningGateway(farm_settings) as gateway:
        gateway.submit()
        gateway.http.get("/v1/jobs/nope")
        gateway.http.get("/sdapi/v1/samplers")
        gateway.http.request("BREW", "/v1/jobs")
        values = _values(gateway.http.get("/metrics").text)
    asked = {
        tuple(dict(labels)[name] for name in ("dialect", "method", "status")): total
        for (name, labels), total in values.items()
        if name == "winepress_gateway_requests_total"
    }
    assert asked == {
        ("native", "POST", "202"): 1,
        ("native", "GET", "404"): 1,
        ("a1111", "GET", "200"): 1,
        ("native", "other", "405"): 1,
    }
    assert _value(values, "gateway_request_seconds_count", dialect="native") == 3
    assert _value(values, "gateway_requests_in_hand") == 1
    assert _value(values, "lane_waiting_pictures", lane=LANE) == 1


def test_a_key_sees_metrics_if_it_may_see_every_job(farm_settings: Settings) -> None:
    """Like all that shows the whole farm."""
    keys = KeyStore(open_store(farm_settings))
    settings = farm_settings.model_copy(update={"require_keys": True})
    with RunningGateway(settings) as gateway:
        statuses = []
        for scopes in ({Scope.SUBMIT, Scope.READ_OWN}, {Scope.READ_ALL}):
            _, token = keys.create("ann", scopes=frozenset(scopes))
            statuses.append(
                gateway.http.get("/metrics", headers={"X-API-Key": str(token)}).status_code
            )
    assert statuses == [403, 200]

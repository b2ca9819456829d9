"""Traces of jobs, as a collector gets them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from support.command_line import environment
from support.json_records import records
from support.local_worker import LocalWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway
from support.span_collector import Collected, SpanCollector
from support.webhook_receiver import WebhookReceiver

from winepress import AsyncClient, Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.settings import Settings
from winepress_shared.trace_context import TraceContext

LANE = "vignette.fp16"
PROMPT = "a most secret apple"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanCollector]:
    """Gets what this process and its children send."""
    with SpanCollector() as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        yield one


@pytest.fixture
def traced(farm_settings: Settings) -> Settings:
    """The settings of a farm with traces."""
    return farm_settings.model_copy(update={"traces": "otlp"})


def apple(prompt: str = PROMPT) -> TextToImage:
    """A small picture."""
    return TextToImage(prompt=prompt, width=64, height=64, num_inference_steps=2, seed=5)


def carried(settings: Settings, job_id: str) -> str | None:
    """What the ledger carries with a job for others."""
    with Client(settings) as client:
        (row,) = client.ledger._server.hashes([f"{settings.farm}:job:{job_id}"])
    return row.get("traceparent")


def test_one_trace_leads_from_the_submission_to_the_store(
    traced: Settings, collector: SpanCollector
) -> None:
    """Two processes make it that know of each other only by the job; no span has the prompt."""
    worker = LocalWorker(traced)
    with Client(traced) as client:
        job = client.submit(apple())
        worker.renderer.run(LANE)
        worker.renderer.close()
    names = ["send", "wait", "process", "receive", "prepare", "load", "render"]
    names += ["generate_content", "denoise", "decode", "encode", "store"]
    spans = {name: collector.one(name) for name in names}
    assert {one.trace for one in spans.values()} == {spans["send"].trace}
    below = {name: _name_of(one.parent, spans) for name, one in spans.items()}
    assert below == {
        "send": "",
        **dict.fromkeys(("wait", "process"), "send"),
        **dict.fromkeys(("receive", "prepare", "load", "render", "encode", "store"), "process"),
        "generate_content": "render",
        **dict.fromkeys(("denoise", "decode"), "generate_content"),
    }
    assert (spans["send"].kind, spans["process"].kind) == ("PRODUCER", "CONSUMER")
    assert spans["process"].links == ((spans["send"].trace, spans["send"].id),)
    for name, operation in (("send", "send"), ("receive", "receive"), ("process", "process")):
        assert spans[name].name == f"{operation} {LANE}"
        assert spans[name].facts["messaging.operation.type"] == operation
        assert spans[name].facts["messaging.message.id"] == job.id
    told = spans["generate_content"].facts
    assert (told["gen_ai.request.model"], told["gen_ai.output.type"]) == ("vignette", "image")
    assert (told["gen_ai.request.seed"], told["gen_ai.request.choice.count"]) == (5, 1)
    assert spans["store"].ended_ns <= spans["process"].ended_ns
    assert not [body for body in collector.bodies if b"secret" in body]


def _name_of(span: str, spans: dict[str, Collected]) -> str:
    return next((name for name, one in spans.items() if one.id == span), "")


def test_a_retry_is_a_further_span_of_the_same_trace(
    traced: Settings, collector: SpanCollector, tmp_path: Path
) -> None:
    """The attempt that failed says by what."""
    worker = LocalWorker(traced, engine=f"fake:scratch={tmp_path}")
    with Client(traced) as client:
        job = client.submit(apple(f"{PROMPT} [[retry!]]"))

        def is_drawn() -> bool:
            client.ledger.sweep()  # as the parent of a worker does
            worker.renderer.run(LANE)
            return job.status().state == "succeeded"

        wait_until(is_drawn)
        worker.renderer.close()
    first, second = collector.named("process", 2)
    assert {first.trace, second.trace} == {collector.one("send").trace}
    assert (first.status, first.facts["error.type"]) == ("ERROR", "RetryElsewhere")
    assert (second.status, second.facts["winepress.attempt"]) == ("UNSET", 2)
    assert [one.status for one in collector.named("generate_content", 2)] == ["ERROR", "UNSET"]
    assert len(collector.named("wait")) == 1


def test_a_farm_goes_on_with_the_trace_of_a_request(
    collector: SpanCollector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Gateway, worker and deliverer are processes of their own; the receiver is told as well.

    Their logs, where they are of JSON, name the same trace.
    """
    monkeypatch.setenv("WINEPRESS_TRACES", "otlp")
    monkeypatch.setenv("WINEPRESS_LOG_FORMAT", "json")
    monkeypatch.setenv("WINEPRESS_WEBHOOK_ALLOW", "127.0.0.1")
    options = FarmOptions(state=tmp_path, engine="fake", flower=False, gateway=True)
    with WebhookReceiver() as receiver, Farm(options) as farm:
        job = {"prompt": PROMPT, "width": 64, "height": 64, "webhook": receiver.url}
        address = f"{farm.urls['gateway']}/v1/jobs"
        answer = httpx.post(address, json=job, headers={"traceparent": GIVEN}, timeout=60)
        assert answer.status_code == 202, answer.text
        wait_until(lambda: bool(receiver.messages))
        # A busy machine may need a second attempt.
        spans = [collector.named(name)[0] for name in ("send", "process", "store", "POST")]
        logs = [farm.state.log(one.name) for one in (*farm.workers, farm.services["webhooks"])]
        assert records(farm.state.log("gateway"))
    assert [one.service for one in spans] == [
        "winepress-gateway",
        "winepress-worker",
        "winepress-worker",
        "winepress-webhooks",
    ]
    assert {one.trace for one in spans} == {TRACE}
    assert spans[0].parent == SPAN
    told = TraceContext.parse(receiver.messages[0].headers["traceparent"])
    assert told is not None
    assert (told.trace_id, told.span_id) == (TRACE, spans[3].id)
    assert spans[3].facts["http.response.status_code"] == 204
    for said in map(records, logs):
        assert TRACE in [one.get("trace_id") for one in said if "job" in one]


@pytest.mark.parametrize(
    "headers", [[("traceparent", "00-forged\x7f")], [("traceparent", GIVEN)] * 2]
)
def test_a_header_that_is_no_context_is_passed_over(
    farm_settings: Settings, headers: list[tuple[str, str]]
) -> None:
    """The job is accepted, and belongs to no trace."""
    with RunningGateway(farm_settings) as gateway:
        answer = gateway.http.post("/v1/jobs", json={"prompt": PROMPT}, headers=headers)
    assert answer.status_code == 202, answer.text
    assert carried(farm_settings, answer.json()["id"]) is None


def test_a_gateway_without_traces_hands_the_context_on(farm_settings: Settings) -> None:
    """For workers that make spans."""
    with RunningGateway(farm_settings) as gateway:
        answer = gateway.http.post(
            "/v1/jobs", json={"prompt": PROMPT}, headers={"traceparent": GIVEN}
        )
    assert carried(farm_settings, answer.json()["id"]) == GIVEN


def test_a_job_belongs_to_the_span_of_the_program_that_submits_it(client: Client) -> None:
    """Without any setting, if the program uses OpenTelemetry itself."""
    context = TraceContext.parse(GIVEN)
    assert context is not None
    span = trace.NonRecordingSpan(
        trace.SpanContext(
            int(context.trace_id, 16), int(context.span_id, 16), False, trace.TraceFlags(1)
        )
    )

    async def submit() -> str:
        async with AsyncClient(client.settings) as mine:
            return (await mine.submit(apple())).id

    with trace.use_span(span):
        ids = [client.submit(apple()).id, asyncio.run(submit())]
    assert [carried(client.settings, one) for one in ids] == [GIVEN, GIVEN]
    assert carried(client.settings, client.submit(apple()).id) is None


_UNTRACED = """
import sys
sys.modules["opentelemetry"] = None  # not installed: redis would import it if it were
from support.local_worker import LocalWorker
from winepress import Client, TextToImage

with Client.from_env() as client:
    job = client.submit(TextToImage(prompt="x", width=64, height=64, seed=1))
    worker = LocalWorker(client.settings)
    worker.renderer.run("vignette.fp16")
    assert job.status().state == "succeeded"
    assert "winepress_shared.open_telemetry" not in sys.modules
"""


def test_nothing_of_it_is_imported_where_nobody_asks_for_traces(farm_settings: Settings) -> None:
    """Neither by a producer nor by what draws, which both work without the package."""
    done = subprocess.run(
        [sys.executable, "-c", _UNTRACED],
        env=environment(farm_settings) | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")

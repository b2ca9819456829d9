"""Spans as OpenTelemetry makes them; what a collector gets is in the integration ring."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from winepress_shared.errors import RetryElsewhere, WrongUsage, YieldRequested
from winepress_shared.ledger.records import Slice
from winepress_shared.log_context import ids_now
from winepress_shared.open_telemetry import OpenTelemetryTracer
from winepress_shared.settings import Settings
from winepress_shared.tracers import open_tracer
from winepress_shared.tracing import Kind, Tracer
from winepress_worker.renderer.slice_traces import SliceTraces

ONE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TWO = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"


class Kept(SpanExporter):
    """Keeps spans; while `blocked` is set, it takes none and does not answer."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.free = threading.Event()
        self.free.set()
        self.asked = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        self.free.wait()
        self.spans += spans
        return SpanExportResult.SUCCESS


def slice_of(fence: int, job: str, traceparent: str) -> Slice:
    """A slice of one unit."""
    return Slice(fence, job, (0,), False, 0, 0, 0, traceparent=traceparent, lane="v.fp16")


def test_what_is_drawn_for_two_jobs_at_once_is_a_span_of_each_trace() -> None:
    """Each has a link to the other, as the conventions ask for work on a batch."""
    exporter = Kept()
    tracer = OpenTelemetryTracer("test", exporter)
    traces = SliceTraces(tracer, "ada")
    slices = traces.claimed(lambda: [slice_of(1, "a", ONE), slice_of(2, "b", TWO)])
    with traces.within(slices), traces.span("render"):
        assert ids_now()["jobs"] == ["a", "b"]
        assert "trace_id" not in ids_now()
    traces.end(slices)
    tracer.close()
    made = defaultdict[str, list[ReadableSpan]](list)
    for one in exporter.spans:
        made[one.name].append(one)
    assert [trace_of(one) for one in made["render"]] == [ONE[3:35], TWO[3:35]]
    linked = [link.context.span_id for one in made["render"] for link in one.links]
    assert sorted(linked) == sorted(one.context.span_id for one in made["process v.fp16"])


def trace_of(span: ReadableSpan) -> str:
    """The id of its trace, in hexadecimal."""
    return format(span.context.trace_id, "032x")


def test_a_slice_without_a_trace_gets_no_spans() -> None:
    """Its submitter asked for none."""
    exporter = Kept()
    tracer = OpenTelemetryTracer("test", exporter)
    traces = SliceTraces(tracer)
    slices = traces.claimed(lambda: [slice_of(1, "a", ""), slice_of(2, "b", "00-forged-01")])
    with traces.within(slices[:1]), traces.span("render"):
        pass
    traces.end(slices)
    tracer.close()
    assert exporter.spans == []


def test_a_failed_attempt_is_told_by_its_class_and_a_pause_is_no_failure() -> None:
    """What an error says may repeat a prompt."""
    exporter = Kept()
    tracer = OpenTelemetryTracer("test", exporter)
    for error in (RetryElsewhere("a secret apple"), YieldRequested("paused")):
        with pytest.raises(type(error)), tracer.within([ONE]), tracer.span("render"):
            raise error
    tracer.close()
    failed, stopped = exporter.spans
    assert (failed.status.is_ok, failed.status.description) == (False, "RetryElsewhere")
    assert dict(failed.attributes or {}) == {"error.type": "RetryElsewhere"}
    assert (stopped.status.is_unset, stopped.events, failed.events) == (True, (), ())


def test_logs_name_the_span_in_which_they_are_written() -> None:
    """And no span afterwards."""
    tracer = OpenTelemetryTracer("test", Kept())
    with tracer.within([ONE]), tracer.span("render"):
        assert ids_now()["trace_id"] == ONE[3:35]
        assert ids_now()["span_id"] != ONE[36:52]
    assert dict(ids_now()) == {}
    tracer.close()


def test_logs_name_the_trace_of_a_job_also_where_no_spans_are_made() -> None:
    """So they are found by the id that the submitter has."""
    with Tracer().within([ONE]):
        assert dict(ids_now()) == {"trace_id": ONE[3:35]}


def test_a_collector_that_does_not_answer_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a picture, whose spans are lost when too many wait, nor the end of the process."""
    monkeypatch.setattr("winepress_shared.open_telemetry._CLOSE_S", 0.01)
    exporter = Kept()
    exporter.free.clear()
    tracer = OpenTelemetryTracer("test", exporter)
    try:
        for _ in range(5000):
            tracer.begin("send", Kind.PRODUCER, ONE).end()
        assert exporter.asked.wait(60)
        tracer.close()
        assert exporter.spans == []
    finally:
        exporter.free.set()


def test_traces_without_their_package_are_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And without the setting nobody looks for it."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    assert not open_tracer(Settings(), "test").is_on
    with pytest.raises(WrongUsage, match=r"pip install 'winepress\[otel\]'"):
        open_tracer(Settings(traces="otlp"), "test")


def test_variables_that_cannot_be_used_are_told_and_keep_no_worker_from_drawing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that serves ends at once; a renderer goes on without traces."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    with pytest.raises(WrongUsage, match="max_queue_size"):
        open_tracer(Settings(traces="otlp"), "test")
    assert not SliceTraces.of(Settings(traces="otlp"), "ada").tracer.is_on
    assert "no traces" in caplog.text


@pytest.mark.parametrize("name", ["", "_TRACES"])
def test_an_address_of_a_collector_without_a_scheme_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every span would be lost, as if the collector were away."""
    variable = f"OTEL_EXPORTER_OTLP{name}_ENDPOINT"
    monkeypatch.setenv(variable, "127.0.0.1:4318")
    with pytest.raises(WrongUsage) as caught:
        open_tracer(Settings(traces="otlp"), "test")
    assert str(caught.value) == (
        f"{variable}: not the address of a collector (got '127.0.0.1:4318'); "
        "allowed: an address that begins with http:// or https://"
    )
    monkeypatch.setenv(variable, "me:hunter2@host:4318")
    with pytest.raises(WrongUsage) as caught:
        open_tracer(Settings(traces="otlp"), "test")
    assert "hunter2" not in str(caught.value)

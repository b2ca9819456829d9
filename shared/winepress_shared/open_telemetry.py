"""Traces by OpenTelemetry; no other module imports it.

Names and attributes follow the semantic conventions 1.44 for messaging, and those of
semantic-conventions-genai for models; both are in development. What a prompt says is on no span:
the conventions leave that to each application, and it may be anybody's.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from winepress_shared import __version__
from winepress_shared.errors import Stopped
from winepress_shared.log_context import log_ids
from winepress_shared.trace_context import TraceContext
from winepress_shared.tracing import Attributes, Kind, Span, Tracer, text_of

log = logging.getLogger(__name__)

_CLOSE_S = 2.0  #: most time that the end of a process waits for its last spans
_WHY = "the collector that OTEL_EXPORTER_OTLP_ENDPOINT names does not take them"
_UNKNOWN = "unknown_service"  #: how a service is called that the environment does not name
_parents: ContextVar[tuple[SpanContext, ...]] = ContextVar("parents", default=())


class OpenTelemetryTracer(Tracer):
    """Makes spans, and sends them in the background by the variables ``OTEL_…``.

    A program that has a provider of spans keeps it: ours go where its own go. Otherwise they go to
    a collector by OTLP over HTTP.
    """

    is_on = True

    def __init__(self, service: str, exporter: SpanExporter | None = None) -> None:
        """``exporter`` takes the place of OTLP over HTTP."""
        self._processor: BatchSpanProcessor | None = None
        provider = trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):  # the program has set none
            self._processor = BatchSpanProcessor(_Outspoken(exporter or OTLPSpanExporter()))
            provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
            provider.add_span_processor(self._processor)
            atexit.register(self.close)
        self._tracer = provider.get_tracer("winepress", __version__)

    def current(self) -> str:
        """The span of the program that submits, or the request that is being served."""
        own = text_of(trace.get_current_span().get_span_context())
        return own or super().current()

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: str,
        attributes: Attributes | None = None,
        *,
        at_ns: int | None = None,
    ) -> Span:
        """Begin a span below ``parent``; without one it begins a trace."""
        context = _context_of(parent)
        links = [trace.Link(context)] if context and kind is Kind.CONSUMER else []
        return _Recorded(self._start(name, kind, context, attributes, links, at_ns))

    def _start(
        self,
        name: str,
        kind: Kind,
        parent: SpanContext | None,
        attributes: Attributes | None,
        links: Sequence[trace.Link],
        at_ns: int | None = None,
    ) -> trace.Span:
        below = trace.NonRecordingSpan(parent) if parent else trace.INVALID_SPAN
        return self._tracer.start_span(
            name,
            trace.set_span_in_context(below),
            SpanKind[kind.name],
            attributes,
            links,
            at_ns,
            record_exception=False,
        )

    @contextmanager
    def within(self, parents: Iterable[str]) -> Iterator[None]:
        """See `Tracer.within`; what is no context is passed over."""
        found = (_context_of(one) for one in dict.fromkeys(parents))
        with _below([one for one in found if one]):
            yield

    @contextmanager
    def span(
        self, name: str, attributes: Attributes | None = None, kind: Kind = Kind.INTERNAL
    ) -> Iterator[None]:
        """See `Tracer.span`; what is done for several traces has links to the others."""
        parents = _parents.get()
        made = [
            _Recorded(
                self._start(
                    name, kind, one, attributes, [trace.Link(two) for two in parents if two != one]
                )
            )
            for one in parents
        ]
        try:
            with _below([one.context for one in made]):
                yield
        except BaseException as error:
            for each in made:
                each.fail(error)
            raise
        finally:
            for each in made:
                each.end()

    def past(self, name: str, began_ns: int, ended_ns: int) -> None:
        """See `Tracer.past`."""
        for parent in _parents.get():
            self._start(name, Kind.INTERNAL, parent, None, (), began_ns).end(ended_ns)

    def close(self) -> None:
        """Deliver the last spans; those that take longer than a moment are lost."""
        processor, self._processor = self._processor, None
        if processor is None:
            return
        atexit.unregister(self.close)
        # Its own limit is half a minute; a collector that is away must not hold a worker for that.
        closing = threading.Thread(target=processor.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            log.warning("the last spans of traces are lost: %s", _WHY)


class _Recorded(Span):
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self.context = span.get_span_context()
        super().__init__(text_of(self.context))
        self._span = span

    def put(self, attributes: Attributes) -> None:
        """See `Span.put`."""
        self._span.set_attributes(attributes)

    def fail(self, error: BaseException | str) -> None:
        """Its class alone: what an error says may repeat a prompt."""
        name = error if isinstance(error, str) else type(error).__name__
        if isinstance(error, Stopped | GeneratorExit):  # told to stop, which is no fault
            self._span.set_attribute("winepress.stopped", name)
            return
        self._span.set_attribute("error.type", name)
        self._span.set_status(Status(StatusCode.ERROR, name))

    def end(self, at_ns: int | None = None) -> None:
        """See `Span.end`."""
        self._span.end(at_ns)


class _Outspoken(SpanExporter):
    """An exporter that says once that spans are lost, and once that they arrive again."""

    def __init__(self, inner: SpanExporter) -> None:
        # It would say it for each batch.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        self._inner = inner
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; blocks the thread of the processor alone."""
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                log.warning("traces are lost: %s", _WHY)
            self._lost += len(spans)
        elif self._lost:
            log.warning("traces are delivered again; %d spans were lost", self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        """End, and give up the batch on its way."""
        self._inner.shutdown()


@contextmanager
def _below(parents: Sequence[SpanContext]) -> Iterator[None]:
    """What is done meanwhile is done below these spans; what is logged names one, not several."""
    token = _parents.set(tuple(parents))
    ids = {}
    if len(parents) == 1:
        ids = {"trace_id": format(parents[0].trace_id, "032x")}
        ids |= {"span_id": format(parents[0].span_id, "016x")}
    try:
        with log_ids(ids):
            yield
    finally:
        _parents.reset(token)


def _resource(service: str) -> Resource:
    named = Resource.create({SERVICE_VERSION: __version__})
    if str(named.attributes[SERVICE_NAME]).startswith(_UNKNOWN):
        named = named.merge(Resource({SERVICE_NAME: service}))
    return named


def _context_of(traceparent: str) -> SpanContext | None:
    found = TraceContext.parse(traceparent)
    if found is None:
        return None
    ids: dict[str, Any] = {
        "trace_id": int(found.trace_id, 16),
        "span_id": int(found.span_id, 16),
    }
    return SpanContext(**ids, is_remote=True, trace_flags=TraceFlags(found.flags))

"""Spans of traces, for a process that makes some and for one that makes none.

Only `open_telemetry` knows what makes them; `tracers` imports it where a setting asks for traces.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Any

from winepress_shared.log_context import log_ids
from winepress_shared.trace_context import TraceContext, asking

Attributes = Mapping[str, str | int | float | bool]


class Kind(StrEnum):
    """What a span is to its neighbours; the names of OpenTelemetry's SpanKind."""

    INTERNAL = "INTERNAL"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Span:
    """A span that nobody sees: it hands on the context in which it began."""

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent  #: what its children are told; empty: they have no trace

    def put(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, error: BaseException | str) -> None:
        """Say that it failed, and by what class of error."""

    def end(self, at_ns: int | None = None) -> None:
        """End it, now or at Unix time ``at_ns``."""


class Tracer:
    """Makes no spans, and hands on the contexts that others give."""

    is_on = False

    def current(self) -> str:
        """The context of what this program does now: of a request, or of a span of its own.

        A program that does not use OpenTelemetry has not imported it, and has no span.
        """
        asked = asking()
        if asked is not None:
            return str(asked)
        span_of = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
        return "" if span_of is None else text_of(span_of().get_span_context())

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: str,
        attributes: Attributes | None = None,
        *,
        at_ns: int | None = None,
    ) -> Span:
        """Begin a span below ``parent``, now or at Unix time ``at_ns``; its maker ends it."""
        return Span(parent)

    def within(self, parents: Iterable[str]) -> AbstractContextManager[None]:
        """What `span` makes meanwhile is made once below each of ``parents``.

        What is logged meanwhile names the trace, if it is one.
        """
        return naming_trace(parents)

    def span(
        self, name: str, attributes: Attributes | None = None, kind: Kind = Kind.INTERNAL
    ) -> AbstractContextManager[None]:
        """A step of the work of every trace that it is done for; an error ends it as failed."""
        return nullcontext()

    def past(self, name: str, began_ns: int, ended_ns: int) -> None:
        """A step of the present span that is over; times are Unix times."""

    def close(self) -> None:
        """Deliver what is not delivered yet, for at most a moment."""


def naming_trace(parents: Iterable[str]) -> AbstractContextManager[None]:
    """What is logged meanwhile names the trace of these contexts, if it is one."""
    known = {one.trace_id for text in parents if (one := TraceContext.parse(text))}
    return log_ids({"trace_id": known.pop()}) if len(known) == 1 else nullcontext()


def text_of(context: Any) -> str:
    """The ``traceparent`` of OpenTelemetry's SpanContext; empty if it is not valid."""
    if not context.is_valid:
        return ""
    ids = (format(context.trace_id, "032x"), format(context.span_id, "016x"))
    return str(TraceContext(*ids, context.trace_flags))

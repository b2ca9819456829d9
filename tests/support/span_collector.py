"""A collector of spans on this machine: OTLP over HTTP, decoded by OpenTelemetry's own schema."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from support.running_farm import wait_until


@dataclass(frozen=True)
class Collected:
    """One span as it arrived."""

    service: str
    trace: str
    id: str
    parent: str
    name: str
    kind: str  #: such as PRODUCER
    facts: dict[str, Any]
    status: str  #: OK, ERROR or UNSET
    links: tuple[tuple[str, str], ...]  #: trace and span of each
    began_ns: int
    ended_ns: int

    @classmethod
    def of(cls, service: str, sent: Sent) -> Self:
        """Read one."""
        return cls(
            service,
            sent.trace_id.hex(),
            sent.span_id.hex(),
            sent.parent_span_id.hex(),
            sent.name,
            Sent.SpanKind.Name(sent.kind).removeprefix("SPAN_KIND_"),
            _facts(sent.attributes),
            {0: "UNSET", 1: "OK", 2: "ERROR"}[sent.status.code],
            tuple((one.trace_id.hex(), one.span_id.hex()) for one in sent.links),
            sent.start_time_unix_nano,
            sent.end_time_unix_nano,
        )


class SpanCollector:
    """Listens while its ``with`` block runs."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.bodies: list[bytes] = []
        collector = self

        class Requests(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector._take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self._server.daemon_threads = True

    @property
    def environment(self) -> dict[str, str]:
        """What sends spans here, and soon."""
        port = self._server.server_address[1]
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes) -> None:
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = str(_facts(resource.resource.attributes)["service.name"])
            for scope in resource.scope_spans:
                self.spans += [Collected.of(service, one) for one in scope.spans]

    def named(self, name: str, count: int = 1) -> list[Collected]:
        """The spans of a name or of its first word, oldest first, once there are so many."""
        wait_until(lambda: len(self._named(name)) >= count)
        return self._named(name)

    def one(self, name: str) -> Collected:
        """The only one."""
        (found,) = self.named(name)
        return found

    def _named(self, name: str) -> list[Collected]:
        found = [one for one in self.spans if name in (one.name, one.name.partition(" ")[0])]
        return sorted(found, key=lambda one: one.began_ns)


def _facts(attributes: Iterable[Any]) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}

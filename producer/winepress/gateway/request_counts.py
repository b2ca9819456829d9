"""Counts the requests of one gateway process, for metrics."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from winepress.metrics.samples import Buckets, Samples

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
_UNANSWERED = "none"  #: status of a request whose client went away first


class RequestCounts:
    """What was asked in which dialect, and how it was answered; belongs to the event loop."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[str, Counter[str]] = {}
        self.in_hand = 0  #: requests being answered

    def count(self, dialect: str, method: str, status: str, seconds: float) -> None:
        """Count a request whose answer began after so many seconds."""
        self._answers[dialect, method if method in _METHODS else "other", status] += 1
        place = bisect_left(_BOUNDS_S, seconds)
        bucket = f"{_BOUNDS_S[place]:g}" if place < len(_BOUNDS_S) else "inf"
        mine = self._seconds.setdefault(dialect, Counter())
        mine[bucket] += 1
        mine["sum"] += seconds  # type: ignore[assignment]

    def samples(self) -> Samples:
        """The metrics of this gateway alone."""
        samples = Samples()
        for labels, total in self._answers.items():
            samples.add("gateway_requests", total, *labels)
        for dialect, seconds in self._seconds.items():
            buckets = Buckets.of(_BOUNDS_S, seconds)
            samples.add_buckets("gateway_request_seconds", buckets, dialect)
        samples.add("gateway_requests_in_hand", self.in_hand)
        return samples


class CountedRequests:
    """Counts every request, whichever route it is for and whoever refuses it."""

    def __init__(
        self, app: ASGIApp, counts: RequestCounts, dialect_of: Callable[[str], str]
    ) -> None:
        """``dialect_of`` names the dialect that owns a path."""
        self._app = app
        self._counts = counts
        self._dialect_of = dialect_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, answered = time.perf_counter(), _UNANSWERED, 0.0

        async def noted(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = str(message["status"]), time.perf_counter()
            await send(message)

        self._counts.in_hand += 1
        try:
            await self._app(scope, receive, noted)
        except Exception:
            status = status if answered else "500"  # which is what the client is told then
            raise
        finally:
            self._counts.in_hand -= 1
            seconds = (answered or time.perf_counter()) - began
            self._counts.count(self._dialect_of(scope["path"]), scope["method"], status, seconds)

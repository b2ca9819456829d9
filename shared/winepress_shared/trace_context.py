"""The context of a trace as it travels: ``traceparent`` of W3C Trace Context.

https://www.w3.org/TR/trace-context-2/#traceparent-header
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADER = "traceparent"
_FORM = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?",
    re.ASCII,
)
_KNOWN_FLAGS = 0b11  #: sampled, and that the trace id is random
_asked: ContextVar[TraceContext | None] = ContextVar("asked", default=None)


@dataclass(frozen=True)
class TraceContext:
    """The place of one span: its trace, itself, and whether it is recorded."""

    trace_id: str
    span_id: str
    flags: int

    @classmethod
    def parse(cls, text: str) -> TraceContext | None:
        """Read a ``traceparent``; None for anything else, which starts no trace and ends none."""
        found = _FORM.fullmatch(text)
        if found is None or (found["version"] == "00" and found["rest"]):
            return None
        return cls(found["trace"], found["span"], int(found["flags"], 16) & _KNOWN_FLAGS)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


@contextmanager
def asked_from(text: str) -> Iterator[None]:
    """What is done meanwhile was asked for by a request with this ``traceparent``, if it is one."""
    token = _asked.set(TraceContext.parse(text))
    try:
        yield
    finally:
        _asked.reset(token)


def asking() -> TraceContext | None:
    """The context of the request that is being served; None: there is none."""
    return _asked.get()

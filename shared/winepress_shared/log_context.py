"""The ids that the lines of a JSON log have: of the job, the slice, the trace worked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_ids: ContextVar[Mapping[str, object]] = ContextVar("ids", default=MappingProxyType({}))


def ids_now() -> Mapping[str, object]:
    """The ids of what this thread, or this task of an event loop, does now."""
    return _ids.get()


@contextmanager
def log_ids(ids: Mapping[str, object]) -> Iterator[None]:
    """What is logged meanwhile has these ids too."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)

"""What the client of event loops promises beside the blocking one."""

from __future__ import annotations

import inspect

import pytest

from winepress import AsyncClient, AsyncJobHandle, Client, JobHandle


def promised(kind: type) -> dict[str, object]:
    """Public methods and properties by name."""
    return {
        name: value.fget if isinstance(value, property) else value
        for name, value in vars(kind).items()
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("blocking", "awaited"), [(Client, AsyncClient), (JobHandle, AsyncJobHandle)]
)
def test_every_method_has_the_same_name_and_the_same_arguments(
    blocking: type, awaited: type
) -> None:
    """Whoever knows one knows the other; a method that is added to one is missed here."""
    methods, others = promised(blocking), promised(awaited)
    assert set(methods) == set(others)
    for name, method in methods.items():
        assert callable(method)
        other = others[name]
        assert callable(other)
        wanted, found = inspect.signature(method), inspect.signature(other)
        assert wanted.parameters == found.parameters, name


@pytest.mark.parametrize("kind", [AsyncClient, AsyncJobHandle])
def test_everything_is_awaited_or_iterated(kind: type) -> None:
    """Nothing that could hold the loop up hides behind a plain call."""
    plain = {
        name
        for name, method in promised(kind).items()
        if not inspect.iscoroutinefunction(method) and not inspect.isasyncgenfunction(method)
    }
    assert plain == ({"events"} if kind is AsyncJobHandle else set())

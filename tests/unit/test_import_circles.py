"""No module needs itself to be imported first, however long the way round."""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages() -> list[str]:
    """The packages whose layers import-linter holds: all four."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names: list[str] = config["tool"]["importlinter"]["root_packages"]
    return names


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """The modules of each circle of imports: those that need each other, directly or not."""
    found = {
        tuple(sorted({module, *around}))
        for module in graph.modules
        if (around := graph.find_upstream_modules(module) & graph.find_downstream_modules(module))
        or graph.direct_import_exists(importer=module, imported=module)
    }
    return [list(circle) for circle in sorted(found)]


def test_no_imports_go_in_a_circle(packages: list[str]) -> None:
    """Late imports and those for types alone count too: what needs each other is one thing."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    assert set(packages) <= graph.modules
    found = circles(graph)
    assert not found, "\n".join(["modules that need each other:", *map(", ".join, found)])


def test_a_circle_is_found_with_every_module_in_it() -> None:
    """The ruler of the test above: long circles and short ones, and who only leads into one not."""
    graph = grimp.ImportGraph()
    for importer, imported in ("ab", "bc", "ca", "de", "ed", "xa", "cy"):
        graph.add_import(importer=importer, imported=imported)
    assert circles(graph) == [["a", "b", "c"], ["d", "e"]]

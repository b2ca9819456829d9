"""How a worker's engine is named, one from outside included."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.errors import EnvironmentFault, WrongUsage
from winepress_worker.engine_name import EngineName
from winepress_worker.engines import open_engine
from winepress_worker.options import WorkerOptions


@pytest.fixture
def stripes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package that registers an engine, and the place of that."""
    package, info = tmp_path / "stripes_pkg.py", tmp_path / "stripes_pkg-1.0.dist-info"
    package.write_text(
        "def make(options, models, blobs):\n    return (options.engine, blobs.name)\n"
    )
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: stripes-pkg\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(
        "[winepress.engines]\nstripes = stripes_pkg:make\ngone = stripes_pkg:nothing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "stripes_pkg:make"


def test_an_engine_of_another_package_has_a_name_of_its_own(stripes: str, tmp_path: Path) -> None:
    """The one its package registers, or the one given with its place."""
    models: Any = None
    for text in ("stripes", f"mine={stripes}"):
        assert EngineName.parse(text).name == text.partition("=")[0]
        opened: Any = open_engine(WorkerOptions("w", engine=text), models, tmp_path)
        assert opened == (text, "blobs")
    with pytest.raises(WrongUsage, match="gone, stripes, NAME=MODULE:FACTORY"):
        EngineName.parse("strips")


@pytest.mark.usefixtures("stripes")
def test_an_engine_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    """Whoever wrote it learns what Python misses."""
    models: Any = None
    with pytest.raises(EnvironmentFault, match=r"the engine gone cannot be imported: .*nothing"):
        open_engine(WorkerOptions("w", engine="gone"), models, tmp_path)


def test_the_program_itself_is_no_place_for_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that draws is another program."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(WrongUsage, match="the module of this engine is not found"):
        EngineName.parse("mine=__main__:Engine")

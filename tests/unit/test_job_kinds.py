"""A kind of job is a class, a renderer and a line in a table; nothing else asks for a kind."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import pytest
from PIL import Image
from support.executor_harness import ExecutorHarness

from winepress_shared.archive import Archive
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import FailForGood
from winepress_shared.jobs.job import Job
from winepress_shared.metadata import PictureFacts
from winepress_shared.stores.folder import FolderStore
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.renderer.call_size import Call
from winepress_worker.renderer.delivery import Drawn
from winepress_worker.renderer.job_renderers import job_renderers
from winepress_worker.renderer.work import SliceWork, UnitWork

ROOT = Path(__file__).parents[2]
#: Where a kind may be told from another: its class, and what handles that kind alone.
DRAWERS = (
    "shared/winepress_shared/jobs/*.py",
    "worker/winepress_worker/renderer/zoom_renderer.py",
    "worker/winepress_worker/zoom/*.py",
    "producer/winepress/recut.py",
)


@pytest.fixture
def swatch() -> Iterator[type[Job]]:
    """A kind of job that no module knows: one colour, painted without a model."""

    class Swatch(Job):
        kind: Literal["swatch"] = "swatch"
        is_picture: ClassVar[bool] = False
        colour: str = "red"

    yield Swatch
    del Job.kinds["swatch"]


class SwatchRenderer:
    """Paints swatches."""

    def prepare(self, work: SliceWork) -> None: ...

    def next_call(self, units: Sequence[UnitWork]) -> Call | None:
        return None

    def draw(self, units: Sequence[UnitWork], call: Call | None) -> Sequence[Drawn]:
        (unit,), job = units, cast("Any", units[0].job)
        image = Image.new("RGB", (job.width, job.height), job.colour)
        facts = PictureFacts("none", "CPU", "none", "none", "none")
        return [Drawn(unit.slice, unit.number, job, image, facts, 0.0)]


def test_a_new_kind_is_drawn_by_the_renderer_that_is_registered_for_it(
    tmp_path: Path, swatch: type[Job]
) -> None:
    """Catalogue, store and executor take it as it comes."""
    catalogue = Catalogue.load()
    model = catalogue.get("vignette").model_copy(update={"kinds": ("swatch",)})
    values: dict[str, Any] = {"prompt": "a colour", "colour": "blue", "n": 3}
    job = catalogue.plus(model).resolve(swatch(**values))
    lone = ExecutorHarness(
        FakeEngine(), Archive(FolderStore(tmp_path)), renderers={swatch: SwatchRenderer()}
    )
    drawn = lone.draw(job, range(3))
    assert [drawn[unit].getpixel((0, 0)) for unit in range(3)] == [(0, 0, 255)] * 3


def test_a_kind_that_no_renderer_is_registered_for_fails_for_good(
    tmp_path: Path, swatch: type[Job]
) -> None:
    """No pause and no other worker of this version would help."""
    lone = ExecutorHarness(FakeEngine(), Archive(FolderStore(tmp_path)))
    values: dict[str, Any] = {"prompt": "a colour", "width": 64, "height": 64}
    lone.write(swatch(**values))
    assert lone.run([0]).faults == {0: FailForGood}


def test_every_kind_has_a_renderer() -> None:
    """The table is complete."""
    anything: Any = None
    table = job_renderers(anything, anything, anything, anything, anything)
    assert set(table) == set(Job.kinds.values())


def test_nothing_outside_its_own_modules_asks_which_kind_a_job_is() -> None:
    """What differs between kinds is asked of the job: a new kind overrides it in its class."""
    strays = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for folder in ("shared", "worker", "producer", "deploy")
        for path in (ROOT / folder).rglob("*.py")
        if not any(path.relative_to(ROOT).match(drawer) for drawer in DRAWERS)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if _asks_for_a_kind(node)
    ]
    assert strays == []


def _asks_for_a_kind(node: ast.AST) -> bool:
    """``isinstance(x, ZoomVideo)``, or ``x.kind`` beside the name of a kind."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
        named = {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
        return bool(named & {kind.__name__ for kind in Job.kinds.values()})
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        names = {each.value for each in sides if isinstance(each, ast.Constant)}
        return bool(names & set(Job.kinds)) and any(
            isinstance(each, ast.Attribute) and each.attr == "kind" for each in sides
        )
    return False

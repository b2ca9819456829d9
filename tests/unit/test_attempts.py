"""What was begun before is drawn apart, and nothing that is in the store is drawn again."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from support.renderer_in_memory import RendererInMemory

from winepress_shared.archive import Archive, output_key
from winepress_shared.errors import WorkerBroken
from winepress_shared.jobs.job import TextToImage
from winepress_shared.ledger.records import Directive
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings


def fox(n: int = 1, marker: str = "", **fields: Any) -> TextToImage:
    return TextToImage(prompt=f"a fox {marker}", seed=1, num_inference_steps=1, n=n, **fields)


@pytest.fixture
def renderer(tmp_path: Path) -> RendererInMemory:
    return RendererInMemory(tmp_path / "store", FakeEngine(FakeSettings(scratch=tmp_path)))


def store_of_w0(renderer: RendererInMemory) -> str:
    """Store a picture of another worker in the place of the job's first; returns its key."""
    key, sha256 = output_key("j", 0, "png"), hashlib.sha256(b"png").hexdigest()
    row = {"key": key, "sha256": sha256, "size": 3, "seed": 1, "width": 64, "height": 64}
    row |= {"device": "CPU", "worker": "w0", "render_s": 0.5}
    renderer.archive.write_output(key, b"png", row)
    return key


def rows_of(renderer: RendererInMemory) -> dict[int, dict[str, Any]]:
    """Unit → what ``result.json`` says of it."""
    result = json.loads(renderer.archive.store.get("jobs/j/result.json"))
    return {row["unit"]: row for row in result["outputs"]}


def test_a_picture_that_an_earlier_attempt_stored_is_counted_as_it_is(
    renderer: RendererInMemory,
) -> None:
    """Its worker died before it could count it; nobody draws it again, for that may fail."""
    renderer.submit(fox(1, "[[fail]]"))
    lost = renderer.claim()
    renderer.ledger.start(lost.fence, 0)
    key = store_of_w0(renderer)
    renderer.ledger.fail(lost.fence, 0, WorkerBroken("died"), retry=True)
    assert renderer.work().state == "succeeded"
    assert renderer.archive.store.get(key) == b"png"
    assert rows_of(renderer)[0]["worker"] == "w0"


def test_whoever_comes_second_adopts_the_picture_that_is_there(renderer: RendererInMemory) -> None:
    """At its first attempt it does not look; it learns when it stores its own."""
    renderer.submit(fox())
    store_of_w0(renderer)
    assert renderer.work().state == "succeeded"
    assert rows_of(renderer)[0]["worker"] == "w0"


def test_a_picture_that_cannot_be_stored_is_tried_again(
    renderer: RendererInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong behind the drawing is settled like what goes wrong in it."""
    write, faults = Archive.write_output, [ValueError("nobody foresaw this")]

    def fail_once(self: Archive, key: str, data: bytes, row: dict[str, Any]) -> bool:
        if faults:
            raise faults.pop()
        return write(self, key, data, row)

    monkeypatch.setattr(Archive, "write_output", fail_once)
    renderer.submit(fox(2))
    assert renderer.work().state == "succeeded"
    assert {unit: row["attempts"] for unit, row in rows_of(renderer).items()} == {0: 2, 1: 1}


def test_an_attempt_is_told_with_its_number(renderer: RendererInMemory) -> None:
    """The first that failed counts."""
    renderer.submit(fox(2, "[[retry#1!]]"))
    assert renderer.work(1).state == "succeeded"
    assert {unit: row["attempts"] for unit, row in rows_of(renderer).items()} == {0: 2, 1: 1}


def test_nothing_is_in_flight_beside_a_unit_that_was_begun_before(
    renderer: RendererInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may end this process, and what is drawn must not be lost with it."""
    renderer.submit(fox(), "first")
    renderer.submit(fox())
    drawn, lost = renderer.claim(), renderer.claim()
    renderer.ledger.start(lost.fence, 0)
    renderer.ledger.fail(lost.fence, 0, WorkerBroken("died"), retry=True)
    begun, write, start = threading.Event(), renderer.archive.write_output, renderer.ledger.start
    overtaken = []

    def write_slowly(key: str, data: bytes, row: dict[str, Any]) -> bool:
        if key.startswith("jobs/first/"):
            overtaken.append(begun.wait(0.2))  # no test of a pace: this is to be waited for
        return write(key, data, row)

    def start_and_say(fence: int, *units: int) -> Directive:
        if fence > drawn.fence:
            begun.set()
        return start(fence, *units)

    monkeypatch.setattr(Archive, "write_output", lambda self, *given: write_slowly(*given))
    monkeypatch.setattr(renderer.ledger, "start", start_and_say)
    renderer.executor.run(drawn)
    assert renderer.work().state == "succeeded"
    assert overtaken == [False]


def test_a_process_that_breaks_over_a_picture_says_so_and_is_replaced(
    renderer: RendererInMemory,
) -> None:
    """The attempt counts, and what was drawn before it is kept."""
    renderer.submit(fox(2, "[[broken#2]]"))
    with pytest.raises(WorkerBroken):
        renderer.work(2)
    renderer.delivery.settle()
    assert renderer.claim().attempts == 1

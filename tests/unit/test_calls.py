"""Calls of several pictures, and what becomes of each picture of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.renderer_in_memory import RendererInMemory

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import RetryElsewhere
from winepress_shared.items import Item
from winepress_shared.jobs.job import TextToImage
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings
from winepress_worker.renderer.time_limit import TimeLimit


def fox(n: int = 16, marker: str = "", **fields: Any) -> TextToImage:
    """A job of so many pictures that four of them share a call."""
    return TextToImage(prompt=f"a fox {marker}", seed=1, num_inference_steps=2, n=n, **fields)


def rows_of(renderer: RendererInMemory) -> dict[int, dict[str, Any]]:
    """Unit → what ``result.json`` says of it."""
    result = json.loads(renderer.archive.store.get("jobs/j/result.json"))
    return {row["unit"]: row for row in result["outputs"]}


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.factor = 1  #: so many times as long everything takes

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += self.factor * seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    monkeypatch.setattr(TimeLimit.watching, "__defaults__", (clock,))
    return clock


def test_a_call_that_is_filled_up_brings_its_own_pictures_alone(tmp_path: Path) -> None:
    """The last call of eighteen lacks two; what fills it up is thrown away."""
    renderer = RendererInMemory(tmp_path)
    renderer.submit(fox(18))
    row = renderer.work(512)
    assert (row.state, row.done) == ("succeeded", 18)
    rows = rows_of(renderer)
    assert {unit: row["batch"] for unit, row in rows.items()} == dict.fromkeys(range(18), 4)
    assert len({row["sha256"] for row in rows.values()}) == 18


def test_a_picture_of_a_call_took_its_share_of_the_time(tmp_path: Path, clock: Clock) -> None:
    """Not the time of the call."""
    engine = FakeEngine(FakeSettings(step_s=1.0, more=0.5), sleep=clock.sleep)
    renderer = RendererInMemory(tmp_path, engine)
    renderer.submit(fox(16))
    renderer.work(512)
    assert {row["render_s"] for row in rows_of(renderer).values()} == {2 * 2.5 / 4}


def test_one_bad_picture_of_a_call_fails_alone(tmp_path: Path) -> None:
    """The others are drawn one by one, at their first attempt."""
    renderer = RendererInMemory(tmp_path)
    renderer.submit(fox(16, "[[fail#3]]"))
    row = renderer.work(512)
    assert (row.state, row.done, row.failed) == ("failed", 15, 1)
    assert row.reason == "1 of 16 pictures failed: a requested fault"
    assert {row["attempts"] for row in rows_of(renderer).values()} == {1}


def test_each_picture_of_a_call_keeps_its_own_warnings(tmp_path: Path) -> None:
    """Those known when it was submitted, and no other's."""
    renderer, catalogue = RendererInMemory(tmp_path), Catalogue.load()
    jobs = [catalogue.resolve(fox(16)).for_unit(unit) for unit in range(4)]
    renderer.submit_items(*(Item(job, warnings=(f"w{job.seed}",)) for job in jobs))
    assert renderer.work().state == "succeeded"
    rows = rows_of(renderer)
    assert {row["batch"] for row in rows.values()} == {4}
    assert [row["warnings"] for row in rows.values()] == [[f"w{job.seed}"] for job in jobs]


def test_a_unit_begun_before_is_in_no_call_with_a_picture_of_another(tmp_path: Path) -> None:
    """Its call is filled up with itself, although a smaller one could be proven with a sample."""
    renderer = RendererInMemory(tmp_path)
    renderer.submit(fox(16))
    renderer.executor.run(renderer.claim(4))  # any of these may be a sample from now on
    lost = renderer.claim(4)
    renderer.ledger.start(lost.fence, 4)
    renderer.ledger.fail(lost.fence, 4, RetryElsewhere("died"), retry=True)
    again = renderer.claim()
    assert (again.units, again.attempts) == ((4,), 1)
    renderer.executor.run(again)
    renderer.ledger.release(lost.fence, renderer.leases.holder)
    assert renderer.work(512).state == "succeeded"
    assert rows_of(renderer)[4]["batch"] == 4


def test_a_call_may_take_as_long_as_its_pictures_may_together(tmp_path: Path, clock: Clock) -> None:
    """Five times the usual is fine for four in a call; a thousand times is too long for any."""
    engine = FakeEngine(FakeSettings(step_s=100.0), sleep=clock.sleep)
    renderer = RendererInMemory(tmp_path, engine)
    for job_id, factor in (("usual", 1), ("slow", 5)):
        clock.factor = factor
        renderer.submit(fox(16), job_id)
        assert renderer.work(512, job_id).state == "succeeded"
    clock.factor = 1000
    renderer.submit(fox(1))
    assert renderer.work().reason.startswith("1 of 1 pictures failed: step 1 of 2 came after ")


def test_the_first_call_after_a_load_has_no_limit(tmp_path: Path, clock: Clock) -> None:
    """It compiles too, and that takes as long as it takes."""
    engine = FakeEngine(FakeSettings(step_s=1.0, first_s=1e6), sleep=clock.sleep)
    renderer = RendererInMemory(tmp_path, engine)
    for job_id in ("one", "j"):
        renderer.submit(fox(2), job_id)
        assert renderer.work(1, job_id).state == "succeeded"
        renderer.pool.close()
    assert {row["attempts"] for row in rows_of(renderer).values()} == {1}

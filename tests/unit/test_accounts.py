"""What a worker tells the ledger of a fault: the type of the error decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.renderer_in_memory import LANE, RendererInMemory

from winepress_shared.archive import Archive
from winepress_shared.errors import (
    EnvironmentFault,
    FailForGood,
    InvalidJob,
    RetryElsewhere,
    StoreUnreachable,
)
from winepress_shared.jobs.job import TextToImage
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_worker.renderer import store_outage
from winepress_worker.renderer.store_rest import FIRST_MS


class LedgerThatRests(InMemoryLedger):
    """Remembers what is given back, and for how long the lane should rest."""

    def __init__(self) -> None:
        super().__init__()
        self.given_back: list[tuple[int, str]] = []

    def release(
        self, fence: int, holder: str, park_ms: int = 0, reason: str = "", unserved: int = -1
    ) -> None:
        self.given_back.append((park_ms, reason))
        super().release(fence, holder)


@pytest.fixture
def ledger() -> LedgerThatRests:
    return LedgerThatRests()


def account(folder: Path, ledger: LedgerThatRests, error: Exception) -> RendererInMemory:
    """Begin the one picture of a job, and let it meet ``error``."""
    renderer = RendererInMemory(folder, ledger=ledger)
    renderer.submit(TextToImage(prompt="a fox", seed=1))
    slice_ = renderer.claim()
    renderer.leases.start([(slice_, 0)])
    renderer.delivery.account(slice_, 0, error)
    renderer.delivery.settle()
    return renderer


@pytest.mark.parametrize("error", [RetryElsewhere("lost"), ValueError("a fault of ours")])
def test_an_attempt_that_failed_is_made_again(
    tmp_path: Path, ledger: LedgerThatRests, error: Exception
) -> None:
    """It counts; what nobody foresaw counts as one too."""
    renderer = account(tmp_path, ledger, error)
    assert ledger.given_back == []
    assert renderer.claim().attempts == 1


@pytest.mark.parametrize("error", [FailForGood("a bad picture"), InvalidJob("too large")])
def test_what_cannot_succeed_is_not_tried_again(
    tmp_path: Path, ledger: LedgerThatRests, error: Exception
) -> None:
    """The job ends with the reason, and its result is written."""
    account(tmp_path, ledger, error)
    row = ledger.get("j")
    assert (row.state, row.failed) == ("failed", 1)
    assert row.reason == f"1 of 1 pictures failed: {error}"


def test_a_store_that_is_away_rests_the_lane_for_all(
    tmp_path: Path, ledger: LedgerThatRests
) -> None:
    """No attempt counts, and this worker goes on serving the lane."""
    renderer = account(tmp_path, ledger, StoreUnreachable("the store does not answer"))
    assert ledger.given_back == [(FIRST_MS, "the store does not answer")]
    assert (ledger.get("j").state, renderer.claim().attempts) == ("queued", 0)
    assert renderer.unfit.reasons == {}


def test_what_this_worker_lacks_is_left_to_others(tmp_path: Path, ledger: LedgerThatRests) -> None:
    """No attempt counts, no lane rests, and this worker leaves it."""
    renderer = account(tmp_path, ledger, EnvironmentFault("too little memory"))
    assert ledger.given_back == [(0, "")]
    assert ledger.get("j").state == "queued"
    assert renderer.unfit.reasons == {str(LANE): "too little memory"}


def test_a_store_that_fails_behind_the_drawing_rests_the_lane(
    tmp_path: Path, ledger: LedgerThatRests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When patience is over, the thread that stores settles what it meets as the drawing does."""

    def refuse(self: Archive, key: str, data: bytes, row: dict[str, Any]) -> bool:
        raise StoreUnreachable("the store does not answer")

    renderer = RendererInMemory(tmp_path, ledger=ledger)
    renderer.submit(TextToImage(prompt="a fox", seed=1, num_inference_steps=1))
    monkeypatch.setattr(Archive, "write_output", refuse)
    monkeypatch.setattr(store_outage, "PATIENCE_S", 0.0)
    renderer.executor.run(renderer.claim())
    renderer.delivery.settle()
    assert ledger.given_back == [(FIRST_MS, "the store does not answer")]


def test_a_worker_that_is_leaving_gives_back_what_it_has_not_begun(
    tmp_path: Path, ledger: LedgerThatRests
) -> None:
    """Nothing has failed: the picture is another's, at its first attempt."""
    renderer = RendererInMemory(tmp_path, ledger=ledger)
    renderer.submit(TextToImage(prompt="a fox", seed=1, num_inference_steps=1))
    slice_ = renderer.claim()
    renderer.leases.draining.set()
    assert renderer.executor.run(slice_) == 0
    assert ledger.given_back == [(0, "")]
    renderer.leases.draining.clear()
    assert renderer.claim().attempts == 0

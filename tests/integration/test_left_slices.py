"""A ticket that ends by an error that nobody foresaw: its slices wait for nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.audited_farm import LANE

from winepress import Client, TextToImage
from winepress_shared.errors import BrokerUnreachable, WorkerBroken
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings
from winepress_worker.options import WorkerOptions
from winepress_worker.renderer import lease_client
from winepress_worker.renderer.renderer import Renderer

_JOB = TextToImage(prompt="a fox [[retry]]", n=2, num_inference_steps=1)


@pytest.fixture
def renderer(farm_settings: Settings, tmp_path: Path) -> Renderer:
    """One that is not started: nothing of it outlives the test."""
    settings = farm_settings.model_copy(update={"home": tmp_path / "home"})
    made = Renderer(WorkerOptions("one", engine="fake"), settings, lambda lane: None)
    made._messenger.start()
    with Client(settings) as client:
        client.submit(_JOB)
    return made


def _raising(error: Exception) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise error

    return call


def test_a_process_that_lost_track_of_its_slices_is_replaced(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without memory the fault of a picture cannot be told either, and its lease was renewed on."""
    monkeypatch.setattr(Ledger, "fail", _raising(MemoryError()))
    with pytest.raises(WorkerBroken, match="nobody works on the slices"):
        renderer.run(LANE)


def test_an_outage_without_end_leaves_slices_to_whoever_comes(
    renderer: Renderer, farm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this process does not name afterwards is handed on; it costs no attempt."""
    monkeypatch.setattr(lease_client, "PATIENCE_S", 0.0)
    monkeypatch.setattr(Ledger, "fail", _raising(BrokerUnreachable("away")))
    with pytest.raises(BrokerUnreachable):
        renderer.run(LANE)
    leases, ledger = renderer._lease_client, Ledger(farm_settings)
    ledger.disown(leases.holder, {fence: tuple(units) for fence, units in leases.in_hand.items()})
    slices = [ledger.claim(LANE, "two", "two/1", 1) for _ in range(2)]
    assert [(one.units, one.attempts) for one in slices if one] == [((0,), 0), ((1,), 0)]
    ledger.close()

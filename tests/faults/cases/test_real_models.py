"""The bundled models instead of the fake engine: pictures and films survive faults unchanged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from faults.harness.farm import Servers, StruckFarm, await_true
from faults.harness.script_calls import ScriptCalls
from faults.harness.tcp_proxy import TcpProxy, Treatment
from faults.harness.undisturbed import Undisturbed
from faults.harness.verifier import verify
from support.local_worker import small_zoom

from winepress import TextToImage
from winepress_shared.jobs.job import Job

from .conftest import SEED

pytestmark = pytest.mark.lengthy

Strike = Callable[[StruckFarm], object]
_PICTURES = [
    TextToImage(prompt=f"a red apple {number}", n=3, seed=10 * number, num_inference_steps=12)
    for number in range(3)
]
_ZOOMS = [small_zoom(prompt="a valley", seed=5, num_inference_steps=6, key_frames=4)]


@pytest.fixture
def real_farm(servers: Servers, tmp_path: Path, model_home: Path) -> Iterator[StruckFarm]:
    """Its models are prepared once, for all tests of this machine."""
    with StruckFarm(servers, tmp_path / "farm", None, home=model_home) as one:
        yield one


def _kill_renderer(farm: StruckFarm) -> None:
    assert farm.workers[0].kill_renderer()


def _kill_parent(farm: StruckFarm) -> None:
    assert farm.workers[0].kill_parent()


def _restart_broker(farm: StruckFarm) -> None:
    farm.servers.broker.kill()
    time.sleep(1)
    farm.servers.broker.start()


def _restart_store(farm: StruckFarm) -> None:
    farm.servers.store.restart()


def _draw_struck(farm: StruckFarm, jobs: Sequence[Job], strike: Strike) -> None:
    """Draw the jobs in peace, and again with a fault in their middle."""
    farm.start_workers(1)
    undisturbed = Undisturbed(farm, jobs)
    farm.submit_jobs(jobs)
    first = farm.sent[0].handle
    await_true(lambda: first.status().done >= 1)
    strike(farm)
    farm.await_ended(farm.patience_s)
    verify(farm, originals=undisturbed.of).assert_kept()


@pytest.mark.parametrize(
    "strike",
    [
        pytest.param(_kill_parent, marks=pytest.mark.case(1)),
        pytest.param(_kill_renderer, marks=pytest.mark.case(2)),
        pytest.param(_restart_broker, marks=pytest.mark.case(12)),
        pytest.param(_restart_store, marks=pytest.mark.case(20)),
    ],
)
def test_pictures_of_a_real_model_are_the_same_after_a_fault(
    real_farm: StruckFarm, strike: Strike
) -> None:
    """Byte for byte those of a run in peace."""
    _draw_struck(real_farm, _PICTURES, strike)


@pytest.mark.case(6)
def test_a_picture_of_a_real_model_that_was_stored_is_adopted(
    real_farm: StruckFarm,
) -> None:
    """The worker dies after storing it, before it is counted."""
    with TcpProxy(real_farm.servers.broker.port, SEED) as proxy:
        real_farm.reach("broker", proxy.port)
        calls = ScriptCalls(proxy)
        (worker,) = real_farm.start_workers(1)
        undisturbed = Undisturbed(real_farm, _PICTURES)
        calls.strike_at("commit", worker.kill_group, Treatment.SWALLOW)
        real_farm.submit_jobs(_PICTURES)
        real_farm.await_ended(real_farm.patience_s)
        assert calls.struck.is_set()
        verify(real_farm, originals=undisturbed.of).assert_kept()  # it takes its last tickets yet


@pytest.mark.parametrize(
    "strike",
    [
        pytest.param(_kill_renderer, marks=pytest.mark.case(2)),
        pytest.param(_restart_broker, marks=pytest.mark.case(12)),
        pytest.param(_restart_store, marks=pytest.mark.case(20)),
    ],
)
def test_a_real_zoom_is_the_same_after_a_fault(real_farm: StruckFarm, strike: Strike) -> None:
    """Each key frame builds on the one before, and the film on all of them."""
    _draw_struck(real_farm, _ZOOMS, strike)

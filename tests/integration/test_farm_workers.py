"""The farm of one machine with workers: ready, replaced, drained, hurried."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.state_folder import StateFolder
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings

_WAIT_S = 60
_APPLE = TextToImage(prompt="a red apple", model="vignette", seed=7)
_ENDLESS = TextToImage(prompt="a picture that is never done [[hang]]", model="vignette", seed=7)


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm of two workers that draw without a model."""
    state = tmp_path_factory.mktemp("farm")
    with Farm(FarmOptions(state=state, workers=2, flower=False, engine="fake")) as running:
        yield running


def test_a_farm_is_ready_when_each_worker_is_in_the_ledger(farm: Farm) -> None:
    """Whoever submits right after `up` finds every worker there."""
    known = {worker.name: worker.facts["pid"] for worker in Ledger(farm.settings).workers()}
    assert known == {worker.name: worker.pid for worker in farm.workers}
    assert len(known) == 2


def test_a_farm_draws_what_it_is_asked_for(farm: Farm) -> None:
    """The settings of the farm are all that a producer needs."""
    with Client(farm.settings) as client:
        job = client.submit(_APPLE).wait(timeout=_WAIT_S)
        assert len(job.images) == 1


def test_a_killed_worker_is_replaced_and_its_renderer_is_gone(farm: Farm) -> None:
    """The device is free for the worker that takes over."""
    worker = farm.workers[0]
    family = psutil.Process(worker.pid).children(recursive=True)
    killed = worker.pid
    worker.kill()
    worker.wait_ready(_WAIT_S)
    assert worker.pid != killed
    assert psutil.wait_procs(family, timeout=_WAIT_S)[1] == []


def test_a_second_interrupt_does_not_wait_for_the_picture_being_drawn(tmp_path: Path) -> None:
    """The first Ctrl-C lets the worker finish, the second ends the farm within seconds."""
    command = [sys.executable, "-m", "winepress", "up", "--state", str(tmp_path)]
    options = ["--engine", "fake", "--no-flower"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as up:
        try:
            family = _hurry(up, StateFolder(tmp_path))
        finally:
            up.kill()
    assert up.returncode == 0
    assert psutil.wait_procs(family, timeout=_WAIT_S)[1] == []


def _hurry(up: subprocess.Popen[str], state: StateFolder) -> list[psutil.Process]:
    """Interrupt a farm twice while it draws; returns the processes it had."""
    assert up.stdout
    for line in up.stdout:
        if line.startswith("Ctrl-C"):
            break
    family = psutil.Process(up.pid).children(recursive=True)
    with Client(Settings.load({}, state.settings)) as client:
        events = client.submit(_ENDLESS).events(timeout=_WAIT_S)
        assert "unit-started" in (event.name for event in events)
    up.send_signal(signal.SIGINT)
    assert up.stdout.readline() == "stopping\n"
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=_WAIT_S)  # half of what an unhurried farm gives its workers
    return family

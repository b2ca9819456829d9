"""A whole farm on real servers, with the fake engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.running_farm import RunningFarm

from winepress import Client
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_STEP_S = 0.03  #: of the fake engine; a picture of ten steps takes a third of a second
_MORE = 0.2  #: of its time for each further picture of a call: pictures are drawn together


@pytest.fixture(scope="module")
def running_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFarm]:
    """One farm per module; each test leaves it idle."""
    state: Path = tmp_path_factory.mktemp("farm")
    scratch = tmp_path_factory.mktemp("scratch")
    engine = f"fake:step_s={_STEP_S},more={_MORE},scratch={scratch}"
    options = FarmOptions(state=state, workers=2, flower=False, engine=engine)
    with Farm(options) as farm, Client(farm.settings) as client:
        yield RunningFarm(farm, client)


@pytest.fixture
def renderer_pid(running_farm: RunningFarm) -> Callable[[str], int]:
    """The process id of a worker's rendering process, as the worker announced it."""

    def find(name: str) -> int:
        (worker,) = [w for w in running_farm.client.workers() if w.name == name]
        return int(worker.renderer["pid"])

    return find

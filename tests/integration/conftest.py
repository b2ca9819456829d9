"""What the tests on real servers share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.audited_farm import AuditedFarm
from support.command_line import Run, environment
from support.deciding_worker import DecidingWorker
from support.servers import S3Server, ValkeyServer
from support.throwaway_models import catalogue_of

from winepress.cli import main
from winepress_shared.catalogue import Catalogue
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store

if TYPE_CHECKING:
    from support.twins.drawing import WarmModels
    from support.twins.prepared import PreparedTwins, ShallowTwin


@pytest.fixture(scope="module", autouse=True)
def _few_connections() -> Iterator[None]:
    """Close the connections to farms of tests that are over: kombu keeps some for each farm."""
    yield
    pools = sys.modules.get("kombu.pools")
    if pools is not None:
        pools.reset()


@pytest.fixture
def farm(valkey_server: ValkeyServer) -> Iterator[AuditedFarm]:
    """The books of a farm of its own, which are audited when the test is over."""
    one = AuditedFarm(valkey_server.url)
    try:
        yield one
        one.audit()
    finally:
        one.close()


@pytest.fixture
def deciding_worker(farm_settings: Settings) -> Iterator[DecidingWorker]:
    """Looks after submissions; whatever happened, it leaves none undecided."""
    one = DecidingWorker(farm_settings)
    yield one
    assert one.left == 0
    one.close()


@pytest.fixture
def guest(request: pytest.FixtureRequest) -> str:
    """A model of this test alone: the store is shared."""
    name: str = request.node.originalname
    return name.replace("_", "-")[:60].strip("-")


@pytest.fixture
def catalogue(tmp_path: Path, guest: str) -> Catalogue:
    """Knows the guest and three more."""
    return catalogue_of(tmp_path, guest, *(f"{guest[:58]}-{letter}" for letter in "abc"))


@pytest.fixture
def store(s3_server: S3Server) -> Store:
    """A bucket on the session's server."""
    return open_store(s3_server.settings())


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The home of the machine that pushes."""
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The home of the machine that pulls."""
    return tmp_path / "there"


@pytest.fixture
def run(
    farm_settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run ``winepress`` against the test's farm, in this process."""
    for name, value in environment(farm_settings).items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)

    def one(*words: str) -> subprocess.CompletedProcess[str]:
        code = main(words)
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return one


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> PreparedTwins:
    """Twins of outside models, each prepared once a session."""
    from support.twins.prepared import PreparedTwins  # takes seconds, and few tests need it

    return PreparedTwins(tmp_path_factory.mktemp("twins"))


@pytest.fixture(scope="session")
def shallow_twin(twins: PreparedTwins, tmp_path_factory: pytest.TempPathFactory) -> ShallowTwin:
    """A model that is prepared in other precisions as fast as can be."""
    from support.twins.prepared import ShallowTwin

    return ShallowTwin(tmp_path_factory.mktemp("shallow"), twins.conversions)


@pytest.fixture(scope="module")
def warm_models(twins: PreparedTwins) -> Iterator[WarmModels]:
    """Draws with SDXL and its refiner."""
    from support.twins.drawing import WarmModels

    for name in ("sdxl-base", "sdxl-refiner"):
        twins.prepare(name)
    one = WarmModels(twins.engine)
    yield one
    one.pool.close()

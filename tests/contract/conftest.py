"""A store and an engine of each kind, for every promise they make."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from winepress_shared.lane import Precision
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import Store
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Engine, Pipeline
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

if TYPE_CHECKING:
    from support.servers import S3Server, ValkeyServer


@pytest.fixture(scope="module")
def s3_store(s3_server: S3Server) -> Store:
    return open_store(s3_server.settings())


@pytest.fixture(params=["folder", "s3"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server) -> Settings:
    """Settings of a store of each kind."""
    if request.param == "folder":
        return Settings(store_folder=tmp_path / "store")
    return s3_server.settings()


@pytest.fixture
def store(store_settings: Settings, s3_store: Store) -> Store:
    """A store of each kind."""
    return open_store(store_settings) if store_settings.store_folder else s3_store


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """A folder of keys that belongs to one test alone."""
    return f"tests/{request.node.originalname}"


@pytest.fixture(scope="module", params=["fake", "openvino"])
def engine(request: pytest.FixtureRequest, local_models: LocalModels, model_home: Path) -> Engine:
    return open_engine(WorkerOptions("test", engine=request.param), local_models, model_home)


@pytest.fixture(scope="module")
def pipeline(engine: Engine) -> Iterator[Pipeline]:
    loaded = engine.load(engine.prepare("vignette", Precision.FP16))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def filler(engine: Engine) -> Iterator[Pipeline]:
    """The model whose UNet sees the mask."""
    loaded = engine.load(engine.prepare("vignette-inpaint", Precision.FP16))
    yield loaded
    loaded.close()


@pytest.fixture(params=["in memory", "on a server"])
def ledger(request: pytest.FixtureRequest, valkey_server: ValkeyServer) -> Iterator[Ledger]:
    """A ledger of each kind, with room for 100 units."""
    if request.param == "in memory":
        yield InMemoryLedger(queue_limit=100)
        return
    settings = Settings(farm=f"t{secrets.token_hex(6)}", broker_url=SecretStr(valkey_server.url))
    limits = QueueLimits(settings)
    limits.set_limits({"queue_limit": 100})
    one = Ledger(settings)
    yield one
    one.close()
    limits.close()

"""What the tests of every ring share: real servers, started once, and a farm for each test."""

from __future__ import annotations

import gc
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.manual_worker import ManualWorker
from support.servers import S3Server, ValkeyServer, scrubbed_environment, serving_s3

from winepress import Client
from winepress_shared.catalogue import Catalogue
from winepress_shared.settings import Settings
from winepress_worker.models.local_models import LocalModels


def pytest_collection_finish() -> None:
    """Let no collection of garbage look again at what was imported: it all stays.

    That is a million objects, and exporting a model collects some twenty times.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _scrubbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    # Where the user's own models, books of memory and farm are, without these.
    places = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "STATE")}
    with pytest.MonkeyPatch.context() as patch:
        wanted = {"PIP_CACHE_DIR": _pip_cache()} | scrubbed_environment() | places
        for name in set(os.environ) - set(wanted):
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        yield


def _pip_cache() -> str:
    """Where pip keeps what it fetched: a test that builds packages fetches nothing again."""
    return str(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pip")


@pytest.fixture(scope="session", autouse=True)
def _listening_to_ctrl_c() -> None:
    """Commands under test inherit what is ignored here, and nohup has Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One SeaweedFS for the whole session; tests keep apart by their keys."""
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One Valkey for the whole session; tests keep apart by the name of their farm."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def model_home() -> Path:
    """A home whose prepared models outlive the session: an export takes a quarter of a minute.

    They are prepared again when the bundled weights have changed. What is
    quantised depends on the processor's instructions, so each disguise (`make test-avx2`) has a
    home.
    """
    disguises = os.environ.get("ONEDNN_MAX_CPU_ISA", ""), os.environ.get("LD_PRELOAD", "")
    names = ["winepress-tests", *(Path(one).stem.lower() for one in disguises if one)]
    return Path(__file__).parents[1] / ".cache" / "-".join(names)


@pytest.fixture(scope="session")
def local_models(model_home: Path) -> LocalModels:
    """The local models of that home, with the built-in catalogue."""
    return LocalModels(model_home, Catalogue.load())


@pytest.fixture
def farm_settings(valkey_server: ValkeyServer, tmp_path: Path) -> Settings:
    """A farm of its own for one test: a name on the shared broker, a folder as its store."""
    url, farm = SecretStr(valkey_server.url), f"t{secrets.token_hex(6)}"
    return Settings(farm=farm, broker_url=url, store_folder=tmp_path / "store")


@pytest.fixture
def manual_worker(farm_settings: Settings) -> ManualWorker:
    """A worker for `farm_settings`."""
    return ManualWorker(farm_settings)


@pytest.fixture
def client(farm_settings: Settings) -> Iterator[Client]:
    """A producer of `farm_settings`."""
    with Client(farm_settings) as one:
        yield one

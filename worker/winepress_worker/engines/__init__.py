"""The engines that a worker can use.

Each entry imports its engine on first use, because OpenVINO's engine loads torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from winepress_shared.errors import WrongUsage
from winepress_shared.lane import Precision
from winepress_worker.engines.base import Engine
from winepress_worker.logs import hush_libraries
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

#: Makes an engine from a worker's options, the prepared models and the folder for compiled blobs.
EngineFactory = Callable[[WorkerOptions, LocalModels, Path], Engine]


def _openvino(options: WorkerOptions, local_models: LocalModels, blobs: Path) -> Engine:
    hush_libraries()
    from winepress_worker.conversion.preparation import prepare
    from winepress_worker.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(local_models, options.device, blobs, options.placement, prepare)


def _fake(options: WorkerOptions, local_models: LocalModels, blobs: Path) -> Engine:
    from winepress_worker.engines.fake import FakeEngine
    from winepress_worker.engines.fake_settings import FakeSettings

    return FakeEngine(FakeSettings.parse(options.engine.partition(":")[2]), options.device)


#: Name on the command line → how to make it. Text after a colon is the engine's own settings.
ENGINES: dict[str, EngineFactory] = {"openvino": _openvino, "fake": _fake}


def memory_needs(
    options: WorkerOptions, local_models: LocalModels
) -> Callable[[str, Precision], int]:
    """Memory a model will need in bytes, by name and precision; does not import the engine."""
    name, _, settings = options.engine.partition(":")
    if name != "fake":
        return local_models.memory_needed
    from winepress_worker.engines.fake_settings import FakeSettings

    footprint = FakeSettings.parse(settings).footprint_bytes
    return lambda model, precision: footprint


def check_engine(engine: str) -> str:
    """The name of an engine, without its settings; raises WrongUsage if it is unknown."""
    name, _, settings = engine.partition(":")
    if name not in ENGINES:
        raise WrongUsage("unknown engine", field="engine", value=name, allowed=", ".join(ENGINES))
    if name == "fake":
        from winepress_worker.engines.fake_settings import FakeSettings

        FakeSettings.parse(settings)
    elif settings:
        raise WrongUsage("takes no settings", field="engine", value=engine, allowed=name)
    return name


def open_engine(options: WorkerOptions, local_models: LocalModels, home: Path) -> Engine:
    """The engine a worker was started with; compiled blobs go below ``home``. Raises WrongUsage."""
    return ENGINES[check_engine(options.engine)](options, local_models, home / "blobs")

"""The engines that a worker can use.

Each entry imports its engine on first use, because OpenVINO's engine loads torch.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

from winepress_shared.errors import EnvironmentFault
from winepress_worker.engine_name import FAKE, GROUP, OPENVINO, EngineName
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

    return OpenVinoEngine(
        local_models, options.device, blobs, options.placement, prepare, options.staged_above
    )


def _fake(options: WorkerOptions, local_models: LocalModels, blobs: Path) -> Engine:
    from winepress_worker.engines.fake import FakeEngine

    return FakeEngine(EngineName.parse(options.engine).fake, options.device)


#: Name of an engine of ours → how to make it; `engine_name` has the names.
ENGINES: dict[str, EngineFactory] = {OPENVINO: _openvino, FAKE: _fake}


def open_engine(options: WorkerOptions, local_models: LocalModels, home: Path) -> Engine:
    """The engine a worker was started with; compiled blobs go below ``home``.

    Raises WrongUsage, and EnvironmentFault for an engine from outside that cannot be imported.
    """
    name = EngineName.parse(options.engine)
    factory = _outside(name) if name.place else ENGINES[name.name]
    return factory(options, local_models, home / "blobs")


def _outside(name: EngineName) -> EngineFactory:
    try:
        factory: EngineFactory = EntryPoint(name.name, name.place, GROUP).load()
    except (ImportError, AttributeError) as error:
        raise EnvironmentFault(
            f"the engine {name.name} cannot be imported: {error}", value=name.place
        ) from error
    return factory

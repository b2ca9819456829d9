"""Prepares a model on this machine: finds it, else pulls it, else makes it."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from winepress_shared.errors import EnvironmentFault, StoreUnreachable
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.logs import hush_libraries
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest, Prepared
from winepress_worker.models.resource_check import Room
from winepress_worker.models.source import Fetch, Source, find_source, is_available_offline
from winepress_worker.os_fault import os_fault
from winepress_worker.report import Report

log = logging.getLogger(__name__)


def prepare(
    local_models: LocalModels,
    name: str,
    precision: Precision,
    report: Report,
    mirror: Path | None = None,
) -> Prepared:
    """The finished model, made now if necessary; about half a minute per bundled model.

    If several processes call this, one does the work and the others wait. ``mirror`` is a folder
    with weights, used instead of a hub, see `find_source`. Raises UnknownModel, StoreUnreachable,
    and EnvironmentFault if the source is not available, the disk is full or the result is bad.
    """
    model = local_models.known(name, precision)
    local_models.use(name, precision)
    found = local_models.find(name, precision)
    if not found and mirror is None:
        found = _pull(local_models, model, precision, report)
    if found:
        return found
    try:
        full = None if precision is Precision.FP16 else local_models.find(name, Precision.FP16)
        origin = full or find_source(model, mirror, _fetch_to(local_models.hub, report))
        with local_models.alone(name, precision, report):
            return local_models.find(name, precision) or _make(
                local_models, model, precision, origin, report
            )
    except OSError as error:
        place = str(local_models.folder(name, precision).parent)
        raise os_fault(f"cannot prepare {name}", error, place) from error


def measure(local_models: LocalModels, prepared: Prepared, report: Report) -> None:
    """Measure the presets of a finished model, unless it was done before; noted in its manifest.

    Takes about three pictures with each preset. Raises what rendering raises, and OSError.
    """
    manifest = Manifest.read(prepared.path)
    if manifest is None or manifest.presets is not None:
        return
    hush_libraries()
    # Imported here: see `_make`.
    from winepress_worker.conversion.preset_trial import measure_presets

    found = measure_presets(local_models.catalogue.get(prepared.name), prepared, report)
    if found:
        manifest.model_copy(update={"presets": found}).write(prepared.path)


def _pull(
    local_models: LocalModels, model: Model, precision: Precision, report: Report
) -> Prepared | None:
    """Pull the model; if that fails, a model that can be made here does without the store."""
    try:
        return local_models.pull(model.name, precision, report)
    except (StoreUnreachable, EnvironmentFault) as error:
        if not is_available_offline(model):
            raise
        log.warning("cannot pull %s, so it is prepared here: %s", model.name, error)
        return None


def _fetch_to(hub: Path, report: Report) -> Fetch:
    """A `Fetch` that downloads to below ``hub``, in the layout of a mirror."""

    def fetch_there(repository: str) -> Path:
        from winepress_worker.models.hub import fetch  # imported only if needed

        return fetch(repository, hub, report)

    return fetch_there


def _make(
    local_models: LocalModels,
    model: Model,
    precision: Precision,
    origin: Source | Prepared,
    report: Report,
) -> Prepared:
    parent = local_models.folder(model.name, precision).parent
    room = Room.of(model, precision, origin)
    report(room.sentence, 0.0)
    room.demand(parent)
    hush_libraries()
    # Imported here: this loads torch and OpenVINO into the process (about 8 s).
    from winepress_worker.conversion.build import build

    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{precision.value}.") as work:
        made = build(local_models, model, precision, Path(work), origin, report)
        local_models.install(made, model.name, precision)
    found = local_models.find(model.name, precision)
    if found is None:
        raise EnvironmentFault(
            f"{model.name} changed while it was being prepared", hint="try again"
        )
    report("ready", 1.0)
    return found

"""``winepress models`` and ``winepress devices``: the models and devices of this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, WrongUsage
from winepress_shared.lane import Precision
from winepress_shared.screen.board import Board
from winepress_shared.screen.output import write_table
from winepress_shared.screen.table import Cell, Column, Table
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.terminal import write_json, write_line
from winepress_worker.commands import show_model
from winepress_worker.commands.farm_view import FarmView
from winepress_worker.commands.models_table import LEGEND, table
from winepress_worker.conversion.preparation import measure, prepare
from winepress_worker.models.infer_entry import describe, entry_text
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest, Prepared
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.processor import is_quick_at_8_bits
from winepress_worker.report import Report

_MIB = 2**20
_PROGRESS = (Column("MODEL"), Column("PROGRESS"), Column("MESSAGE", is_flexible=True))
_ALL = "all"  #: stands for every precision
_SLOW_AT_8_BITS = (
    "this processor has neither VNNI nor AMX: on it int8 saves disk and no time. It is calibrated "
    "now, which takes up to an hour; int8-weights is as small, and made in minutes"
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    models = subparsers.add_parser("models", help="list, prepare, publish, pull and remove models")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser(
        "list", help="every known model and its state on this machine", description=LEGEND
    )
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    listing.set_defaults(run=_list)
    show_model.register(actions)
    prepare = actions.add_parser("prepare", help="make a model ready to load")
    _add_model(prepare, "default: fp16; all: every precision, which may take hours")
    prepare.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="read the weights from this folder instead of a hub",
    )
    prepare.add_argument(
        "--no-presets",
        action="store_true",
        help="do not draw the pictures that tell what the presets fast and draft gain",
    )
    prepare.set_defaults(run=_prepare)
    push = actions.add_parser("push", help="publish a prepared model for every worker of the farm")
    _add_model(push, "default: every prepared one")
    push.add_argument(
        "--replace", action="store_true", help="send every file again, even if the store has it"
    )
    push.set_defaults(run=_push)
    pull = actions.add_parser("pull", help="fetch the current version of a published model")
    _add_model(pull, "default: every published one")
    pull.set_defaults(run=_pull)
    remove = actions.add_parser("rm", help="delete a prepared model from this machine")
    _add_model(remove, "default: every prepared one")
    remove.set_defaults(run=_remove)
    devices = subparsers.add_parser("devices", help="the devices OpenVINO finds on this machine")
    devices.add_argument("--json", action="store_true", help="one JSON object per line")
    devices.set_defaults(run=_devices)


def _add_model(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("model", metavar="MODEL[.PRECISION]")
    parser.add_argument("--precision", help=default)


def _list(arguments: argparse.Namespace) -> int:
    settings = Settings.load()
    farm = FarmView.look(settings)
    for problem in farm.problems:
        write_line(sys.stderr, problem)
    rows = list(_rows(_open_local_models(settings), farm))
    if arguments.json:
        _write_json(rows)
    else:
        write_table(sys.stdout, table(rows))
    return 0


def _rows(local_models: LocalModels, farm: FarmView) -> Iterator[dict[str, Any]]:
    available = local_models.available()
    for name in local_models.catalogue.names:
        model = local_models.catalogue.get(name)
        for precision in model.precisions:
            found = local_models.find(name, precision)
            on_demand = "on demand" if (name, precision) in available else "not here"
            yield {
                "model": name,
                "precision": precision.value,
                "state": "prepared" if found else on_demand,
                "size_bytes": found.size_bytes if found else 0,
                "memory_mib": local_models.memory_needed(name, precision) // _MIB,
                "published": farm.is_published(name, precision),
                "warm_on": farm.warm_on(name, precision),
                "revision": found.revision if found else None,
                "kinds": model.kinds,
                "source": model.source,
                "licence": model.licence,
            }


def _prepare(arguments: argparse.Namespace) -> int:
    local_models, folder = _open_local_models(Settings.load()), arguments.folder
    _take_apart(arguments)
    inferred = None
    if folder and arguments.model not in local_models.catalogue.names:
        inferred = describe(arguments.model, folder.absolute())
        local_models = LocalModels(Settings.load().home, local_models.catalogue.plus(inferred))
    for precision in _precisions(local_models, arguments, Precision.FP16.value):
        label = f"{arguments.model}.{precision.value}"
        is_made_now = not local_models.find(arguments.model, precision)
        if precision is Precision.INT8 and is_made_now and is_quick_at_8_bits() is False:
            write_line(sys.stderr, f"{label}: {_SLOW_AT_8_BITS}")
        with _progress(label) as report:
            prepared = prepare(local_models, arguments.model, precision, report, folder)
            if not arguments.no_presets:
                measure(local_models, prepared, report)
        _out(f"{label} is ready: {prepared.size_bytes / _MIB:.1f} MiB in {prepared.path}")
        manifest = Manifest.read(prepared.path)
        if manifest and manifest.measured:
            _out(f"{label}: {manifest.measured.sentence}")
        presets = manifest and manifest.presets
        for name, sentence in presets.sentences.items() if presets else ():
            _out(f"{label}: {name}: {sentence}")
    if inferred:
        _out("# The farm knows this model once its file of the setting `catalogue` says:")
        for line in entry_text(inferred).rstrip("\n").split("\n"):
            _out(line)
    return 0


def _push(arguments: argparse.Namespace) -> int:
    settings = Settings.load()
    local_models, registry = _open_local_models(settings), ModelRegistry(open_store(settings))
    wanted = [
        (one, local_models.find(arguments.model, one))
        for one in _precisions(local_models, arguments, _ALL)
    ]
    prepared = [found for _, found in wanted if found]
    if not prepared or (arguments.precision and len(prepared) < len(wanted)):
        missing = next(precision for precision, found in wanted if not found)
        raise WrongUsage(
            "only models prepared on this machine can be pushed",
            value=f"{arguments.model}.{missing.value}",
            hint=f"run: winepress models prepare {arguments.model}.{missing.value}",
        )
    for one in prepared:
        label = f"{one.name}.{one.precision.value}"
        with _progress(label) as report:
            sent = _pushed(registry, one, report, replace=arguments.replace)
        _out(f"{label} is published: {sent / _MIB:.1f} of {one.size_bytes / _MIB:.1f} MiB sent")
    return 0


def _pushed(registry: ModelRegistry, one: Prepared, report: Report, *, replace: bool) -> int:
    manifest = Manifest.read(one.path)
    try:
        if manifest:
            return registry.push(manifest, one.path, report, replace=replace)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot read the model: {error.strerror}", value=str(one.path)
        ) from None
    raise EnvironmentFault("the model was removed during the push", value=str(one.path))


def _pull(arguments: argparse.Namespace) -> int:
    settings = Settings.load()
    registry = ModelRegistry(open_store(settings))
    local_models = _open_local_models(settings, registry)
    wanted, pulled = _precisions(local_models, arguments, _ALL), 0
    for precision in wanted:
        label = f"{arguments.model}.{precision.value}"
        with _progress(label) as report:
            found = local_models.pull(arguments.model, precision, report)
        if found:
            pulled += 1
            _out(f"{label} is ready: {found.size_bytes / _MIB:.1f} MiB in {found.path}")
    if not pulled:
        named = label if len(wanted) == 1 else arguments.model
        raise WrongUsage(
            "this model is not published in the store",
            value=named,
            hint="`winepress models list` shows the published ones; where it is prepared, run "
            f"`winepress models push {named}`",
        )
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    local_models = _open_local_models(Settings.load())
    for precision in _precisions(local_models, arguments, _ALL):
        freed = local_models.remove(arguments.model, precision)
        state = f"removed, {freed / _MIB:.1f} MiB freed" if freed else "was not prepared"
        _out(f"{arguments.model}.{precision.value}: {state}")
    return 0


def _devices(arguments: argparse.Namespace) -> int:
    # Imported here: the other commands do not need OpenVINO.
    from winepress_worker.engines.devices import list_devices

    devices = list_devices()
    if arguments.json:
        _write_json(asdict(device) for device in devices)
        return 0
    for device in devices:
        _out(f"{device.name}: {device.full_name}")
        for name, value in device.properties.items():
            _out(f"  {name}: {value}")
    return 0


def _open_local_models(settings: Settings, registry: ModelRegistry | None = None) -> LocalModels:
    catalogue, budget = Catalogue.load(settings.catalogue), int(settings.pulled_gib * 2**30)
    return LocalModels(settings.home, catalogue, registry, budget)


def _precisions(
    local_models: LocalModels, arguments: argparse.Namespace, default: str
) -> tuple[Precision, ...]:
    """The given precision, or all of the model; raises UnknownModel or WrongUsage."""
    _take_apart(arguments)
    every = local_models.catalogue.get(arguments.model).precisions
    named = arguments.precision or default
    if named == _ALL:
        return every
    try:
        return (Precision(named),)
    except ValueError:
        raise WrongUsage(
            "unknown precision",
            field="--precision",
            value=arguments.precision,
            allowed=", ".join([*every, _ALL]),
        ) from None


def _take_apart(arguments: argparse.Namespace) -> None:
    """Split a name like ``vignette.int8-weights`` into model and precision."""
    name, dot, precision = arguments.model.partition(".")
    if dot and not arguments.precision:
        arguments.model, arguments.precision = name, precision


@contextmanager
def _progress(label: str) -> Iterator[Report]:
    """Progress on stderr, which is where it belongs beside a result on stdout."""
    with Board(sys.stderr, line_s=0.0) as board:

        def report(message: str, fraction: float) -> None:
            share = Cell(f"{fraction:.0%}", share=fraction)
            bar = Table(_PROGRESS, has_heads=False)
            bar.add(label, share, message)
            board.show(lambda: [bar], lambda: [f"{label}: {fraction:4.0%} {message}"])

        yield report


def _write_json(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        write_json(sys.stdout, row)


def _out(text: str) -> None:
    write_line(sys.stdout, text)

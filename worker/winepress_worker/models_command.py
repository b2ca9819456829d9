"""``winepress models`` and ``winepress devices``: what this machine can render, and with what."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.lane import Precision
from winepress_shared.settings import Settings
from winepress_worker.models.described import describe, entry_text
from winepress_worker.models.manifest import Manifest
from winepress_worker.models.shelf import Report, Shelf

_MIB = 2**20
_ALL = "all"  #: in place of a precision
_COLUMNS = "{:<18} {:<13} {:<10} {:>9} {:>9}  {}\n"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    models = subparsers.add_parser("models", help="list, prepare and remove models")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every known model and its state on this machine")
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    listing.set_defaults(run=_list)
    prepare = actions.add_parser("prepare", help="make a model ready to be loaded")
    _add_model(prepare, "default: fp16; all: every one there is, which may take hours")
    prepare.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="take the weights from this folder instead of a hub",
    )
    prepare.set_defaults(run=_prepare)
    remove = actions.add_parser("rm", help="delete a prepared model from this machine")
    _add_model(remove, "default: every one there is")
    remove.set_defaults(run=_remove)
    devices = subparsers.add_parser("devices", help="the devices OpenVINO sees on this machine")
    devices.add_argument("--json", action="store_true", help="one JSON object per line")
    devices.set_defaults(run=_devices)


def _add_model(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--precision", help=default)


def _list(arguments: argparse.Namespace) -> int:
    rows = list(_rows(_open_shelf()))
    if arguments.json:
        _write_json(rows)
        return 0
    _out(_COLUMNS.format("MODEL", "PRECISION", "STATE", "ON DISK", "MEMORY", "LICENCE"))
    for row in rows:
        size = f"{row['size_bytes'] / _MIB:.1f} MiB" if row["size_bytes"] else "-"
        memory = f"{row['memory_mib']} MiB"
        names = (row["model"], row["precision"], row["state"])
        _out(_COLUMNS.format(*names, size, memory, row["licence"]))
    return 0


def _rows(shelf: Shelf) -> Iterator[dict[str, Any]]:
    available = shelf.available()
    for name in shelf.catalogue.names:
        model = shelf.catalogue.get(name)
        for precision in model.precisions:
            found = shelf.find(name, precision)
            on_demand = "on demand" if (name, precision) in available else "not here"
            yield {
                "model": name,
                "precision": precision.value,
                "state": "prepared" if found else on_demand,
                "size_bytes": found.size_bytes if found else 0,
                "memory_mib": model.memory_mib,
                "revision": found.revision if found else None,
                "kinds": model.kinds,
                "source": model.source,
                "licence": model.licence,
            }


def _prepare(arguments: argparse.Namespace) -> int:
    shelf, folder = _open_shelf(), arguments.folder
    described = None
    if folder and arguments.model not in shelf.catalogue.names:
        described = describe(arguments.model, folder.absolute())
        shelf = Shelf(Settings.load().home, shelf.catalogue.plus(described))
    for precision in _precisions(shelf, arguments, Precision.FP16.value):
        label = f"{arguments.model}.{precision.value}"
        prepared = shelf.prepare(arguments.model, precision, _progress(label), folder)
        _out(f"{label} is ready: {prepared.size_bytes / _MIB:.1f} MiB in {prepared.path}\n")
        manifest = Manifest.read(prepared.path)
        if manifest and manifest.measured:
            _out(f"{label}: {manifest.measured.sentence}\n")
    if described:
        _out("# The farm knows this model once its file of the setting `catalogue` says:\n")
        _out(entry_text(described))
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    shelf = _open_shelf()
    for precision in _precisions(shelf, arguments, _ALL):
        freed = shelf.remove(arguments.model, precision)
        state = f"removed, {freed / _MIB:.1f} MiB freed" if freed else "was not prepared"
        _out(f"{arguments.model}.{precision.value}: {state}\n")
    return 0


def _devices(arguments: argparse.Namespace) -> int:
    # Here and not above: the other commands do without OpenVINO.
    from winepress_worker.engines.devices import list_devices

    devices = list_devices()
    if arguments.json:
        _write_json(asdict(device) for device in devices)
        return 0
    for device in devices:
        _out(f"{device.name}: {device.full_name}\n")
        for name, value in device.properties.items():
            _out(f"  {name}: {value}\n")
    return 0


def _open_shelf() -> Shelf:
    settings = Settings.load()
    return Shelf(settings.home, Catalogue.load(settings.catalogue))


def _precisions(shelf: Shelf, arguments: argparse.Namespace, default: str) -> tuple[Precision, ...]:
    """The one that was named, or all of the model; raises UnknownModel or WrongUsage."""
    every = shelf.catalogue.get(arguments.model).precisions
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


def _progress(label: str) -> Report:
    """Write progress to stderr, which is where it belongs beside a result on stdout."""

    def report(message: str, fraction: float) -> None:
        sys.stderr.write(f"{label}: {fraction:4.0%} {message}\n")
        sys.stderr.flush()

    return report


def _write_json(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        _out(json.dumps(row) + "\n")


def _out(text: str) -> None:
    sys.stdout.write(text)

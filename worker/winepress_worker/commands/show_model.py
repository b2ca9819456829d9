"""``winepress models show``: what a model supports, and what its presets gain on this machine."""

from __future__ import annotations

import argparse
import sys

from winepress_shared.catalogue import Catalogue
from winepress_shared.model import Model
from winepress_shared.settings import Settings
from winepress_shared.terminal import write_json, write_line
from winepress_worker.commands.model_facts import model_facts
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest
from winepress_worker.models.measured_presets import MeasuredPresets


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    show = actions.add_parser(
        "show", help="limits, defaults and options of a model, and what its presets gain"
    )
    show.add_argument("model", metavar="MODEL")
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> int:
    settings = Settings.load()
    local_models = LocalModels(settings.home, Catalogue.load(settings.catalogue))
    model = local_models.catalogue.get(arguments.model)
    presets = _presets(local_models, model)
    if arguments.json:
        values = model.model_dump(mode="json") | {"previews": model.has_previews}
        measured = {name: own.model_dump(mode="json") for name, own in presets.items()}
        write_json(sys.stdout, values | {"presets": measured})
        return 0
    needs = {one: local_models.memory_needed(model.name, one) for one in model.precisions}
    for name, value in model_facts(model, needs).items():
        write_line(sys.stdout, f"{name:<14} {value}")
    for precision, own in presets.items():
        for name, sentence in own.sentences.items():
            write_line(sys.stdout, f"{f'{precision} {name}':<14} {sentence}")
    return 0


def _presets(local_models: LocalModels, model: Model) -> dict[str, MeasuredPresets]:
    """Precision → what was measured, of those prepared here."""
    found = {one: local_models.find(model.name, one) for one in model.precisions}
    manifests = {one: Manifest.read(own.path) for one, own in found.items() if own}
    return {one.value: own.presets for one, own in manifests.items() if own and own.presets}

"""Twins that are prepared once for all tests of a session."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.twins.conversions import Conversions
from support.twins.drawing import exact_engine
from support.twins.mirror import Mirror, twin_catalogue
from support.twins.tiny import SIDE_PX, build, shallow
from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Prepared
from winepress_worker.report import ignore_progress


class PreparedTwins:
    """A mirror of the catalogue's sources, and a home with the models prepared from it."""

    def __init__(self, root: Path) -> None:
        self.catalogue = twin_catalogue(SIDE_PX)
        self.mirror = Mirror(root / "mirror")
        self.conversions = Conversions(root / "conversions")
        self._local_models = LocalModels(root / "home", self.catalogue)
        self.engine = exact_engine(self._local_models, root / "blobs")

    def prepare(self, name: str) -> Prepared:
        """The twin in fp16, made on first use."""
        self.mirror.provide(self.catalogue.get(name))
        fp16, mirror = Precision.FP16, self.mirror.root
        with self.conversions.kept():
            return prepare(self._local_models, name, fp16, ignore_progress, mirror)


class ShallowTwin:
    """A model of few layers and two steps, in fp16: to be prepared in other precisions."""

    name = "tiny-sd"

    def __init__(self, root: Path, conversions: Conversions) -> None:
        changes = {"num_inference_steps": 2, "tiny_vae": None}
        model = twin_catalogue(SIDE_PX).get(self.name).model_copy(update=changes)
        self.catalogue = Catalogue({self.name: model})
        mirror, local_models = root / "mirror", LocalModels(root, self.catalogue)
        build(shallow(self.name), mirror / model.source.removeprefix("hub:"))
        with conversions.kept():
            made = prepare(local_models, self.name, Precision.FP16, ignore_progress, mirror)
        self._made = made.path

    def copy(self, home: Path) -> LocalModels:
        """The models of the new ``home``: this one alone."""
        shutil.copytree(self._made, home / "models" / self.name / "fp16")
        return LocalModels(home, self.catalogue)

"""Machines that share compiled blobs: a home each, one store, and OpenVINO on this CPU."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_shared.stores.base import Store, ignore_bytes
from winepress_worker.blobs.registry import BlobRegistry
from winepress_worker.blobs.sharing import SharedBlobs
from winepress_worker.engines.openvino import OpenVinoEngine, OpenVinoPipeline
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

MODEL, FP16 = "vignette", Precision.FP16


class BlobMachine:
    """One machine that has the model, and nothing compiled if its home is new."""

    def __init__(
        self, home: Path, models: LocalModels, store: Store, options: WorkerOptions | None = None
    ) -> None:
        """The model's files are those of ``models``, as if both had pulled it."""
        self.home = home
        self.store = store
        if not home.exists():
            shutil.copytree(models.folder(MODEL, FP16), home / "models" / MODEL / "fp16")
        self._models = LocalModels(home, Catalogue.load())
        self._options = options or WorkerOptions("test")
        self.shared = SharedBlobs(home / "blobs", BlobRegistry(store))

    @contextmanager
    def loaded(self) -> Iterator[OpenVinoPipeline]:
        """The model, loaded by a process that has just begun."""
        engine = self.engine = self.fresh_engine()
        pipeline = engine.load(engine.prepare(MODEL, FP16))
        try:
            yield pipeline
        finally:
            pipeline.close()

    def fresh_engine(self) -> OpenVinoEngine:
        device, placement = self._options.device, self._options.placement
        engine = OpenVinoEngine(self._models, device, self.home / "blobs", placement)
        engine.shared_blobs = self.shared
        return engine

    @property
    def counts(self) -> tuple[int, int]:
        """How many parts were read from blobs, and how many compiled, at the last load."""
        totals = self.engine.tally.totals()
        hits, misses = (totals.get(f"blob_{kind} {MODEL}.fp16", 0) for kind in ("hits", "misses"))
        return int(hits), int(misses)

    def load(self) -> tuple[int, int]:
        """Load the model and leave it; returns `counts`."""
        with self.loaded():
            pass
        return self.counts

    def offer(self) -> None:
        """Offer what was compiled."""
        self.shared.offer(ignore_bytes)

    @property
    def offered(self) -> list[str]:
        """The keys of all blobs in the store."""
        return [one.key for one in self.store.list("blobs/")]

    @property
    def held(self) -> list[Path]:
        """The blobs on this machine."""
        return sorted(self.home.glob("blobs/**/*.blob"))

"""Finds, checks and pulls the prepared models of this machine.

Layout: ``HOME/models/NAME/PRECISION/`` holds one finished model with its manifest. Work in
progress lies beside it in ``.PRECISION.*`` and becomes visible by one rename, so a killed run
leaves nothing that looks finished. A pull from the store works in ``.pull-PRECISION``, where the
next run resumes it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, UnknownModel
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_shared.quantisation import loaded_bytes
from winepress_worker.models.content import check_content, stamp_of
from winepress_worker.models.hash_checks import HashChecks, forget_check
from winepress_worker.models.manifest import Manifest, Prepared
from winepress_worker.models.pull import missing_bytes, pull
from winepress_worker.models.pulled import PulledModels, retire
from winepress_worker.models.recipe import recipe
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.source import find_source, is_available_offline, is_bundled
from winepress_worker.os_fault import os_fault
from winepress_worker.report import Report, ignore_progress

log = logging.getLogger(__name__)

UNBOUNDED = 2**63  #: bytes
_LARGEST_STAGE = 0.8  #: share of a model's memory that no denoiser of the catalogue exceeds


class LocalModels:
    """Prepared models below one folder, shared by all workers of a machine."""

    def __init__(
        self,
        home: Path,
        catalogue: Catalogue,
        registry: ModelRegistry | None = None,
        budget_bytes: int = UNBOUNDED,
        published_memory: Callable[[str, Precision], int | None] = lambda name, precision: None,
    ) -> None:
        """Missing models are pulled from ``registry`` if there is one, within the budget.

        ``published_memory`` gives the memory of a model by the registry's manifest, in bytes.
        """
        self._published_memory = published_memory
        self.catalogue = catalogue
        self._root = home / "models"
        self._registry = registry
        self._pulled = PulledModels(self._root, budget_bytes)
        self.hub = home / "hub"  #: downloads from a model hub
        self.blobs = home / "blobs"  #: what devices have compiled
        self._checks = HashChecks()
        self._refused: set[Path] = set()  # logged once as unusable
        #: Folder → its files and the model in them, when it was last found whole.
        self._found: dict[Path, tuple[object, Prepared | None]] = {}
        self._source_digests: dict[object, str] = {}

    def find(self, name: str, precision: Precision) -> Prepared | None:
        """The finished model; None if it is missing, damaged or made of older weights.

        Sizes and times are checked on every call, the rest once per change. Raises UnknownModel.
        """
        self.known(name, precision)
        folder = self.folder(name, precision)
        stamp, (stamp_before, before) = stamp_of(folder), self._found.get(folder, (None, None))
        if stamp is not None and stamp == stamp_before:
            return before
        found = self._verified_model(name, precision)
        self._found[folder] = (stamp if found else None, found)
        return found

    def _verified_model(self, name: str, precision: Precision) -> Prepared | None:
        manifest, folder = self._unread(name, precision), self.folder(name, precision)
        if manifest is None or not self._checks.hold(manifest, folder):
            return None
        return manifest.prepared(folder)

    def _unread(self, name: str, precision: Precision) -> Manifest | None:
        """The manifest of a model that is present, judged without reading its files' content."""
        model, folder = self.known(name, precision), self.folder(name, precision)
        manifest = Manifest.read(folder)
        if manifest is None or (manifest.model, manifest.precision) != (name, precision):
            return None
        try:
            check_content(folder)
        except EnvironmentFault as error:
            if folder not in self._refused:
                log.warning("%s.%s is not used: %s", name, precision.value, error)
            self._refused.add(folder)
            return None
        is_whole = self._is_current(manifest, model) and manifest.sizes_match(folder)
        return manifest if is_whole else None

    def pull(self, name: str, precision: Precision, report: Report) -> Prepared | None:
        """Pull the finished model from the store; None if the store does not have it.

        Intact files are not fetched again, and a killed call is resumed. Raises UnknownModel,
        StoreUnreachable, and EnvironmentFault if the disk is full, the budget is too small or the
        store's copy is damaged or made by another version.
        """
        model, folder = self.known(name, precision), self.folder(name, precision)
        manifest = self._registry.find(name, precision) if self._registry else None
        if not self._registry or not manifest:
            return None
        if not self._is_current(manifest, model):
            raise EnvironmentFault(
                f"the store's {name}.{precision.value} was made by another version",
                hint="prepare it with this version and push it again",
            )
        work = folder.with_name(f".pull-{folder.name}")
        try:
            with self.alone(name, precision, report):
                if Manifest.read(folder) != manifest or not self.find(name, precision):
                    size = sum(file.size for file in manifest.files.values())
                    self._pulled.make_room(folder, size, missing_bytes(manifest, work))
                    pull(self._registry, manifest, work, folder, report)
                    self._pulled.mark(folder)
                    if folder.exists():
                        retire(folder)
                    work.rename(folder)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                shutil.rmtree(work, ignore_errors=True)  # frees the disk
            raise os_fault(f"cannot pull {name}", error, str(self._root)) from error
        return self.find(name, precision)

    def use(self, name: str, precision: Precision) -> None:
        """Record a use of the model, so that less recently used models are removed before it."""
        self._pulled.use(self.folder(name, precision))

    def install(self, made: Path, name: str, precision: Precision) -> None:
        """Replace the installed model by the folder ``made``, prepared on this machine."""
        folder = self.folder(name, precision)
        if folder.exists():
            retire(folder)
        made.rename(folder)
        self._pulled.forget(folder)

    def warm(self, models: Collection[tuple[str, Precision]]) -> None:
        """Set the models this process holds loaded; all others may be removed from the disk."""
        self._pulled.warm([self.folder(*model) for model in models])

    def _is_current(self, manifest: Manifest, model: Model) -> bool:
        """True when the recipe and the weights are those that would be used now."""
        if manifest.recipe != recipe(model, manifest.precision):
            return False
        return not is_bundled(model) or manifest.source == self._source_digest(model)

    def available(self) -> list[tuple[str, Precision]]:
        """The models that can be served without a network: prepared already, or bundled.

        Hashes are checked on loading, not here: a worker's parent calls this between two heartbeats
        and would miss some over a large new model.
        """
        return [
            (name, precision)
            for name in self.catalogue.names
            for precision in self.catalogue.get(name).precisions
            if is_available_offline(self.catalogue.get(name)) or self._unread(name, precision)
        ]

    def files_of(self, name: str) -> tuple[tuple[str, int, int], ...]:
        """Name, size and time of every file of a model, in all precisions."""
        found = []
        for path in sorted(self._root.glob(f"{name}/[!.]*/**/*")):
            with suppress(OSError):  # just removed
                stat = path.stat()
                found.append((str(path), stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    def memory_needed(self, name: str, precision: Precision, staged_above: int = UNBOUNDED) -> int:
        """Memory of a loaded model in bytes: as measured where it was prepared, or estimated.

        A model that is still to be pulled counts as the store's manifest says, and one that needs
        more than ``staged_above`` as its largest stage.
        """
        staged = self.stage_bytes(name, precision, staged_above)
        return staged or self._whole(name, precision, Manifest.read(self.folder(name, precision)))

    def stage_bytes(self, name: str, precision: Precision, staged_above: int) -> int:
        """Memory of the largest stage of a model that needs more than so much; 0 of others."""
        manifest = Manifest.read(self.folder(name, precision))
        whole = self._whole(name, precision, manifest)
        if whole <= staged_above:
            return 0
        if manifest is None:
            return int(_LARGEST_STAGE * whole)
        sizes = manifest.stage_sizes
        # What it holds beside its weights may all be the same stage's.
        return max(sizes.values()) + max(0, whole - sum(sizes.values()))

    def _whole(self, name: str, precision: Precision, manifest: Manifest | None) -> int:
        measured = manifest.memory_bytes if manifest else self._published_memory(name, precision)
        return measured or loaded_bytes(self.catalogue.get(name).memory_mib, precision)

    def remove(self, name: str, precision: Precision) -> int:
        """Delete one prepared model; returns the bytes freed, 0 if there was none."""
        self.known(name, precision)
        folder = self.folder(name, precision)
        if not folder.is_dir():
            return 0
        with self.alone(name, precision, ignore_progress):
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            retire(folder)
            self._pulled.forget(folder)
            forget_check(folder)
            return size

    @contextmanager
    def alone(self, name: str, precision: Precision, report: Report) -> Iterator[None]:
        """Hold the lock of one model and precision; the kernel frees it when a process dies."""
        parent = self.folder(name, precision).parent
        parent.mkdir(parents=True, exist_ok=True)
        with (parent / f"{precision.value}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("waiting for another process that is preparing it", 0.0)
                fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in parent.glob(f".{precision.value}.*"):
                # No other process holds the lock, so this was left by one that was killed.
                shutil.rmtree(leftover, ignore_errors=True)
            yield

    def known(self, name: str, precision: Precision) -> Model:
        """The catalogue's entry; raises UnknownModel if model or precision does not exist."""
        model = self.catalogue.get(name)
        if precision not in model.precisions:
            raise UnknownModel(
                f"{name} is not available in this precision",
                field="precision",
                value=precision.value,
                allowed=", ".join(model.precisions),
            )
        return model

    def folder(self, name: str, precision: Precision) -> Path:
        """The folder of a prepared model, whether it exists or not."""
        return self._root / name / precision.value

    def _source_digest(self, model: Model) -> str:
        source = find_source(model)
        signature = source.signature
        if signature not in self._source_digests:
            self._source_digests[signature] = source.digest()
        return self._source_digests[signature]

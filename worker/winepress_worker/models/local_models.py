"""The prepared models of this machine: finds them, checks them and pulls them.

Layout: ``HOME/models/NAME/PRECISION/`` holds one finished model with its manifest. Work in
progress lies beside it in ``.PRECISION.*`` and becomes visible by one rename, so a killed run
leaves nothing that looks finished. What is pulled from the store lies in ``.pull-PRECISION`` until
then, where the next run goes on with it.
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
from winepress_worker.models.content import check_content
from winepress_worker.models.manifest import Manifest, Prepared
from winepress_worker.models.pull import missing_bytes, pull
from winepress_worker.models.pulled import PulledModels, retire
from winepress_worker.models.recipe import recipe
from winepress_worker.models.registry import ModelRegistry
from winepress_worker.models.source import find_source, is_at_hand, is_bundled
from winepress_worker.os_fault import os_fault
from winepress_worker.report import Report

log = logging.getLogger(__name__)

_UNBOUNDED = 2**63  #: bytes


class LocalModels:
    """Prepared models below one folder, shared by all workers of a machine."""

    def __init__(
        self,
        home: Path,
        catalogue: Catalogue,
        registry: ModelRegistry | None = None,
        budget_bytes: int = _UNBOUNDED,
        published_memory: Callable[[str, Precision], int | None] = lambda name, precision: None,
    ) -> None:
        """What is missing is pulled from ``registry`` if there is one, within the budget.

        ``published_memory`` says what the registry's manifests say that models hold, in bytes.
        """
        self._published_memory = published_memory
        self.catalogue = catalogue
        self._root = home / "models"
        self._registry = registry
        self._pulled = PulledModels(self._root, budget_bytes)
        self.hub = home / "hub"  #: what was fetched from a model hub
        self._verified: set[tuple[Path, str, tuple[int, ...]]] = set()
        self._refused: set[Path] = set()  # told once that they hold more than a model
        self._source_digests: dict[object, str] = {}

    def find(self, name: str, precision: Precision) -> Prepared | None:
        """The finished model; None when it is missing, damaged or made of older weights.

        Sizes and times are checked on every call, hashes once per process and change. Raises
        UnknownModel.
        """
        manifest, folder = self._unread(name, precision), self.folder(name, precision)
        if manifest is None:
            return None
        seen = (folder, manifest.model_dump_json(), manifest.times(folder))
        if seen not in self._verified and not manifest.hashes_match(folder):
            return None
        self._verified.add(seen)
        return manifest.prepared(folder)

    def _unread(self, name: str, precision: Precision) -> Manifest | None:
        """The manifest of a model that is here by all that can be told without reading it."""
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
        """The finished model as the store has it; None when the store does not offer it.

        Files that are here and right are not fetched again, and a call that was killed is taken
        up. Raises UnknownModel, StoreUnreachable, and EnvironmentFault when the disk is full, the
        budget is too small or the store's copy is damaged or made by another version.
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
                shutil.rmtree(work, ignore_errors=True)  # gives the disk back
            raise os_fault(f"cannot pull {name}", error, str(self._root)) from error
        return self.find(name, precision)

    def use(self, name: str, precision: Precision) -> None:
        """Note that somebody uses a model, so that others leave the disk before it."""
        self._pulled.use(self.folder(name, precision))

    def install(self, made: Path, name: str, precision: Precision) -> None:
        """Put the finished folder ``made``, prepared here, in the place of what is there."""
        folder = self.folder(name, precision)
        if folder.exists():
            retire(folder)
        made.rename(folder)
        self._pulled.forget(folder)

    def warm(self, models: Collection[tuple[str, Precision]]) -> None:
        """Say what this process holds loaded; what it held before may leave the disk again."""
        self._pulled.warm([self.folder(*model) for model in models])

    def _is_current(self, manifest: Manifest, model: Model) -> bool:
        """True when it was made the way it would be made now, of the weights installed here."""
        if manifest.recipe != recipe(model, manifest.precision):
            return False
        return not is_bundled(model) or manifest.source == self._source_digest(model)

    def available(self) -> list[tuple[str, Precision]]:
        """What can be served here without a network: prepared already, or bundled.

        Hashes are left to whoever loads: a worker's parent asks this between two beats, and would
        miss some over a large model that has just come.
        """
        return [
            (name, precision)
            for name in self.catalogue.names
            for precision in self.catalogue.get(name).precisions
            if is_at_hand(self.catalogue.get(name)) or self._unread(name, precision)
        ]

    def files_of(self, name: str) -> tuple[tuple[str, int, int], ...]:
        """Name, size and time of every file that is here of a model, in whatever precision."""
        found = []
        for path in sorted(self._root.glob(f"{name}/[!.]*/**/*")):
            with suppress(OSError):  # just removed
                stat = path.stat()
                found.append((str(path), stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    def memory_needed(self, name: str, precision: Precision) -> int:
        """Bytes a model holds once it is loaded: as measured where it was prepared, or guessed.

        One that is still to be pulled counts as the store's manifest says.
        """
        manifest = Manifest.read(self.folder(name, precision))
        measured = manifest.memory_bytes if manifest else self._published_memory(name, precision)
        return measured or loaded_bytes(self.catalogue.get(name).memory_mib, precision)

    def remove(self, name: str, precision: Precision) -> int:
        """Delete one prepared model; returns the bytes given back, 0 when there was none."""
        self.known(name, precision)
        folder = self.folder(name, precision)
        if not folder.is_dir():
            return 0
        with self.alone(name, precision, lambda message, fraction: None):
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            retire(folder)
            self._pulled.forget(folder)
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
                report("waiting for another process that prepares it", 0.0)
                fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in parent.glob(f".{precision.value}.*"):
                # Nobody else may work on it now, so it belongs to a process that was killed.
                shutil.rmtree(leftover, ignore_errors=True)
            yield

    def known(self, name: str, precision: Precision) -> Model:
        """The catalogue's entry; raises UnknownModel, also for a precision it does not have."""
        model = self.catalogue.get(name)
        if precision not in model.precisions:
            raise UnknownModel(
                f"{name} does not exist in this precision",
                field="precision",
                value=precision.value,
                allowed=", ".join(model.precisions),
            )
        return model

    def folder(self, name: str, precision: Precision) -> Path:
        """Where a prepared model lies, or would lie."""
        return self._root / name / precision.value

    def _source_digest(self, model: Model) -> str:
        source = find_source(model)
        signature = source.signature
        if signature not in self._source_digests:
            self._source_digests[signature] = source.digest()
        return self._source_digests[signature]

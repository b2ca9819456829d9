"""The blob sets of one rendering process: which part of which model belongs to which."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from pathlib import Path

from winepress_shared.stores.base import BytesCallback
from winepress_worker.blobs.blob_set import BlobSet
from winepress_worker.blobs.registry import BlobRegistry
from winepress_worker.models.manifest import Manifest, Prepared
from winepress_worker.placement import Place

log = logging.getLogger(__name__)

_FOLDER = "shared"
#: Most bytes of one set: as many copies of a part's weights, and something for small networks.
_COPIES, _LEAST_BYTES = 4, 64 * 2**20


class SharedBlobs:
    """Hands out blob sets, and offers those that were used to the store; for threads."""

    def __init__(self, folder: Path, registry: BlobRegistry) -> None:
        """The sets lie below ``folder``, each named by its key."""
        self._folder = folder / _FOLDER
        self._registry = registry
        self._sets: dict[str, BlobSet] = {}
        self._used: dict[str, BlobSet] = {}
        self._turn = threading.Lock()

    def of(self, prepared: Prepared, part: str, place: Place) -> BlobSet | None:
        """The set of a model's part at its place; None where it is not known what would fit."""
        from winepress_worker.engines.devices import traits_of  # OpenVINO, where it draws anyway

        manifest, device = Manifest.read(prepared.path), place.device.real
        try:
            traits = traits_of(device, place.arithmetic)
        except RuntimeError as error:  # OpenVINO's, of a device that does not say what it is
            log.warning("compiled blobs are not shared: %s cannot be asked: %s", device, error)
            return None
        if manifest is None or traits is None:
            return None
        files = {name: one for name, one in manifest.files.items() if name.startswith(f"{part}/")}
        hashes = {name: one.sha256 for name, one in files.items()}
        text = json.dumps([hashes, traits], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        with self._turn:
            if key not in self._sets:
                title = f"{prepared.name}.{prepared.precision.value}, {part} on {device}"
                most = _COPIES * sum(file.size for file in files.values()) + _LEAST_BYTES
                folder = self._folder / key
                self._sets[key] = BlobSet(folder, title, most, self._registry, self._note)
            return self._sets[key]

    def _note(self, blobs: BlobSet) -> None:
        with self._turn:
            self._used[blobs.key] = blobs

    def offer(self, on_bytes: BytesCallback) -> None:
        """Offer what was used since the last call; what is in use now comes next time.

        Raises StoreUnreachable, OSError, and what ``on_bytes`` raises; the rest comes next time.
        """
        with self._turn:
            used = dict(self._used)
        for key, blobs in used.items():
            with self._turn:  # taken out first: it may be used again meanwhile
                del self._used[key]
            try:
                is_done = blobs.offer(on_bytes)
            except BaseException:
                self._note(blobs)
                raise
            if not is_done:
                self._note(blobs)

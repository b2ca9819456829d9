"""The models published in the store, as this machine's renderers last saw them.

A worker's parent opens lanes by this index, and must stay too small for a store client; so the
rendering processes write the index into a file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import islice

from winepress_shared.atomic_file import atomic_write
from winepress_shared.documents import OfferDocument, OffersDocument, read_document
from winepress_shared.errors import EnvironmentFault, FailForGood, InvalidJob, StoreUnreachable
from winepress_shared.lane import Lane, Precision
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.models.registry import ModelRegistry, Offer

log = logging.getLogger(__name__)

_LOOK_S = 8.0  #: between two reads of the store
_MAX_BYTES = 2**20
_STORE_DIGITS = 12  #: hexadecimal digits that tell stores apart
_MOST = 2000  #: models in the index

#: Code for a separate process, see `look_elsewhere`.
_LOOK = "from winepress_worker.models.registry_index import look_once; look_once()"
_TIMEOUT_S = 120


_Offers = dict[tuple[str, Precision], int | None]  #: model → memory in bytes, where that is known


class RegistryIndex:
    """The index of one farm and its store on one machine; farms of one name may share a home."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.store_folder
        place = (settings.s3_endpoint, settings.s3_bucket) if folder is None else folder.absolute()
        store = hashlib.sha256(str(place).encode()).hexdigest()[:_STORE_DIGITS]
        self._file = settings.home / f"registry-{settings.farm}-{store}.json"
        self._memory: dict[Offer, int | None] = {}  # as `look` saw it last
        self._parsed: tuple[object, _Offers] = (None, {})  # version of the file, what it says

    def read(self) -> list[tuple[str, Precision]]:
        """Every model and precision in the index; empty before the first `look`."""
        return list(self._read())

    def memory_of(self, model: str, precision: Precision) -> int | None:
        """Memory of the model by the store's manifest, in bytes; None where that gives none."""
        return self._read().get((model, precision))

    def _read(self) -> _Offers:
        """What the list says; each version of the file is parsed once."""
        try:
            with self._file.open("rb") as file:
                stat = os.fstat(file.fileno())
                version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                known, found = self._parsed
                if known != version:
                    found = _parse(file.read(_MAX_BYTES), self._file.name)
                    self._parsed = (version, found)
        except (OSError, FailForGood):
            return {}
        return found

    def look(self, registry: ModelRegistry) -> None:
        """Write the index if it has changed; raises StoreUnreachable and OSError."""
        found = self._ask(registry)
        if found == self._read():
            return
        offers = tuple(
            OfferDocument(lane=str(Lane(*model)), memory_bytes=memory)
            for model, memory in sorted(found.items())
        )
        self._file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self._file, OffersDocument(offers=offers).model_dump_json().encode())

    def _ask(self, registry: ModelRegistry) -> _Offers:
        """The models published now; a manifest is read once for each of its versions."""
        offers = list(islice(registry.offers(), _MOST))
        self._memory = {
            offer: self._memory[offer] if offer in self._memory else _memory(registry, offer)
            for offer in offers
        }
        return {(offer.model, offer.precision): self._memory[offer] for offer in offers}

    def watch(self, registry: ModelRegistry) -> None:
        """Keep the index current from a thread, for as long as this process lives."""

        def keep_looking() -> None:
            is_said = False
            while True:
                try:
                    self.look(registry)
                    is_said = False
                except (StoreUnreachable, OSError) as error:
                    if not is_said:
                        log.warning("cannot update the list of published models: %s", error)
                    is_said = True
                time.sleep(_LOOK_S)

        threading.Thread(target=keep_looking, name="registry-index", daemon=True).start()


def _parse(data: bytes, name: str) -> _Offers:
    """The list in ``data``; raises FailForGood for what is none."""
    found: _Offers = {}
    for offer in read_document(OffersDocument, data, name).offers:
        with suppress(InvalidJob):  # a precision of a later version, for example
            lane = Lane.parse(offer.lane)
            found[lane.model, lane.precision] = offer.memory_bytes
    return found


def _memory(registry: ModelRegistry, offer: Offer) -> int | None:
    try:
        manifest = registry.find(offer.model, offer.precision)
    except EnvironmentFault as error:  # raised again by a pull
        log.warning("%s.%s: %s", offer.model, offer.precision.value, error)
        return None
    return manifest.memory_bytes if manifest else None


def look_once() -> None:
    """Write the index of this farm; raises StoreUnreachable and OSError."""
    settings = Settings.load()
    RegistryIndex(settings).look(ModelRegistry(open_store(settings)))


def look_elsewhere() -> None:
    """Write the index from a separate process, so that this one stays small."""
    command = [sys.executable, "-c", _LOOK]
    try:
        subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - our own line of code
    except subprocess.TimeoutExpired:
        log.warning("the store did not list the published models within %d s", _TIMEOUT_S)

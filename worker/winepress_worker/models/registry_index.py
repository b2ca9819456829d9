"""What the store offers, as the renderers of this machine last saw it.

A worker's parent opens lanes by it, and must stay too small to hold a client of the store; so the
rendering processes write it into a file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pydantic import TypeAdapter

from winepress_shared.errors import InvalidJob, StoreUnreachable
from winepress_shared.lane import Lane, Precision
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_worker.models.registry import ModelRegistry

log = logging.getLogger(__name__)

_LOOK_S = 8.0  #: between two looks into the store
_MAX_BYTES = 2**20
_STORE_DIGITS = 12  #: hexadecimal digits that tell stores apart
_NAMES = TypeAdapter(list[str])

#: For a process of its own, see `look_elsewhere`.
_LOOK = "from winepress_worker.models.registry_index import look_once; look_once()"
_TIMEOUT_S = 120


class RegistryIndex:
    """The list of one farm and its store on one machine: farms of one name may share a home."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.store_folder
        place = (settings.s3_endpoint, settings.s3_bucket) if folder is None else folder.absolute()
        store = hashlib.sha256(str(place).encode()).hexdigest()[:_STORE_DIGITS]
        self._file = settings.home / f"offered-{settings.farm}-{store}.json"

    def read(self) -> list[tuple[str, Precision]]:
        """Every model and precision on the list; none when nobody has looked yet."""
        try:
            with self._file.open("rb") as file:
                lanes = [Lane.parse(name) for name in _NAMES.validate_json(file.read(_MAX_BYTES))]
        except (OSError, ValueError, InvalidJob):
            return []
        return [(lane.model, lane.precision) for lane in lanes]

    def look(self, registry: ModelRegistry) -> None:
        """Write the list anew if it has changed; raises StoreUnreachable and OSError."""
        found = sorted(registry.names())
        if found != self.read():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".offered-")
            with os.fdopen(handle, "w") as file:
                json.dump([str(Lane(*one)) for one in found], file)
            Path(name).replace(self._file)

    def watch(self, registry: ModelRegistry) -> None:
        """Keep the list true from a thread of its own, for as long as this process lives."""

        def keep_looking() -> None:
            is_said = False
            while True:
                try:
                    self.look(registry)
                    is_said = False
                except (StoreUnreachable, OSError) as error:
                    if not is_said:
                        log.warning("the list of published models stays as it is: %s", error)
                    is_said = True
                time.sleep(_LOOK_S)

        threading.Thread(target=keep_looking, name="offered", daemon=True).start()


def look_once() -> None:
    """Write the list of this farm; raises StoreUnreachable and OSError."""
    settings = Settings.load()
    RegistryIndex(settings).look(ModelRegistry(open_store(settings)))


def look_elsewhere() -> None:
    """Have a process of its own write the list, so that this one stays small."""
    command = [sys.executable, "-c", _LOOK]
    subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - our own line of code

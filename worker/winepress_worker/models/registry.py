"""Prepared models in the farm's store: pushed by one machine, pulled by all others.

Layout: ``models/files/SHA256`` is one file, whatever models it belongs to, and
``models/manifests/NAME.PRECISION.json``, written last, names the files of one model. Anybody who
may write to the store can change the models of the farm's workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from winepress_shared.errors import EnvironmentFault, InvalidJob, ObjectMissing, ObjectTooLarge
from winepress_shared.lane import Lane, Precision
from winepress_shared.stores.base import BytesCallback, Store
from winepress_worker.models.content import MAX_MANIFEST_BYTES
from winepress_worker.models.manifest import FileRecord, Manifest
from winepress_worker.report import Report

_MANIFESTS, _FILES, _JSON = "models/manifests/", "models/files/", ".json"


class Offer(NamedTuple):
    """One published model."""

    model: str
    precision: Precision
    version: str  #: of its manifest; changes when that is written again


class ModelRegistry:
    """The models published in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> Iterator[tuple[str, Precision]]:
        """Every published model and precision; raises StoreUnreachable."""
        return ((offer.model, offer.precision) for offer in self.offers())

    def offers(self) -> Iterator[Offer]:
        """The same, with the version of each; raises StoreUnreachable."""
        for item in self._store.list(_MANIFESTS):
            try:
                name = item.key.removeprefix(_MANIFESTS).removesuffix(_JSON)
                lane = Lane.parse(name)
            except InvalidJob:
                continue  # not one of ours
            yield Offer(lane.model, lane.precision, item.version)

    def find(self, name: str, precision: Precision) -> Manifest | None:
        """The manifest of a published model; None if it is not published.

        Raises StoreUnreachable, and EnvironmentFault for a manifest that is not usable.
        """
        key = _manifest_key(name, precision)
        try:
            manifest = Manifest.model_validate_json(self._store.get(key, most=MAX_MANIFEST_BYTES))
        except ObjectMissing:
            return None
        except ObjectTooLarge as error:
            raise _unusable(key, error.problem) from None
        except ValidationError as error:
            raise _unusable(key, error.errors(include_url=False)[0]["msg"]) from None
        if (manifest.model, manifest.precision) != (name, precision):
            raise _unusable(key, "it belongs to another model")
        return manifest

    def push(self, manifest: Manifest, folder: Path, report: Report, *, replace: bool) -> int:
        """Publish the model in ``folder``; returns the bytes sent.

        Files in the store are not sent again unless ``replace`` is set, and an interrupted upload
        resumes. Raises StoreUnreachable, and OSError for the folder.
        """
        total = max(sum(file.size for file in manifest.files.values()), 1)
        done = sent = 0
        for name, file in manifest.files.items():
            if replace or not self._holds(file):
                on_bytes = percents(f"sending {name}", done, total, report)
                self._store.put_file(_file_key(file), folder / name, on_bytes=on_bytes)
                sent += file.size
            done += file.size
        text = manifest.model_dump_json(indent=1).encode()
        key = _manifest_key(manifest.model, manifest.precision)
        self._store.put(key, text, content_type="application/json")
        return sent

    def fetch(self, file: FileRecord, path: Path, on_bytes: BytesCallback) -> None:
        """Complete ``path``, which holds the beginning of ``file`` or nothing.

        Writes no more than the recorded size; the caller compares the hash. Raises what
        `Store.get_file` raises.
        """
        self._store.get_file(_file_key(file), path, most=file.size, on_bytes=on_bytes)

    def _holds(self, file: FileRecord) -> bool:
        found = self._store.head(_file_key(file))
        return found is not None and found.size == file.size


def percents(message: str, before: int, total: int, report: Report) -> BytesCallback:
    """A callback that reports each whole percent of ``total``, ``before`` of it done already."""
    heard = -1

    def on_bytes(count: int) -> None:
        nonlocal heard
        percent = 100 * (before + count) // total
        if percent > heard:
            heard = percent
            report(message, percent / 100)

    return on_bytes


def _unusable(key: str, problem: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the store's manifest of the model is not usable: {problem}",
        value=key,
        hint="push the model again from a machine with an intact copy",
    )


def _manifest_key(name: str, precision: Precision) -> str:
    return f"{_MANIFESTS}{name}.{precision.value}{_JSON}"


def _file_key(file: FileRecord) -> str:
    return f"{_FILES}{file.sha256}"

"""A farm's part of a store that other farms may share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from winepress_shared.stores.base import (
    MAX_GET_BYTES,
    BytesCallback,
    Store,
    StoredObject,
    ignore_bytes,
)


class FarmStore:
    """Stores every key of its callers as ``FARM/KEY`` in the underlying store.

    So no caller can forget the farm's name, and documents do not depend on it. The farm's name
    shortens the longest key.
    """

    def __init__(self, store: Store, farm: str) -> None:
        self._store = store
        self._prefix = f"{farm}/"

    def __repr__(self) -> str:
        return f"{self._store!r} below {self._prefix}"

    def check(self, key: str = "") -> None:
        """Check that the store can be used; see `Store.check`."""
        self._store.check(self._prefix + key if key else "")

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write an object, replacing any older one under the same key."""
        self._store.put(self._prefix + key, data, content_type=content_type, metadata=metadata)

    def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> bool:
        """Write an object only if the key is free; see `Store.put_new`."""
        return self._store.put_new(
            self._prefix + key, data, content_type=content_type, metadata=metadata
        )

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        only_new: bool = False,
        on_bytes: BytesCallback = ignore_bytes,
    ) -> bool:
        """Write a file of any size in pieces; see `Store.put_file`."""
        return self._store.put_file(
            self._prefix + key,
            path,
            content_type=content_type,
            metadata=metadata,
            only_new=only_new,
            on_bytes=on_bytes,
        )

    def get_file(
        self, key: str, path: Path, *, most: int, on_bytes: BytesCallback = ignore_bytes
    ) -> None:
        """Read an object into a file, resuming at its end; see `Store.get_file`."""
        self._store.get_file(self._prefix + key, path, most=most, on_bytes=on_bytes)

    def get(self, key: str, *, most: int = MAX_GET_BYTES) -> bytes:
        """Read an object; raises ObjectMissing or ObjectTooLarge."""
        return self._store.get(self._prefix + key, most=most)

    def head(self, key: str) -> StoredObject | None:
        """Describe an object, with its metadata; None if it does not exist."""
        found = self._store.head(self._prefix + key)
        return None if found is None else replace(found, key=key)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object of the farm whose key starts with ``prefix``, without metadata."""
        for found in self._store.list(self._prefix + prefix):
            yield replace(found, key=found.key.removeprefix(self._prefix))

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""
        self._store.delete(self._prefix + key)

    def clean(self, prefix: str, older_s: float) -> int:
        """Remove what killed transfers left; see `Store.clean`."""
        return self._store.clean(self._prefix + prefix, older_s)

    def url(self, key: str, expires_s: int = 3600) -> str:
        """A link that reads the object without credentials; see `Store.url`."""
        return self._store.url(self._prefix + key, expires_s)

"""The one interface every store of outputs speaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """What a store knows about one object."""

    key: str
    size: int  #: in bytes
    metadata: Mapping[str, str] = field(default_factory=dict)  #: ASCII keys and values


class Store(Protocol):
    """Keys are relative, slash-separated ASCII paths; values are whole byte strings.

    Every method raises StoreUnreachable when the store does not answer and StoreRefused when it
    refuses the credentials or has no such bucket.
    """

    def check(self) -> None:
        """Return when the store can be used; raise otherwise."""

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write an object, replacing any older one under the same key."""

    def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> bool:
        """Write an object only if the key is free; False when it was taken already."""

    def get(self, key: str) -> bytes:
        """Read an object; raises ObjectMissing."""

    def head(self, key: str) -> StoredObject | None:
        """Describe an object, with its metadata; None when there is none."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key begins with ``prefix``, in key order, without metadata."""

    def delete(self, key: str) -> None:
        """Remove an object; removing none is no error."""

    def url(self, key: str, expires_s: int = 3600) -> str:
        """A link that reads the object without credentials, valid for ``expires_s`` seconds."""

"""The interface of every store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from winepress_shared.errors import ObjectTooLarge

MAX_KEY_CHARACTERS = 512
MAX_SEGMENT_CHARACTERS = 200  #: file names have at most 255 bytes; leaves room for a temporary name
MAX_METADATA_BYTES = 2048  #: names and values together: the limit of S3
PROBED_BYTES = 64 * 2**10  #: what `Store.check` writes: more than what a full disk still takes
MAX_GET_BYTES = 64 * 2**20  #: default limit of `Store.get`
MAX_URL_S = 7 * 24 * 3600  #: longest life of a link, in seconds: the limit of signature version 4

#: Printable ASCII except the backslash. No leading dot, which would mean ``..`` or a hidden file.
_SEGMENT = rf"[!-\-0-\[\]-~][ -.0-\[\]-~]{{0,{MAX_SEGMENT_CHARACTERS - 1}}}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*\Z")
_METADATA_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")  # S3 folds names to lower case
_METADATA_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?\Z")  # HTTP strips outer spaces

#: Called with the number of bytes transferred so far; may raise to stop the transfer.
BytesCallback = Callable[[int], None]


def ignore_bytes(on_bytes: int) -> None:
    """A `BytesCallback` that does nothing."""


@dataclass(frozen=True)
class StoredObject:
    """Size, metadata and version of one object."""

    key: str
    size: int  #: in bytes
    metadata: Mapping[str, str] = field(default_factory=dict)  #: ASCII keys and values
    version: str = field(default="", compare=False)  #: in a listing; changes with the content
    #: In a listing: Unix seconds of the last write, by the store's clock.
    written: float = field(default=0.0, compare=False)


class Store(Protocol):
    """Keys are relative, slash-separated ASCII paths; values are whole byte strings or files.

    Every method is thread-safe, and raises StoreUnreachable if the store does not answer,
    StoreRefused if it refuses the credentials or has no such bucket, and ValueError for a key,
    metadata or duration outside the bounds of `check_key`, `check_metadata` and ``MAX_URL_S``.
    """

    def check(self, key: str = "") -> None:
        """Check that the store can be used, and ``key`` be written if one is given; raises if not.

        What is written there is replaced.
        """

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
        """Write an object only if the key is free; False if it was taken.

        After a lost reply, a retry finds its own object and returns False too: compare the metadata
        before concluding that another writer was first.
        """

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
        """Write the file ``path`` of any size in pieces; needs a few dozen MiB of memory.

        No reader sees half of it. With ``only_new`` it is written only if the key is free: False
        if it was taken, see `put_new`. A call without metadata resumes a killed call for the same
        key and sends only what differs. Raises OSError if ``path`` cannot be read.
        """

    def get_file(
        self, key: str, path: Path, *, most: int, on_bytes: BytesCallback = ignore_bytes
    ) -> None:
        """Read an object of up to ``most`` bytes into the file ``path``, resuming at its end.

        ``path`` must hold the beginning of the same object, or nothing; an interrupted call leaves
        a longer beginning. Compare a digest: the object may have been replaced meanwhile. Raises
        ObjectMissing, ObjectTooLarge before anything is written, and OSError if ``path`` cannot be
        written (ENOSPC: the disk is full).
        """

    def get(self, key: str, *, most: int = MAX_GET_BYTES) -> bytes:
        """Read an object of up to ``most`` bytes; raises ObjectMissing or ObjectTooLarge.

        Anybody who may write to the store decides its objects' sizes, so every reader has a limit.
        """

    def head(self, key: str) -> StoredObject | None:
        """Describe an object, with its metadata; None if it does not exist."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix``, without metadata.

        Objects whose key fails `is_key` are not ours and are left out. Keys of one folder are in
        key order; the order of folders depends on the server (SeaweedFS lists ``a/`` before
        ``a-b/``, AWS after).
        """

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""

    def clean(self, prefix: str, older_s: float) -> int:
        """Remove what killed transfers of keys with ``prefix`` left longer ago than ``older_s``.

        Returns how many there were. They are no objects: only this method sees them.
        """

    def url(self, key: str, expires_s: int = 3600) -> str:
        """A link that reads the object without credentials, valid for ``expires_s`` seconds."""


def check_size(key: str, size: int, most: int) -> None:
    """Raise ObjectTooLarge if an object of ``size`` bytes exceeds its reader's limit."""
    if size > most:
        raise ObjectTooLarge(
            f"an object in the store is too large: {size} bytes",
            value=key,
            allowed=f"up to {most} bytes",
        )


def is_key(key: str) -> bool:
    """True when ``key`` can name an object in every store."""
    return len(key) <= MAX_KEY_CHARACTERS and _KEY.match(key) is not None


def check_key(key: str) -> str:
    """Return ``key``; raises ValueError unless it can name an object in every store."""
    if not is_key(key):
        raise ValueError(f"not a valid object key: {key[:80]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix``; raises ValueError unless an object key can start with it."""
    if prefix:
        check_key(f"{prefix}x" if prefix.endswith("/") else prefix)
    return prefix


def check_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """A copy of ``metadata``; raises ValueError unless every store keeps it unchanged.

    Names are lower case letters, digits and dashes; values are printable ASCII without outer
    spaces; the total is at most ``MAX_METADATA_BYTES``.
    """
    entries = dict(metadata or {})
    for name, value in entries.items():
        if not _METADATA_NAME.match(name) or not _METADATA_VALUE.match(value):
            raise ValueError(f"not valid object metadata: {name[:80]!r}")
    if sum(len(name) + len(value) for name, value in entries.items()) > MAX_METADATA_BYTES:
        raise ValueError(f"object metadata is larger than {MAX_METADATA_BYTES} bytes")
    return entries


def check_expiry(expires_s: int) -> int:
    """Return ``expires_s``; raises ValueError unless it is 1 to ``MAX_URL_S`` seconds."""
    if not 1 <= expires_s <= MAX_URL_S:
        raise ValueError(f"a link must expire after 1 to {MAX_URL_S} seconds, not {expires_s}")
    return expires_s

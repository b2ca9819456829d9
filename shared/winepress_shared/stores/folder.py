"""A store in a folder, which is local or shared by several machines.

An object is a file; its metadata is a hidden file beside it. Both are written under a temporary
hidden name and then renamed, so that no reader sees half of an object.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from winepress_shared.atomic_file import PARTIAL
from winepress_shared.causes import lack_of
from winepress_shared.errors import AccessRefused, ObjectMissing, StoreUnreachable
from winepress_shared.outage_log import Contact
from winepress_shared.stores.base import (
    MAX_GET_BYTES,
    MAX_METADATA_BYTES,
    PROBED_BYTES,
    BytesCallback,
    StoredObject,
    check_expiry,
    check_key,
    check_metadata,
    check_prefix,
    check_size,
    ignore_bytes,
)
from winepress_shared.stores.folder_names import open_in_folder, remove_empty, sync_names, walk
from winepress_shared.stores.partial_file import open_partial, remove_if_left

_BLOCK_BYTES = 2**20  #: copied at a time
_LOCK = ".lock"
_NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FolderStore:
    """Objects of one folder, which is created at first use.

    Every user needs write access, and the file system needs ``flock`` (as on Linux, NFS version 4
    and SMB).
    """

    def __init__(self, root: Path, *, syncs_names: bool = False) -> None:
        """``syncs_names`` has a write return when the disk has the object's name too."""
        self.contact = Contact("store")
        self._root = root.absolute()
        self._syncs_names = syncs_names

    def __repr__(self) -> str:
        return f"FolderStore({str(self._root)!r})"

    def check(self, key: str = "") -> None:
        """Check that the folder can be written; see `Store.check`."""
        with self._locked(fcntl.LOCK_SH):
            pass
        if key:
            self.put(key, os.urandom(PROBED_BYTES))

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write an object, replacing any older one under the same key."""
        self._put(key, data, metadata, only_new=False)

    def put_new(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> bool:
        """Write an object only if the key is free; False if it was taken."""
        return self._put(key, data, metadata, only_new=True)

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
        target, text = self._path(key), _notes_text(metadata)
        hidden = target.with_name(f".{target.name}{PARTIAL}")
        with path.open("rb") as source, self._errors(), open_partial(hidden) as partial:
            while block := source.read(_BLOCK_BYTES):
                partial.put(block)
                on_bytes(source.tell())
            partial.seal()
            return self._place(partial.path, target, text, only_new=only_new)

    def get_file(
        self, key: str, path: Path, *, most: int, on_bytes: BytesCallback = ignore_bytes
    ) -> None:
        """Read an object into a file, resuming at its end; see `Store.get_file`."""
        with path.open("ab") as file:
            for block in self._rest(key, file, most):
                file.write(block)
                on_bytes(file.tell())

    def get(self, key: str, *, most: int = MAX_GET_BYTES) -> bytes:
        """Read an object; raises ObjectMissing or ObjectTooLarge."""
        with self._opened(key) as file:
            check_size(key, os.fstat(file.fileno()).st_size, most)
            data = file.read(most + 1)
            check_size(key, len(data), most)  # it grew
            return data

    def head(self, key: str) -> StoredObject | None:
        """Describe an object, with its metadata; None if it does not exist."""
        path = self._path(key)
        with self._locked(fcntl.LOCK_SH):
            if not path.is_file():
                return None
            return StoredObject(key, path.stat().st_size, _read_notes(_notes(path)))

    def clean(self, prefix: str, older_s: float) -> int:
        """Remove what killed transfers left; see `Store.clean`."""
        folder, before = self._root / check_prefix(prefix), time.time() - older_s
        return sum(remove_if_left(path, before) for path in folder.rglob(f".*{PARTIAL}"))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix``, without metadata."""
        folder, _, start = check_prefix(prefix).rpartition("/")
        self.check()
        with self._errors():
            yield from walk(self._root / folder, f"{folder}/" if folder else "", start)

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""
        path = self._path(key)
        with self._locked(fcntl.LOCK_EX), contextlib.suppress(*_NO_FILE):
            path.unlink()
            _notes(path).unlink(missing_ok=True)
            remove_empty(path.parent, self._root)

    def url(self, key: str, expires_s: int = 3600) -> str:
        """A ``file:`` link, valid where the folder is mounted; it does not expire."""
        check_expiry(expires_s)
        return self._path(key).as_uri()

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _put(
        self, key: str, data: bytes, metadata: Mapping[str, str] | None, *, only_new: bool
    ) -> bool:
        path = self._path(key)
        file = path.with_name(f".{uuid.uuid4().hex}")
        text = _notes_text(metadata)
        with self._errors():
            try:
                _write(file, data)
                return self._place(file, path, text, only_new=only_new)
            finally:
                file.unlink(missing_ok=True)

    def _place(self, file: Path, path: Path, text: bytes, *, only_new: bool) -> bool:
        """Move the finished ``file`` to ``path``, with ``text`` as its metadata file."""
        notes = path.with_name(f".{uuid.uuid4().hex}.json")
        try:
            _write(notes, text)
            with self._locked(fcntl.LOCK_EX):
                if only_new:
                    try:
                        path.hardlink_to(file)
                    except FileExistsError:
                        return False
                notes.replace(_notes(path))
                if not only_new:
                    file.replace(path)
            if self._syncs_names:
                sync_names(path.parent, self._root)
            return True
        finally:
            notes.unlink(missing_ok=True)

    def _rest(self, key: str, held: BinaryIO, most: int) -> Iterator[bytes]:
        """The object from the end of ``held``, emptied if longer; raises ObjectMissing."""
        with self._opened(key) as file:
            size = os.fstat(file.fileno()).st_size
            check_size(key, size, most)
            if held.tell() > size:
                held.seek(0)
                held.truncate()
            file.seek(held.tell())
            while block := file.read(_BLOCK_BYTES):
                check_size(key, file.tell(), most)
                yield block

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        """The file of an object; raises ObjectMissing."""
        path = self._path(key)
        with self._errors():
            try:
                file = path.open("rb")
            except _NO_FILE:
                self.check()
                raise ObjectMissing("the store has no such object", value=key) from None
            with file:
                yield file

    @contextmanager
    def _locked(self, operation: int) -> Iterator[None]:
        """Lock for several readers or one writer, so that object and metadata match."""
        with self._errors():
            self._root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(handle, operation)
                yield
            finally:
                os.close(handle)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with self.contact:
            try:
                yield
            except PermissionError:
                raise AccessRefused(f"no permission to use the folder {self._root}") from None
            except OSError as error:
                if lack := lack_of(error):
                    raise AccessRefused(f"the folder {self._root} cannot be used: {lack}") from None
                raise StoreUnreachable(
                    f"the folder {self._root} cannot be used: {error.strerror}",
                    hint="see the setting store_folder",
                ) from None


def _write(path: Path, data: bytes) -> None:
    """Write and sync a new file, so that power loss cannot leave half of it."""
    with open_in_folder(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _notes(path: Path) -> Path:
    """The metadata file of the object at ``path``."""
    return path.with_name(f".{path.name}.json")


def _notes_text(metadata: Mapping[str, str] | None) -> bytes:
    return json.dumps(check_metadata(metadata), sort_keys=True).encode("ascii")


def _read_notes(path: Path) -> dict[str, str]:
    """Metadata of one object; empty if its file is missing or not ours."""
    try:
        with path.open("rb") as file:
            return check_metadata(json.loads(file.read(8 * MAX_METADATA_BYTES)))
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return {}

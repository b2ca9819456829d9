"""Who may write and read compiled blobs in the store: workers."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from support.guarded_farm import farm_of_up

from winepress_deploy.roles import Role
from winepress_shared.errors import StoreRefused
from winepress_shared.stores.base import ignore_bytes
from winepress_shared.stores.s3_multipart import PART_BYTES
from winepress_worker.blobs.registry import BlobRegistry


def test_a_worker_offers_and_fetches_compiled_blobs(tmp_path: Path) -> None:
    """In one piece or in parts; nobody else reads or writes them, and it deletes none."""
    (tmp_path / "1.blob").write_bytes(bytes(PART_BYTES + 1))
    (tmp_path / "2.blob").write_bytes(b"small")
    key, there = secrets.token_hex(32), tmp_path / "there"
    there.mkdir()
    with farm_of_up(tmp_path / "farm") as farm:
        blobs = BlobRegistry(farm.store(Role.WORKER))
        for number in (1, 2):
            blobs.offer(key, tmp_path / f"{number}.blob", ignore_bytes)
        fetched = blobs.fetch(key, there, 2**30)
        assert fetched
        assert fetched.files == ("1.blob", "2.blob")
        stored = blobs.find(key)["2.blob"].key
        with pytest.raises(StoreRefused, match="does not allow"):
            farm.store(Role.WORKER).delete(stored)
        for role in (Role.PRODUCER, Role.GATEWAY):
            with pytest.raises(StoreRefused, match="does not allow"):
                farm.store(role).put(stored, b"x")
            with pytest.raises(StoreRefused, match="does not allow"):
                farm.store(role).get(stored)

"""Compiled blobs go when they are old."""

from __future__ import annotations

import time

import pytest
from support.old_jobs import DAYS

from winepress import Client
from winepress.blob_cleaning import BlobCleaning
from winepress.cleaning import DAY_S, Cleaning

_BLOBS = ["blobs/k/1-x.blob", "blobs/k/2-x.blob"]


def _gone(client: Client, *, days_later: float, dry_run: bool = False) -> list[str]:
    now = time.time() + days_later * DAY_S
    cleaning = Cleaning(client, DAYS, now=now, dry_run=dry_run)
    return [one.key for one in BlobCleaning(client, cleaning).run()]


@pytest.mark.parametrize("kind", ["dry", "real"])
def test_compiled_blobs_go_by_age_alone(client: Client, kind: str) -> None:
    """Whoever still has a blob offers it again; a dry run only tells."""
    store = client.archive.store
    for key in (*_BLOBS, "models/files/x", "jobs/j/out/000000.png"):
        store.put(key, b"x")
    assert _gone(client, days_later=DAYS - 1) == []
    assert _gone(client, days_later=DAYS + 1, dry_run=kind == "dry") == _BLOBS
    assert [one.key for one in store.list("blobs/")] == (_BLOBS if kind == "dry" else [])
    assert store.head("models/files/x")
    assert store.head("jobs/j/out/000000.png")

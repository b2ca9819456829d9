"""Farms that share a folder or a bucket do not meet in it."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from winepress_shared.settings import Settings
from winepress_shared.stores import open_store
from winepress_shared.stores.base import StoredObject

KEY = "jobs/j1/job.json"


def test_two_farms_of_one_store_do_not_see_each_other(
    store_settings: Settings, tmp_path: Path
) -> None:
    """Whatever one of them does under a key, the other's object of that key stays as it was."""
    # The name of one begins with the other's: what is listed must not run over.
    names = ("apart", "apart-too")
    ours, theirs = (open_store(store_settings.model_copy(update={"farm": name})) for name in names)
    theirs.put(KEY, b"theirs", metadata={"whose": "theirs"})
    assert ours.head(KEY) is None
    assert list(ours.list("")) == []

    (file := tmp_path / "file").write_bytes(b"ours")
    assert ours.put_file(KEY, file, metadata={"whose": "ours"}, only_new=True)
    assert not ours.put_new(KEY, b"again")
    ours.put("inputs/a.png", b"picture")
    assert [stored.key for stored in ours.list("jobs/")] == [KEY]
    assert ours.head(KEY) == StoredObject(KEY, 4, {"whose": "ours"})
    assert ours.get(KEY) == b"ours"
    ours.get_file(KEY, copy := tmp_path / "copy", most=4)
    assert copy.read_bytes() == b"ours"
    with urllib.request.urlopen(ours.url(KEY)) as reply:
        assert reply.read() == b"ours"

    ours.delete(KEY)
    assert theirs.get(KEY) == b"theirs"
    assert list(theirs.list("")) == [StoredObject(KEY, 6)]

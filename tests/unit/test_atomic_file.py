"""A file that is replaced is never seen half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from winepress_shared.atomic_file import PRIVATE, atomic_write, replacing


def test_a_reader_sees_the_old_bytes_until_the_new_ones_are_complete(tmp_path: Path) -> None:
    """The new file takes the place of the old one at once, and nothing else is left beside it."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with replacing(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Neither the old file nor the folder, whatever interrupts the writer."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def write_until_interrupted() -> None:
        with replacing(path) as part:
            part.write_bytes(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_until_interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    """The unfinished file has a name of its own, not a longer one."""
    path = tmp_path / ("x" * 255)
    atomic_write(path, b"data")
    assert path.read_bytes() == b"data"


def test_permissions_are_those_of_a_new_file_unless_it_is_private(tmp_path: Path) -> None:
    """The umask decides, as for any file; a private one is its owner's from its first byte."""
    umask = os.umask(0o027)
    try:
        atomic_write(tmp_path / "open", b"")
        atomic_write(tmp_path / "private", b"", mode=PRIVATE)
    finally:
        os.umask(umask)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open", "private")]
    assert modes == [0o640, 0o600]

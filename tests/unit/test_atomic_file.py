"""A file that is replaced is never seen half written."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from winepress_shared.atomic_file import PARTIAL, PRIVATE, atomic_write, replacing


def test_a_reader_sees_the_old_bytes_until_the_new_ones_are_complete(tmp_path: Path) -> None:
    """The new file takes the place of the old one at once, and nothing else is left beside it."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with replacing(path) as partial:
        partial.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Neither the old file nor the folder, whatever interrupts the writer."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def write_until_interrupted() -> None:
        with replacing(path) as partial:
            partial.write_bytes(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_until_interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


_KILLED = """
import os, pathlib, sys
from winepress_shared.atomic_file import replacing
with replacing(pathlib.Path(sys.argv[1])) as partial:
    partial.write_bytes(b"ne")
    os._exit(9)
"""


def test_what_a_killed_writer_left_is_gone_after_the_next_write(tmp_path: Path) -> None:
    """A fetch that is killed again and again does not fill the folder."""
    path = tmp_path / "picture.png"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
        assert [found.suffix for found in tmp_path.iterdir()] == [PARTIAL]
    atomic_write(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each has a file of its own until it is complete; the last one to end wins."""
    path = tmp_path / "picture.png"
    with replacing(path) as first:
        first.write_bytes(b"first")
        with replacing(path) as second:
            second.write_bytes(b"second")
            assert first.read_bytes() == b"first"
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_locks_is_written_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network folders are; what a killed writer left there stays, for it may live."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    path = tmp_path / "picture.png"
    subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr("winepress_shared.atomic_file.fcntl.flock", refuse)
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert set(tmp_path.iterdir()) == {path, left}


def test_a_link_in_place_of_the_unfinished_file_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others write to, a name that can be guessed must not lead elsewhere."""
    path, other = tmp_path / "picture.png", tmp_path / "other"
    other.write_bytes(b"theirs")
    with replacing(path) as partial:
        pass
    partial.symlink_to(other)
    atomic_write(path, b"new")
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"theirs")
    assert not path.is_symlink()


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

"""Files that a user names, wherever one may be named."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from winepress.bulk.bulk_file import read_lines
from winepress.bulk.wildcards import Wildcards
from winepress.cli import main
from winepress.client import Client
from winepress.handle import JobHandle
from winepress.job_files.job_file import read_job_file
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WinepressError, WrongUsage
from winepress_shared.jobs.picture import Picture
from winepress_shared.jobs.sound import Sound
from winepress_shared.regular_file import read_regular, size_text
from winepress_shared.result import Output
from winepress_shared.settings import Settings

DOORS: dict[str, Callable[[Path], object]] = {
    "job": read_job_file,
    "items": lambda path: list(read_lines(path, "jsonl")),
    "picture": Picture.load,
    "sound": Sound.load,
    "settings": lambda path: Settings.load({}, path),
    "catalogue": Catalogue.load,
    "wildcards": lambda path: list(Wildcards(path.parent).every("__odd__")),
}


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_fifo, make_folder, make_socket, make_endless])
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_plain_file_is_refused_at_once_through_every_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, make: Callable[[Path], None]
) -> None:
    """Nobody writes into that FIFO: whoever waited for it would wait for ever."""
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    make(Path("odd.txt"))
    with pytest.raises(WinepressError):
        DOORS[door](Path("odd.txt").absolute())


@pytest.mark.parametrize(
    "words",
    [
        ("info",),
        ("batch", "--form", "prompts"),
        ("submit", "--file"),
        ("submit", "zoom-video", "--prompts"),
    ],
)
def test_the_command_refuses_a_fifo_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    """With the word for it, and the exit code of a mistake."""
    monkeypatch.setenv("WINEPRESS_STORE_FOLDER", str(tmp_path))
    os.mkfifo(tmp_path / "odd")
    assert main([*words, str(tmp_path / "odd")]) == 2
    assert "not a regular file" in capsys.readouterr().err


def test_a_picture_is_never_compared_with_a_fifo(tmp_path: Path) -> None:
    """Where it is to be saved, another thing is there already."""
    os.mkfifo(path := tmp_path / "j-000000.png")
    handle = JobHandle(Client(Settings(store_folder=tmp_path)), "j")
    output = Output(0, "jobs/j/out/000000.png", "0" * 64, 1, 0, 64, 64, "CPU", "manual", 0.1)
    with pytest.raises(WrongUsage, match="a different file exists there"):
        handle.save_as(output, path)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """The limit is inclusive, and one that never was a name is no traceback."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(path, 4)
    with pytest.raises(OSError, match="not a valid file name"):
        read_regular(Path("a\0b"), 4)
    assert read_regular(Path(os.devnull), 4) == b""


@pytest.mark.parametrize(
    ("count", "text"),
    [(64 * 2**20, "64 MiB"), (16 * 2**10, "16 KiB"), (2**20 + 1, "1048577 bytes"), (0, "0 bytes")],
)
def test_a_limit_is_told_in_the_largest_unit_that_is_exact(count: int, text: str) -> None:
    """No rounded number promises more than is allowed."""
    assert size_text(count) == text


def test_what_a_shell_hands_over_is_read_to_its_end() -> None:
    """``<(command)`` is a pipe that the shell closes."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b"items")
        os.close(writer)
        assert read_regular(Path(f"/dev/fd/{reader}"), 9) == b"items"
    finally:
        os.close(reader)

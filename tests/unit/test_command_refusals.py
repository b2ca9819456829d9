"""What a tired person asks of the command line, and is refused before the farm hears of it."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from winepress.cli import main
from winepress.commands.targets import check_targets


@pytest.mark.parametrize(
    "words",
    [
        ["submit", "text-to-image", "a"],
        ["batch", "--prompt", "a"],
        ["wait", "j1"],
        ["zoom", "recut", "j1"],
        ["fetch", "j1"],
        ["watch", "j1"],
    ],
)
@pytest.mark.parametrize("flag", ["--out", "--preview", "--previews"])
@pytest.mark.parametrize("place", ["file/pictures", "/proc/pictures", f"new/{'x' * 300}"])
def test_what_cannot_be_saved_is_said_before_anything_is_queued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], flag: str, place: str
) -> None:
    """Not after a night of drawing; below /proc not even root makes a folder."""
    (tmp_path / "file").touch()
    allowed = {"batch": ["--out"], "fetch": ["--out"], "watch": ["--previews"]}
    if flag in allowed.get(words[0], ["--out", "--preview"]):
        assert main([*words, flag, str(tmp_path / place)]) == 2
        assert f"{flag}: " in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_device_is_replaced_by_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """A preview takes the place of what bears its name."""
    assert main(["submit", "text-to-image", "a", "--preview", os.devnull]) == 2
    assert "--preview: this is not a plain file" in capsys.readouterr().err


def test_a_refused_job_leaves_no_folder_behind(tmp_path: Path) -> None:
    """The folder of ``--out`` is looked at, not made."""
    out = tmp_path / "new" / "folder"
    assert main(["submit", "text-to-image", "a", "--seed", "-2", "--out", str(out)]) == 4
    assert not list(tmp_path.iterdir())


def test_commands_of_one_moment_may_name_one_folder(tmp_path: Path) -> None:
    """A script starts ten of them side by side, and none has made the folder yet."""

    def check(number: int) -> None:
        check_targets(argparse.Namespace(out=tmp_path / str(number // 8) / "new"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(800)))
    assert not list(tmp_path.iterdir())


def test_a_batch_is_no_kind_of_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that takes one is named."""
    assert main(["submit", "batch", "a.csv"]) == 2
    assert "`winepress batch FILE`" in capsys.readouterr().err


def test_a_prompt_table_that_is_not_there_is_named_with_its_flag(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two flags take one."""
    assert main(["submit", "zoom-video", "--prompts-by-second", "none.json"]) == 2
    assert "--prompts-by-second: cannot read the file: No such file" in capsys.readouterr().err

"""What is fetched of a job while it goes on: each picture once, and no traceback."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from winepress.bulk.manifest import write_contact_sheets
from winepress.commands.follow import show_outputs
from winepress.console import Console
from winepress.handle import JobHandle
from winepress_shared.archive import Output, Result


def _output(unit: int) -> Output:
    key = f"jobs/j/out/{unit:06d}.png"
    return Output(unit, key, "0" * 64, 1, unit, 64, 64, "CPU", "one", 0.1)


def test_a_picture_that_ends_while_others_are_saved_is_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not in the folder yet, and another fetch brings it."""
    result = Result("j", (_output(0), _output(1)), ())
    handle = cast("JobHandle", SimpleNamespace(id="j", result=result, warnings=()))
    show_outputs(Console(json_lines=False), handle, [tmp_path / "j-000001.png"])
    assert capsys.readouterr().out == f"{tmp_path / 'j-000001.png'}\n"


def test_films_and_pictures_that_are_not_saved_are_left_out_of_contact_sheets(
    tmp_path: Path,
) -> None:
    """A zoom's last unit is its film, and a running job has pictures that came after the save."""
    Image.new("RGB", (8, 8)).save(tmp_path / "j-000000.png")
    (tmp_path / "j.mp4").write_bytes(b"a film")
    names = ("j-000000.png", "j-000001.png", "j.mp4")
    rows: list[dict[str, Any]] = [
        {"state": "done", "file": name, "name": "", "unit": unit, "prompt": "a fox"}
        for unit, name in enumerate(names)
    ]
    assert write_contact_sheets(rows, tmp_path) == [tmp_path / "contact-sheet-001.png"]
    assert write_contact_sheets(rows[1:], tmp_path) == []

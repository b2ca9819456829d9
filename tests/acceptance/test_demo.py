"""The demo does what it says, with the real command, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from winepress_shared import metadata
from winepress_worker.zoom.encoder import sampled

_COMMAND = str(Path(sys.executable).with_name("winepress"))
_DEMO_S = 360  #: the demo promises to take less than six minutes
_LOOK_S = 0.1


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Live processes that work in or below a folder, or name it on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        told = " ".join(process.info["cmdline"] or []) + " " + str(process.info["cwd"])
        if str(folder) in told and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _environment(model_home: Path) -> dict[str, str]:
    return {**os.environ, "WINEPRESS_HOME": str(model_home)}


@pytest.mark.slow
@pytest.mark.timeout(_DEMO_S + 60)
def test_the_demo_renders_eighteen_pictures_and_stops_cleanly(
    tmp_path: Path, model_home: Path
) -> None:
    """Pictures, a contact sheet, a killed worker, and no process or secret left behind.

    What an earlier demo kept there makes way, whatever bytes it drew.
    """
    out = tmp_path / "out"
    out.mkdir()
    (out / "zoom.mp4").write_bytes(b"the film of an earlier demo")
    run = subprocess.run(
        [_COMMAND, "demo", "--out", str(out)],
        env=_environment(model_home),
        capture_output=True,
        text=True,
        timeout=_DEMO_S,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    pictures = sorted(out.glob("[0-9][0-9]-*.png"))
    assert len(pictures) == 18
    assert all(metadata.read(path.read_bytes()).job().width == 256 for path in pictures)
    with Image.open(out / "contact-sheet.png") as sheet:
        assert min(sheet.size) > 500
    films = {path.stem: sampled(path, 2) for path in out.glob("*.mp4")}
    assert films.keys() == {"zoom", "zoom-recut"}
    assert all((out / f"{name}-filmstrip.png").is_file() for name in films)
    assert films["zoom"][-1][0] == pytest.approx(179 / 30)
    assert "nothing lost, nothing doubled: 12 pictures" in run.stdout
    assert "winepress.render(lane=vignette.fp16)" in run.stdout
    assert _processes_of(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_stops_the_demo_and_leaves_no_process(tmp_path: Path, model_home: Path) -> None:
    """SIGINT while the farm is up: exit code 130."""
    with subprocess.Popen(
        [_COMMAND, "demo", "--out", str(tmp_path / "out")],
        env=_environment(model_home),
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "Four prompts" in line:
                break
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(timeout=120) == 130
    deadline = time.monotonic() + 10
    while _processes_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    assert _processes_of(tmp_path) == []

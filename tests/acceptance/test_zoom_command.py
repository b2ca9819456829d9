"""Zooms from the command line: ordered, watched, fetched, cut anew, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import Run, environment, lines
from support.local_worker import LocalWorker, small_zoom

from winepress import Client, ZoomVideo
from winepress.cli import main
from winepress_shared.settings import Settings

_FLAGS = ("--size", "64x64", "--steps", "2", "--overlap", "8", "--fps", "10", "--seed", "5")


def test_a_zoom_is_ordered_watched_saved_and_cut_anew(
    run: Run, farm_settings: Settings, tmp_path: Path
) -> None:
    """Progress counts key frames, then frames; the newest key frame lies at hand meanwhile."""
    with LocalWorker(farm_settings).working():
        words = ("a valley", *_FLAGS, "--key-frames", "3", "--seconds-per-key-frame", "0.5")
        follow = ("--out", "out", "--preview", "newest.png", "--json")
        done = run("submit", "zoom-video", *words, *follow)
        assert done.returncode == 0, done.stderr
        order, end, *outputs = lines(done)
        recut = run("zoom", "recut", order["id"], "--fps", "20", "--size", "96x96", "--out", "out")
        assert recut.returncode == 0, recut.stderr
    assert (order["units"], end["state"]) == (4, "succeeded")
    assert [Path(one["path"]).name for one in outputs] == [
        *(f"{order['id']}-{index:06d}.png" for index in range(3)),
        f"{order['id']}.mp4",
    ]
    newest = (tmp_path / "newest.png").read_bytes()
    assert newest == (tmp_path / "out" / f"{order['id']}-000002.png").read_bytes()
    assert "3/3 key frames, 10/10 frames, succeeded" in done.stderr
    assert Path(recut.stdout.splitlines()[-1]).suffix == ".mp4"
    assert "film, 20/20 frames" in recut.stderr


def test_the_json_of_the_a1111_extension_is_ordered_as_it_is(
    run: Run, client: Client, tmp_path: Path
) -> None:
    """Nothing else need be said; what is said beside it wins."""
    table = {"prompts": {"data": [[0, "a door", ""], [2, "a garden", ""]]}, "outpaintAmount": 64}
    (tmp_path / "zoom.json").write_text(json.dumps(table | {"zoomMode": 1, "negPrompt": "text"}))
    done = run("submit", "--file", "zoom.json", "--border", "32x64", "--json")
    assert done.returncode == 0, done.stderr
    job = client.archive.read_job(lines(done)[0]["id"]).job
    assert isinstance(job, ZoomVideo)
    assert [job.prompt_of(index) for index in (0, 1, 2)] == ["a door", "a door", "a garden"]
    assert (job.border, job.negative_prompt) == ((32, 64), "text")


@pytest.fixture
def farm_environment(farm_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The farm of the test for a command that runs in this process."""
    for name, value in environment(farm_settings).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("farm_environment")
@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--border", "128"), "border: must be less than half the width"),
        (("--size", "250x256"), "width: vignette-inpaint does not support this size"),
        (("--prompts", "{}"), "prompts: the prompt table is empty"),
        (("--prompts", '{"3": "a", "1": "b"}'), "prompts: the prompt table is out of order"),
        (("--prompts-by-second", '[[2, "a"], [2, "b"]]'), "the prompt table is out of order"),
        (("--size", "256x256", "--image", "wide.png"), "image: the picture has another aspect"),
        (("--audio", "broken.wav"), "audio: damaged wav file: it has no playable sound"),
        (("--film-format", "gif", "--audio", "broken.wav"), "audio: damaged"),
        (("--key-frames", "0"), "key_frames: too small"),
        (("--model", "vignette"), "kind: vignette does not support zoom-video"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_zoom_that_cannot_be_is_refused_with_the_reason_and_leaves_nothing(
    flags: tuple[str, ...],
    reason: str,
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 4, one sentence, no job."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (256, 192)).save("wide.png")
    Path("broken.wav").write_bytes(b"RIFF    WAVEbroken")
    assert main(["submit", "zoom-video", "a valley", *flags]) == 4
    assert reason in capsys.readouterr().err
    assert client.list() == []
    assert list(client.archive.store.list("")) == []


@pytest.mark.usefixtures("farm_environment")
def test_a_bulk_takes_no_zooms(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of it is a picture."""
    line = small_zoom().model_dump(mode="json", include={"kind", "prompt"})
    (tmp_path / "items.jsonl").write_text(json.dumps(line))
    assert main(["batch", str(tmp_path / "items.jsonl")]) == 4
    assert "zoom-video jobs cannot be part of a batch file" in capsys.readouterr().err
    assert client.list() == []

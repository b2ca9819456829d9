"""Zooms from submission to film, on a real ledger and store; the model is the fake one."""

from __future__ import annotations

import io
import struct
import time
import wave
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.local_worker import KEY_FRAMES, LocalWorker, small_zoom

from winepress import Client, Conflict, InvalidJob, JobFailed, JobHandle, TextToImage
from winepress_shared import metadata
from winepress_shared.archive import Archive, output_key
from winepress_shared.lane import FILM
from winepress_shared.settings import Settings
from winepress_worker.zoom.encoder import sampled

_LOOK_S = 0.1
_PICTURE = Image.radial_gradient("L").convert("RGB")


@pytest.fixture
def local_worker(farm_settings: Settings) -> LocalWorker:
    return LocalWorker(farm_settings)


def _tone() -> bytes:
    """A second of sound."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", 300 * (n % 40)) for n in range(8000)))
    return data.getvalue()


def _film(
    client: Client, local_worker: LocalWorker, folder: Path, **fields: Any
) -> tuple[JobHandle, Path]:
    """A finished zoom, and its film in a file."""
    handle = client.submit(small_zoom(**fields))
    local_worker.work_off()
    handle.wait(timeout=0)
    return handle, handle.save(folder)[-1]


def test_a_zoom_becomes_key_frames_and_a_film(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """Every unit in the store, each key frame with its own seed; the film is called for at once."""
    handle, path = _film(client, local_worker, tmp_path)
    outputs = handle.result.outputs
    assert [output.seed for output in outputs] == [5, 6, 7, 5]
    assert [output.is_film for output in outputs] == [False] * 3 + [True]
    assert local_worker.called == [FILM]
    assert [image.size for image in handle.images] == [(64, 64)] * 3
    assert path.name == f"{handle.id}.mp4"
    film = handle.film
    assert film is not None
    assert (film.frames, film.width, film.height) == (10, 64, 64)
    assert [second for second, _ in sampled(path, 10)] == [index / 10 for index in range(10)]


def test_a_key_frame_says_how_it_was_drawn(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """Its own prompt and seed, so that any of them can be understood by itself."""
    prompts = {0: "a door", 2: "a garden"}
    _film(client, local_worker, tmp_path, prompt="", prompts=prompts, prompt_suffix="at dusk")
    told = [metadata.read(path.read_bytes()).job() for path in sorted(tmp_path.glob("*.png"))]
    wanted = [("a door at dusk", 5), ("a door at dusk", 6), ("a garden at dusk", 7)]
    assert [(job.prompt, job.seed) for job in told] == wanted
    assert [job.model for job in told] == ["vignette", *["vignette-inpaint"] * 2]


def test_a_loop_finds_its_first_key_frame_although_the_store_is_slow(
    client: Client, local_worker: LocalWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one is melted into the first, which may still be on its way."""
    write = Archive.write_output

    def slow(self: Archive, key: str, data: bytes, row: dict[str, Any]) -> bool:
        time.sleep(0.3)  # the store's own slowness
        return write(self, key, data, row)

    monkeypatch.setattr(Archive, "write_output", slow)
    handle = client.submit(small_zoom(direction="loop"))
    local_worker.work_off()
    handle.wait(timeout=0)


@pytest.mark.parametrize(
    ("fields", "suffix"),
    [
        ({"film_format": "webm", "direction": "loop", "audio": _tone()}, "webm"),
        ({"film_format": "gif", "direction": "ping-pong"}, "gif"),
        ({"film_format": "webp", "key_frames": 1}, "webp"),
        ({"audio": _tone(), "image": _PICTURE, "exit_image": _PICTURE}, "mp4"),
        ({"width": 128, "overlap": 0, "exit_image": _PICTURE.resize((256, 128))}, "mp4"),
    ],
    ids=["loop and sound", "ping-pong", "one key frame", "given, exit and sound", "no overlap"],
)
def test_films_of_every_kind_are_cut(
    client: Client, local_worker: LocalWorker, tmp_path: Path, fields: dict[str, Any], suffix: str
) -> None:
    """Given, exit and returning pictures; every format; sound."""
    handle, path = _film(client, local_worker, tmp_path, **fields)
    job = small_zoom(**fields)
    assert path.suffix == f".{suffix}"
    assert handle.film is not None
    assert handle.film.frames == job.frame_count(job.key_frame_count)
    assert path.stat().st_size == handle.film.size


def test_a_film_as_single_pictures_holds_them_all(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """A ZIP archive of PNG files."""
    _, path = _film(client, local_worker, tmp_path, film_format="frames")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{frame:06d}.png" for frame in range(10)]


def test_a_given_first_picture_is_key_frame_0_and_stays_what_it_was(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """No model touches it, and its file does not claim that one did."""
    _film(client, local_worker, tmp_path, image=_PICTURE)
    first = sorted(tmp_path.glob("*.png"))[0]
    with Image.open(first) as found:
        assert found.tobytes() == _PICTURE.resize((64, 64), Image.Resampling.LANCZOS).tobytes()
    assert metadata.read(first.read_bytes()).details is None


# -- recut ------------------------------------------------------------------------------------


def test_a_recut_is_a_new_film_of_the_same_key_frames_and_draws_nothing(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """Twice the rate, another size and way; a film of a recut comes from the same key frames."""
    handle, _ = _film(client, local_worker, tmp_path, image=_PICTURE)
    before = {found.key for found in client.archive.store.list(f"jobs/{handle.id}/")}
    recut = client.recut(handle.id, fps=20, direction="ping-pong", film_width=96)
    assert str(client.archive.read_job(recut.id).lane) == FILM
    local_worker.work_off()
    film = recut.wait(timeout=0).film
    assert film is not None
    assert (film.unit, film.frames, film.width, film.height) == (0, 38, 96, 96)
    mark = f"jobs/{handle.id}/recuts/{recut.id}"  # keeps the key frames from being cleaned away
    assert {found.key for found in client.archive.store.list(f"jobs/{handle.id}/")} == {
        *before,
        mark,
    }
    third = client.recut(recut.id, duration=1.0)
    local_worker.work_off()
    assert third.wait(timeout=0).film is not None
    job = client.archive.read_job(third.id).job
    assert getattr(job, "key_frames_of", None) == handle.id


def test_what_cannot_be_cut_anew_is_refused(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """Missing key frames, another kind of job, a loop that was never drawn as one."""
    waiting = client.submit(small_zoom())
    with pytest.raises(Conflict, match="0 of 3"):
        client.recut(waiting.id, fps=20)
    picture = client.submit(TextToImage(prompt="x"))
    with pytest.raises(InvalidJob, match="no film"):
        client.recut(picture.id)
    local_worker.work_off()
    with pytest.raises(InvalidJob, match="direction"):
        client.recut(waiting.id, direction="loop")
    with pytest.raises(InvalidJob, match="fps"):
        client.recut(waiting.id, fps=500)


def test_a_film_whose_key_frames_are_gone_fails_with_the_reason(
    client: Client, local_worker: LocalWorker, tmp_path: Path
) -> None:
    """It is not tried for ever."""
    handle, _ = _film(client, local_worker, tmp_path)
    recut = client.recut(handle.id)
    client.archive.store.delete(output_key(handle.id, 1, "png"))
    local_worker.work_off()
    with pytest.raises(JobFailed, match="key frame 1 is not in the store"):
        recut.wait(timeout=0)


# -- who can do it ----------------------------------------------------------------------------


def test_a_zoom_nobody_can_cut_the_film_of_is_accepted_and_says_so(
    client: Client, local_worker: LocalWorker
) -> None:
    """A farm whose workers serve the model alone."""
    client.ledger.beat("gpu", "gpu/1", {"device": "GPU", "lanes": [KEY_FRAMES]})
    handle = client.submit(small_zoom())
    assert handle.why_impossible is not None
    assert "serves film" in handle.why_impossible
    assert "serves film" in handle.why_stalled  # also while key frames are drawn
    assert "serves film" in handle.explain()
    client.ledger.beat("cpu", "cpu/1", {"device": "CPU", "lanes": [FILM]})
    assert handle.is_possible
    assert handle.why_stalled == ""
    handle.cancel()


def test_another_worker_goes_on_from_the_store(
    client: Client, farm_settings: Settings, tmp_path: Path
) -> None:
    """What the first one had at hand is lost with it; the key frames are the same."""
    engine = f"fake:scratch={tmp_path}"
    one, two = (LocalWorker(farm_settings, name, engine) for name in ("one", "two"))
    handle = client.submit(small_zoom(key_frames=6, prompt="a valley [[retry#8!]]"))
    one.work_off()
    begun = [output.unit for output in handle.result.outputs]
    assert begun == list(range(len(begun)))
    assert 1 <= len(begun) <= 3  # what was under way is handed back with what failed
    while not handle.status().state.is_terminal:
        client.ledger.sweep()
        two.work_off()
        time.sleep(_LOOK_S)
    alone = client.submit(small_zoom(key_frames=6, prompt="a valley [[retry#8!]]"))
    one.work_off()
    shared, whole = (each.result.outputs[:6] for each in (handle, alone))
    assert [output.worker for output in shared[3:]] == ["two"] * 3
    assert shared[0].worker == "one"
    assert [output.sha256 for output in shared] == [output.sha256 for output in whole]

"""Films, measured: how smoothly they glide, and that every format plays as promised."""

from __future__ import annotations

import io
import math
import struct
import wave
import zipfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from notebook_zoom import notebook_frames
from PIL import Image

from winepress_shared.errors import FailForGood
from winepress_shared.jobs.sound import Sound
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.camera import Camera
from winepress_worker.zoom.encoder import FilmFile
from winepress_worker.zoom.film import Film
from winepress_worker.zoom.outpaint import Outpainting
from winepress_worker.zoom.picture_series import PictureSeries

Pixels = npt.NDArray[np.float64]
_WAVES = 12.0  #: how often the pattern turns, times 2π, while the radius grows by e
_ARMS = 3


def _job(**fields: Any) -> ZoomVideo:
    values: dict[str, Any] = {"prompt": "x", "width": 256, "height": 256, "key_frames": 4} | fields
    return ZoomVideo(**values)


def _frames(job: ZoomVideo, load: Callable[[int], Image.Image], *, rgb: bool) -> Iterator[Any]:
    return Film(_camera(job), Outpainting.of(job), load, rgb=rgb).frames()


def _camera(job: ZoomVideo) -> Camera:
    return Camera(job.nesting, job.key_frame_count, job)


def _polar(size: tuple[int, int], samples: int = 1) -> tuple[Pixels, Pixels]:
    """Radius and angle of the middle of every sample, about the middle of the picture."""
    columns, rows = ((np.arange(side * samples) + 0.5) / samples - side / 2 for side in size)
    x, y = np.meshgrid(columns, rows)
    return np.hypot(x, y), np.arctan2(y, x)


def spiral(job: ZoomVideo, place: float, samples: int = 2) -> Pixels:
    """The ideal picture at u = ``place``: a spiral that looks the same at every magnification."""
    width, height = job.nesting.size
    radius, angle = _polar((width, height), samples)
    seen = np.clip(radius / (_WAVES / 2) - 1, 0, 1)  # nearer the centre it is finer than pixels
    turn = _WAVES * (np.log(radius) + place * math.log(job.nesting.zoom[0])) + _ARMS * angle
    bands = [127.5 + 100 * seen * np.sin(turn + shift) for shift in (0, 1, 2)]
    fine = np.stack(bands, axis=2).reshape(height, samples, width, samples, 3)
    return np.asarray(fine.mean(axis=(1, 3)))


def _key_frames(job: ZoomVideo) -> list[Image.Image]:
    ideal = (spiral(job, level, 4) for level in range(job.key_frame_count))
    return [Image.fromarray(np.rint(picture).astype(np.uint8)) for picture in ideal]


def psnr(one: Any, two: Any) -> float:
    """Peak signal to noise ratio of two pictures of 8 bits, in dB."""
    error = np.mean((np.asarray(one, np.float64) - np.asarray(two, np.float64)) ** 2)
    return 10 * math.log10(255**2 / float(error))


def turn_of(picture: Any) -> float:
    """How far the spiral of a picture has turned, in radians; read off between 20 and 110 px."""
    red = np.asarray(picture, np.float64)[:, :, 0] - 127.5
    radius, angle = _polar((red.shape[1], red.shape[0]))
    ring = (radius > 20) & (radius < 110)
    wave_ = np.exp(-1j * (_WAVES * np.log(radius[ring]) + _ARMS * angle[ring]))
    return float(np.angle(np.sum(red[ring] * wave_)))


def _scale_steps(frames: list[Any]) -> Pixels:
    """By which factor each frame is magnified over the next."""
    turns = np.unwrap([turn_of(frame) for frame in frames])
    return np.exp(np.diff(turns) / _WAVES)


@pytest.mark.parametrize("zoom", [2.0, 1.143, 1.333])
def test_a_film_glides_and_the_notebooks_does_not(zoom: float) -> None:
    """Against ideal frames ≥ 35 dB on average; each step of the zoom equal within 0.1 %."""
    job = _job(zoom=zoom)
    pictures = _key_frames(job)
    ours = list(_frames(job, pictures.__getitem__, rgb=True))
    places = list(_camera(job).places())
    quality = np.mean([psnr(ours[n], spiral(job, places[n])) for n in range(0, 90, 4)])
    steps = _scale_steps(ours)
    theirs = list(notebook_frames(pictures, job.nesting.border[0], 30))
    their_steps = _scale_steps(theirs)
    their_quality = np.mean([psnr(theirs[n], spiral(job, n / 30)) for n in range(0, 91, 4)])
    unevenness, theirs_uneven = (float(np.ptp(s) / s.mean()) for s in (steps, their_steps))
    print(f"zoom {zoom}: {quality:.1f} dB, steps within {unevenness:.5%}; notebook:")
    print(f"{their_quality:.1f} dB, steps within {theirs_uneven:.5%}")
    assert quality >= 35
    assert quality > their_quality
    assert unevenness / 2 <= 0.001
    assert unevenness < theirs_uneven


def test_yuv_frames_show_what_rgb_frames_show() -> None:
    """The planes the encoder takes are the same film, brightness within rounding."""
    job = _job(key_frames=2, fps=3)
    pictures = _key_frames(job)
    weights = np.array([0.2126, 0.7152, 0.0722]) * 219 / 255
    both = zip(
        _frames(job, pictures.__getitem__, rgb=True),
        _frames(job, pictures.__getitem__, rgb=False),
        strict=True,
    )
    for rgb, yuv in both:
        assert psnr(rgb @ weights + 16, yuv[:256]) > 48


def test_a_loop_goes_round_without_a_jump() -> None:
    """From its last frame to its first is a step like all others, for a picture in itself too."""
    job = _job(key_frames=4, direction="loop", fps=10)
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (4, 24, 24, 3), np.uint8)
    rough = [Image.fromarray(values).resize((256, 256)) for values in noise]
    outpainting = Outpainting.of(job)
    stack = [rough[0]]
    for level in (1, 2, 3):
        stack.append(outpainting.nested(rough[level % 3], stack[-1]))
    frames = list(_frames(job, stack.__getitem__, rgb=True))
    changes = [psnr(*pair) for pair in pairwise([*frames, frames[0]])]
    assert changes[-1] > min(changes[:-1]) - 1


@pytest.mark.parametrize("key_frames", [1, 2, 50])
def test_any_number_of_key_frames_makes_a_film_and_each_is_read_once(key_frames: int) -> None:
    """Not even a long film reads one twice, or holds more than a few."""
    job = _job(width=64, height=64, border=16, overlap=8, key_frames=key_frames, fps=5)
    read: list[int] = []

    def load(level: int) -> Image.Image:
        read.append(level)
        return Image.new("RGB", (64, 64), (level, 2 * level, 3 * level))

    frames = list(_frames(job, load, rgb=True))
    assert len(frames) == _camera(job).frame_count
    assert sorted(read) == list(range(key_frames))
    assert int(frames[0][32, 32, 0]) == 0
    assert int(frames[-1][0, 0, 0]) == key_frames - 1


def _tone(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        samples = (int(9000 * math.sin(n * 0.06)) for n in range(int(22050 * seconds)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return buffer.getvalue()


def _clouds(job: ZoomVideo) -> list[Image.Image]:
    """Key frames of soft noise."""
    noise = np.random.default_rng(0).integers(0, 256, (job.key_frame_count, 12, 12, 3), np.uint8)
    return [Image.fromarray(values).resize(job.nesting.size) for values in noise]


def _made(job: ZoomVideo, path: Path, sound: Sound | None = None) -> Path:
    pictures = _clouds(job)
    with FilmFile(path, job.film_format, _camera(job).size, job.fps, sound) as film:
        for frame in _frames(job, pictures.__getitem__, rgb=film.wants_rgb):
            film.write(frame)
    return path


@pytest.mark.parametrize("film_format", ["mp4", "webm"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"key_frames": 1},
        {"direction": "ping-pong", "hold": 0.2},
        {"direction": "loop"},
        {"direction": "in", "easing": "ease-in-out"},
        {"height": 192},
        {"film_width": 301, "film_height": 201},
        {"fps": 29.97},
    ],
    ids=str,
)
def test_films_have_the_form_every_player_knows(
    film_format: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    """Codec, pixels, size, rate, duration and number of frames are those asked for."""
    job = _job(**({"key_frames": 3, "fps": 12, "film_format": film_format} | fields))
    camera = _camera(job)
    rate = Fraction(job.fps).limit_denominator(1001)
    with av.open(str(_made(job, tmp_path / f"film.{film_format}"))) as film:
        (stream,) = film.streams.video
        codec = stream.codec_context
        assert codec.name == {"mp4": "h264", "webm": "vp9"}[film_format]
        assert (codec.pix_fmt, codec.width, codec.height) == ("yuv420p", *camera.size)
        assert (int(codec.colorspace), int(codec.color_range)) == (1, 1)
        assert float(stream.average_rate or 0) == pytest.approx(float(rate), rel=2e-3)
        seconds = (film.duration or 0) / av.time_base
        assert seconds == pytest.approx(camera.frame_count / rate, abs=0.02)
        assert sum(1 for _ in film.decode(video=0)) == camera.frame_count


def test_an_mp4_can_be_played_before_all_of_it_has_arrived(tmp_path: Path) -> None:
    """The index comes before the pictures."""
    data = _made(_job(key_frames=2, fps=6), tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("film_format", ["gif", "webp"])
def test_animated_pictures_keep_their_time(film_format: str, tmp_path: Path) -> None:
    """The notebook's GIFs ran at whatever speed the viewer liked."""
    job = _job(width=256, height=192, key_frames=2, film_format=film_format, film_width=101)
    with Image.open(_made(job, tmp_path / "film")) as film:
        shown = []
        for index in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(index)
            film.load()
            shown.append(film.info["duration"])
            assert film.size == (101, 76)
        assert film.info["loop"] == 0
    assert len(shown) == 30
    assert sum(shown) == pytest.approx(1000, abs=20)


def test_single_pictures_come_in_one_archive(tmp_path: Path) -> None:
    """PNG files in order, the first one the innermost key frame."""
    job = _job(key_frames=2, fps=4, film_format="frames")
    pictures = _key_frames(job)
    path = tmp_path / "film.zip"
    with PictureSeries(path) as film:
        for frame in _frames(job, pictures.__getitem__, rgb=True):
            film.write(frame)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{n:06d}.png" for n in range(4)]
        first = Image.open(io.BytesIO(archive.read("000000.png")))
        assert psnr(first, pictures[0]) > 40


def test_equal_films_are_equal_files(tmp_path: Path) -> None:
    """No time of day and no chance is in them: a second worker writes the same bytes."""
    job = _job(key_frames=2, fps=6)
    one, two = (_made(job, tmp_path / name).read_bytes() for name in ("1.mp4", "2.mp4"))
    assert one == two


@pytest.mark.parametrize(("film_format", "codec"), [("mp4", "aac"), ("webm", "opus")])
@pytest.mark.parametrize("seconds", [0.5, 9.0])
def test_sound_is_heard_and_ends_with_the_film(
    film_format: str, codec: str, seconds: float, tmp_path: Path
) -> None:
    """A shorter one is followed by silence, a longer one is cut."""
    job = _job(key_frames=3, fps=12, film_format=film_format)
    path = _made(job, tmp_path / "film", Sound.load(_tone(seconds)))
    with av.open(str(path)) as film:
        (track,) = film.streams.audio
        assert track.codec_context.name == codec
        heard = sum(frame.samples for frame in film.decode(audio=0)) / 48_000
        assert heard == pytest.approx(min(seconds, 2.0), abs=0.1)
        assert (film.duration or 0) / av.time_base == pytest.approx(2.0, abs=0.1)


def test_a_sound_that_cannot_be_decoded_ends_the_film_for_good(tmp_path: Path) -> None:
    """Its container looked right at submission, but there is nothing behind it."""
    data = b"fLaC\x00\x00\x00\x22" + bytes(10) + b"\x0a\xc4\x42" + bytes(40)
    meta_pipeline = Sound(
        f"sha256:{'0' * 64}.flac", data
    )  # as a producer without a decoder takes it
    with pytest.raises(FailForGood, match="sound"):
        _made(_job(key_frames=1), tmp_path / "film.mp4", meta_pipeline)

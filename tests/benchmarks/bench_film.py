"""The film stage against the notebook's method: frames a second, and memory by length.

Both make the same film of the same key frames and feed it to the same encoder. Rounds alternate
between the two, so that a busy machine slows both.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from notebook_zoom import notebook_frames
from PIL import Image

from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.camera import Camera
from winepress_worker.zoom.encoder import FilmFile
from winepress_worker.zoom.film import Film
from winepress_worker.zoom.outpaint import Outpainting
from winepress_worker.zoom.planes import Frame

SIDE_PX = 512
_BORDER_PX = 128
_KEY_FRAMES = 5
_PER_KEY_FRAME = 30
_ROUNDS = 5
_SHORT, _LONG = 300, 3000  #: frames of the films whose memory is compared


def job(frames: int = _KEY_FRAMES * _PER_KEY_FRAME) -> ZoomVideo:
    """A film of that many frames, key frame after key frame a second apart."""
    return ZoomVideo(
        prompt="clouds",
        width=SIDE_PX,
        height=SIDE_PX,
        border=(_BORDER_PX, _BORDER_PX),
        key_frames=frames // _PER_KEY_FRAME,
        fps=_PER_KEY_FRAME,
    )


def key_frame(index: int) -> Image.Image:
    """Clouds: noise on several scales, about as hard to encode as a drawn picture."""
    rng = np.random.default_rng(index)
    picture = np.zeros((SIDE_PX, SIDE_PX, 3))
    for side in (8, 32, 128):
        noise = rng.integers(0, 256, (side, side, 3), np.uint8)
        layer = Image.fromarray(noise).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        picture += np.asarray(layer) / side
    spread = picture.max() - picture.min()
    return Image.fromarray(((picture - picture.min()) * 255 / spread).astype(np.uint8))


def our_frames(pictures: list[Image.Image], wanted: ZoomVideo) -> Iterator[Frame]:
    """The film stage as workers run it."""
    camera = Camera(wanted.nesting, wanted.key_frame_count, wanted)
    return Film(camera, Outpainting.of(wanted), pictures.__getitem__, rgb=False).frames()


def rate(frames: Iterable[Frame], path: Path | None) -> float:
    """Frames a second, through the encoder when there is a path."""
    count, began = 0, time.perf_counter()
    if path is None:
        count = sum(1 for _ in frames)
    else:
        with FilmFile(path, "mp4", (SIDE_PX, SIDE_PX), _PER_KEY_FRAME) as film:
            for frame in frames:
                film.write(frame)
                count += 1
    return count / (time.perf_counter() - began)


def compare(pictures: list[Image.Image], folder: Path) -> None:
    """Print the rates of both methods, and their ratio."""
    methods: dict[str, Callable[[], Iterator[Frame]]] = {
        "notebook": lambda: map(np.asarray, notebook_frames(pictures, _BORDER_PX, _PER_KEY_FRAME)),
        "film stage": lambda: our_frames(pictures, job()),
    }
    for label, path in (("without the encoder", None), ("with it", folder / "film.mp4")):
        rounds = [[rate(make(), path) for make in methods.values()] for _ in range(_ROUNDS)]
        for name, rates in zip(methods, zip(*rounds, strict=True), strict=True):
            print(f"{label}: {name} {statistics.median(rates):.1f} frames/s")
        ratio = statistics.median(ours / theirs for theirs, ours in rounds)
        print(f"{label}: ratio {ratio:.2f}")


def make_film(frames: int, path: Path) -> None:
    """One whole film in this process; prints its peak memory in MiB."""
    wanted = job(frames)
    camera = Camera(wanted.nesting, wanted.key_frame_count, wanted)
    film = Film(camera, Outpainting.of(wanted), lambda index: key_frame(index % 7), rgb=False)
    with FilmFile(path, "mp4", camera.size, wanted.fps) as file:
        for frame in film.frames():
            file.write(frame)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_mib(frames: int, path: Path) -> float:
    """Peak memory of a fresh process that makes a film of that many frames."""
    command = [sys.executable, __file__, str(frames), str(path)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout)


def main() -> None:
    """Print the comparison and the memory of a short and a long film."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare([key_frame(index) for index in range(_KEY_FRAMES)], folder)
        short, long = (peak_mib(frames, folder / "long.mp4") for frames in (_SHORT, _LONG))
        print(
            f"peak memory: {_SHORT} frames {short:.0f} MiB, {_LONG} frames {long:.0f} MiB,", end=" "
        )
        print(f"ratio {long / short:.3f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        make_film(int(sys.argv[1]), Path(sys.argv[2]))
    else:
        main()

"""Films play in a browser, from the first frame to the last."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from support.browser import browser_command

from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.camera import Camera
from winepress_worker.zoom.encoder import FilmFile
from winepress_worker.zoom.film import Film
from winepress_worker.zoom.outpaint import Outpainting

_PATIENCE_S = 120.0
_PAGE = """<!doctype html><video id=film muted autoplay src=/film></video><script>
const tell = (end) => fetch("/told", {method: "POST", body: JSON.stringify({
  end, at: film.currentTime, length: film.duration, size: [film.videoWidth, film.videoHeight],
  error: film.error && film.error.message, frames: film.getVideoPlaybackQuality().totalVideoFrames,
})});
film.onended = () => tell("ended");
film.onerror = () => tell("error");
</script>"""


class _Stage(http.server.ThreadingHTTPServer):
    """Serves one page with one film, and hears how it went."""

    def __init__(self, film: Path, kind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.film, self.kind = film.read_bytes(), kind
        self.told: dict[str, Any] = {}
        self.heard = threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Stage

    def do_GET(self) -> None:
        film = self.path == "/film"
        self._answer(self.server.film if film else _PAGE.encode(), self.server.kind if film else "")

    def do_POST(self) -> None:
        self.server.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.set()
        self._answer(b"", "")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind or "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the output of the tests clean."""


@pytest.mark.parametrize(("film_format", "kind"), [("mp4", "video/mp4"), ("webm", "video/webm")])
def test_a_film_plays_in_a_browser_to_its_last_frame(
    film_format: Literal["mp4", "webm"], kind: str, tmp_path: Path
) -> None:
    """The browser reports its end, with the size and the length that were asked for."""
    browser = browser_command()
    stage = _Stage(_film(tmp_path / "film", film_format), kind)
    threading.Thread(target=stage.serve_forever, daemon=True).start()
    command = [
        browser,
        *(
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ),
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"http://127.0.0.1:{stage.server_port}/",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert stage.heard.wait(_PATIENCE_S), "the browser never came to an end of the film"
    finally:
        process.terminate()
        process.wait()
        stage.shutdown()
        stage.server_close()
    assert stage.told["end"] == "ended", stage.told
    assert stage.told["size"] == [192, 128]
    assert stage.told["at"] == stage.told["length"] == pytest.approx(2.0, abs=0.05)
    assert stage.told["frames"] > 0


def _film(path: Path, film_format: Literal["mp4", "webm"]) -> Path:
    job = ZoomVideo(
        prompt="x", width=192, height=128, key_frames=3, fps=12, film_format=film_format
    )
    camera = Camera(job.nesting, job.key_frame_count, job)
    colours = ("red", "green", "blue")
    with FilmFile(path, film_format, camera.size, job.fps) as film:
        frames = Film(
            camera,
            Outpainting.of(job),
            lambda level: Image.new("RGB", (192, 128), colours[level]),
            rgb=False,
        ).frames()
        for frame in frames:
            film.write(frame)
    return path

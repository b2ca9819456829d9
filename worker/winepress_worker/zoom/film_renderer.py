"""Makes the film of stored key frames, and sends it to the store."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winepress_shared.archive import Archive, Output, output_key
from winepress_shared.errors import BadOutput
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.ledger.records import Slice
from winepress_worker.engines.base import OnStep
from winepress_worker.zoom.camera import Camera
from winepress_worker.zoom.encoder import FilmFile
from winepress_worker.zoom.film import Film
from winepress_worker.zoom.key_frames import KeyFrames
from winepress_worker.zoom.outpaint import Outpainting
from winepress_worker.zoom.picture_series import PictureSeries
from winepress_worker.zoom.scratch import scratch_file

Outlast = Callable[[Slice, Callable[[], bool]], bool]


class FilmRenderer:
    """Cuts films on the CPU; neither memory nor what a killed process leaves behind grows."""

    def __init__(self, archive: Archive, worker: str, outlast: Outlast) -> None:
        """``outlast`` has a film wait for a store that is away, see `StoreOutage`."""
        self._archive = archive
        self._worker = worker
        self._outlast = outlast

    def cut(self, job: ZoomVideo, slice_: Slice, unit: int, on_step: OnStep) -> dict[str, Any]:
        """Make the film that is unit ``unit``; returns the row to be counted for it.

        ``on_step`` is called for every frame and may raise. When the store holds the film already,
        its row is returned. Raises StoreUnreachable, FailForGood for key frames or a sound that
        cannot be used, and what `scratch_file` raises.
        """
        began = time.perf_counter()
        camera = Camera(job.nesting, job.key_frame_count, job)
        key = output_key(slice_.job_id, unit, job.film_format)
        with scratch_file() as file:
            # FFmpeg and the store open files by name; a file without a directory entry has this one
            # (proc(5)).
            path = Path(f"/proc/self/fd/{file.fileno()}")
            self._write(job, slice_, camera, path, on_step)
            if not path.stat().st_size:
                raise BadOutput("the film is empty")
            output = Output(
                unit=unit,
                key=key,
                sha256=hashlib.file_digest(file, "sha256").hexdigest(),
                size=file.tell(),
                seed=job.seed or 0,
                width=camera.size[0],
                height=camera.size[1],
                device="CPU",
                worker=self._worker,
                render_s=round(time.perf_counter() - began, 3),
                attempts=slice_.attempts + 1,
                frames=camera.frame_count,
            )
            row = output.row()
            done = camera.frame_count

            def on_bytes(sent: int) -> None:
                on_step(done, done)  # shows that the worker is alive

            def send() -> bool:
                return self._archive.write_film(key, path, row, on_bytes)

            if not self._outlast(slice_, send):
                row = self._archive.read_output(key) or row
        return row

    def _write(
        self, job: ZoomVideo, slice_: Slice, camera: Camera, path: Path, on_step: OnStep
    ) -> None:
        stored = KeyFrames(self._archive, job.key_frames_of or slice_.job_id, job)
        with self._opened(job, camera, path) as film_file:
            film = Film(camera, Outpainting.of(job), stored.load, rgb=film_file.wants_rgb)
            for done, frame in enumerate(film.frames(), 1):
                film_file.write(frame)
                on_step(done, camera.frame_count)

    def _opened(self, job: ZoomVideo, camera: Camera, path: Path) -> FilmFile | PictureSeries:
        if job.film_format == "frames":
            return PictureSeries(path)
        sound = None if job.audio is None else self._archive.read_sound(job.audio)
        return FilmFile(path, job.film_format, camera.size, job.fps, sound)

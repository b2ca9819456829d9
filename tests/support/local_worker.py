"""A worker's rendering process in the test's own process: everything but Celery is real."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.lane import FILM
from winepress_shared.settings import Settings
from winepress_worker.options import WorkerOptions
from winepress_worker.renderer.renderer import Renderer

KEY_FRAMES = "vignette-inpaint.fp16"  #: lane of zooms of the bundled models
_LANES = (KEY_FRAMES, FILM)
_IDLE_S = 0.05


def small_zoom(**fields: Any) -> ZoomVideo:
    """Three key frames of 64 pixels in two steps each, half a second apart at ten frames."""
    values: dict[str, Any] = {"prompt": "a valley", "width": 64, "height": 64, "key_frames": 3}
    values |= {"num_inference_steps": 2, "seed": 5, "overlap": 8, "fps": 10}
    return ZoomVideo(**(values | {"seconds_per_key_frame": 0.5} | fields))


class LocalWorker:
    """One worker that serves zooms."""

    def __init__(self, settings: Settings, name: str = "one", engine: str = "fake") -> None:
        self.name = name
        self.called: list[str] = []  #: lanes it left tickets in
        self.renderer = Renderer(WorkerOptions(name, engine=engine), settings, self.called.append)
        self.renderer.start()

    def work_off(self) -> list[str]:
        """Take what waits in both lanes; returns what Flower would show."""
        return [self.renderer.run(lane) for lane in _LANES]

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work on whatever comes, while inside."""
        over = threading.Event()

        def serve() -> None:
            while not over.wait(_IDLE_S):
                self.work_off()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

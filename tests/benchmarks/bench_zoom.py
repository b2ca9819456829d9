"""Key frames per minute of a zoom through the farm ÷ the bare inpainting pipeline.

Both draw pictures of one size with the same settings in turns, so that a noisy machine is noisy for
both. The bare loop paints into the same canvas again and again; it neither makes canvases, nor
joins pictures, nor encodes, stores or counts any. The film is left out: it is cut once all key
frames are there, and may be cut by another worker. A chain keeps one worker busy, so as many zooms
as workers are drawn at a time.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from bench_throughput import bare_pipeline
from PIL import Image

from winepress import Client, ZoomVideo
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.catalogue import Catalogue
from winepress_worker.engines.base import Pipeline, Request
from winepress_worker.zoom.outpaint import Outpainting

_KEY_FRAMES = 12  #: of one round; the first is drawn by another model and not counted
_ROUNDS = 3
_WAIT_S = 300.0
_SIDES_PX = (256, 512)


def zoom(side: int) -> ZoomVideo:
    """The zoom of one round."""
    return ZoomVideo(
        prompt="a castle at night", key_frames=_KEY_FRAMES, seed=3, width=side, height=side, fps=1
    )


def bare_rate(pipeline: Pipeline, job: ZoomVideo) -> float:
    """Pictures per minute of bare calls."""
    outpainting = Outpainting.of(job)
    canvas = outpainting.canvas(Image.linear_gradient("L").resize(job.nesting.size).convert("RGB"))
    began = time.perf_counter()
    for index in range(1, _KEY_FRAMES):
        request = Request(job.drawing_of(index), (index,), canvas, outpainting.mask())
        pipeline.render(request, lambda done, steps: None)
    return 60 * (_KEY_FRAMES - 1) / (time.perf_counter() - began)


def farm_rate(client: Client, job: ZoomVideo, zooms: int) -> float:
    """Key frames per minute of zooms at a time, from the first one counted to the last one."""
    jobs = [job.model_copy(update={"seed": 3 + index}) for index in range(zooms)]
    began, ended = [], []
    for handle in client.submit_many(jobs):
        done = {e.fields["unit"]: e.at for e in handle.events(_WAIT_S) if e.name == "unit-done"}
        began.append(done["0"])
        ended.append(done[str(_KEY_FRAMES - 1)])
    return 60 * zooms * (_KEY_FRAMES - 1) / (max(ended) - min(began))


def compare(pipeline: Pipeline, client: Client, job: ZoomVideo, workers: int) -> None:
    """Print the ratios for a farm of ``workers``, each with a zoom of its own."""
    for _ in range(workers):
        farm_rate(client, job, workers)  # load and warm up
    rounds = [(bare_rate(pipeline, job), farm_rate(client, job, workers)) for _ in range(_ROUNDS)]
    ratios = [ours / bare for bare, ours in rounds]
    paces = [statistics.median(column) for column in zip(*rounds, strict=True)]
    print(
        f"{workers} workers, {job.nesting.size[0]} px: farm ÷ bare "
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); "
        f"bare {paces[0]:.0f}, farm {paces[1]:.0f} key frames/min"
    )


def main() -> None:
    """Print the ratios of a farm of one worker with all cores, and of one worker per core."""
    pipeline, catalogue = bare_pipeline(zoom(_SIDES_PX[0]).model), Catalogue.load()
    for workers in sorted({1, len(os.sched_getaffinity(0))}):
        with tempfile.TemporaryDirectory() as folder:
            options = FarmOptions(state=Path(folder), workers=workers, flower=False)
            with Farm(options) as farm, Client(farm.settings) as client:
                for side in _SIDES_PX:
                    job = catalogue.resolve(zoom(side))
                    assert isinstance(job, ZoomVideo)
                    compare(pipeline, client, job, workers)


if __name__ == "__main__":
    main()

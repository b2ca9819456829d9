"""The self-test: draws the trial picture on one device and compares it with a CPU's in 32 bits.

Run as a process of its own (``python -m winepress_worker.renderer.self_test``): it reads a worker's
options on stdin and writes one line of JSON. A driver that crashes takes nothing else with it.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageStat

from winepress_shared.atomic_file import atomic_write
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WinepressError
from winepress_shared.lane import Precision
from winepress_shared.settings import Settings
from winepress_shared.terminal import write_json
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Engine, ignore_steps
from winepress_worker.engines.trial import trial_request
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

MODEL = "vignette"
STEPS = 8
LEAST_DB = 30.0  #: peak signal to noise; BENCHMARKS.md has what was measured
_PEAK = 255.0
_MOST_DB = 99.0  #: written for equal pictures, whose ratio is infinite


def golden() -> Image.Image:
    """The picture to be drawn, as a CPU draws it in 32 bits."""
    with resources.files("winepress_worker").joinpath("bundled/golden.png").open("rb") as file:
        return Image.open(file, formats=("PNG",)).convert("RGB")


def likeness_db(picture: Image.Image, reference: Image.Image) -> float:
    """Peak signal-to-noise ratio of two pictures of one size, in dB."""
    squares = [rms**2 for rms in ImageStat.Stat(ImageChops.difference(picture, reference)).rms]
    mean = sum(squares) / len(squares)
    return min(_MOST_DB, 10 * math.log10(_PEAK**2 / mean)) if mean else _MOST_DB


def draw(engine: Engine, catalogue: Catalogue) -> tuple[Image.Image, str]:
    """The trial picture, and the device that was really used; raises RenderFault."""
    pipeline = engine.load(engine.prepare(MODEL, Precision.FP16))
    request = trial_request(catalogue, MODEL, Precision.FP16, STEPS)
    return pipeline.render(request, ignore_steps)[0], pipeline.device


def judge(options: WorkerOptions, settings: Settings) -> dict[str, Any]:
    """Draw and compare; a fault is a finding and raises nothing."""
    catalogue = Catalogue.load(settings.catalogue)
    try:
        engine = open_engine(options, LocalModels(settings.home, catalogue), settings.home)
        picture, device = draw(engine, catalogue)
    except WinepressError as error:
        return {"is_fit": False, "found": str(error)}
    likeness = likeness_db(picture, golden())
    found = f"computed on {device}, {likeness:.1f} dB to the expected picture"
    return {"is_fit": likeness >= LEAST_DB, "found": f"{found} (wanted: {LEAST_DB:.0f})"}


def memory_of(options: WorkerOptions, settings: Settings) -> Path | None:
    """The file that records an earlier pass; None for an engine without devices."""
    if options.engine != "openvino":
        return None
    from winepress_worker.engines.devices import fingerprint

    asked = (options.device, options.stage_devices, options.precision_hints, options.threads)
    drawn_like = hashlib.sha256(golden().tobytes()).hexdigest()
    text = json.dumps([asked, fingerprint(), drawn_like, STEPS])
    return settings.home / "self-tests" / hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Answer the one request on stdin."""
    request = json.load(sys.stdin)
    options, settings = WorkerOptions.decode(request["options"]), Settings.load()
    passed = memory_of(options, settings)
    if passed and passed.exists() and not request["again"]:
        verdict: dict[str, Any] = {"is_fit": True, "found": passed.read_text("utf-8")}
    else:
        verdict = judge(options, settings)
        if passed and verdict["is_fit"]:
            passed.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(passed, verdict["found"].encode())
        elif passed:
            passed.unlink(missing_ok=True)
    write_json(sys.stdout, verdict)


if __name__ == "__main__":
    main()

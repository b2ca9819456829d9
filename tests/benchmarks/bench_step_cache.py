"""Time against likeness of a picture: fewer steps, predicted steps, and guidance in part of them.

All methods take turns in every round, so that a noisy machine is noisy for all of them. Times are
ratios to the full picture of the same round; likeness is the PSNR to it. With ``--svg FILE`` the
curve is drawn too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import TextToImage
from winepress_shared.lane import Precision
from winepress_shared.settings import default_home
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.base import Pipeline, Request, ignore_steps
from winepress_worker.engines.openvino import OpenVinoEngine
from winepress_worker.models.likeness import psnr_db, ssim
from winepress_worker.models.local_models import LocalModels

_PROMPTS = (
    "a red apple on a teal background",
    "a fox in the snow",
    "a castle at sunset",
    "a green pear on a yellow background",
    "a rocket",
    "a sailing boat at night",
)
_STEPS = 20
_ROUNDS = 3
#: Method → its points, each the values of a job.
_METHODS: dict[str, tuple[dict[str, Any], ...]] = {
    "fewer steps": tuple({"num_inference_steps": steps} for steps in (16, 13, 11, 10, 9, 8)),
    "predicted steps": tuple({"step_cache_interval": interval} for interval in (2, 3, 4, 5)),
    "guidance stops": tuple({"guidance_stop": stop} for stop in (0.9, 0.75, 0.5)),
    "guidance starts": tuple({"guidance_start": start} for start in (0.1, 0.25, 0.5)),
}
_COLOURS = ("#777777", "#c0392b", "#2471a3", "#d68910")


@dataclass(frozen=True)
class Point:
    """What one setting of a method came to."""

    values: dict[str, Any]
    share: float  #: of the full picture's time; median of the rounds
    spread: tuple[float, float]  #: least and most of them
    mean_db: float
    least_db: float
    mean_ssim: float


def draw(
    pipeline: Pipeline, catalogue: Catalogue, **values: Any
) -> tuple[float, list[Image.Image]]:
    """Seconds for one picture of each prompt, and the pictures."""
    pictures = []
    began = time.perf_counter()
    for seed, prompt in enumerate(_PROMPTS):
        given = {"num_inference_steps": _STEPS} | values
        job = catalogue.resolve(TextToImage(prompt=prompt, seed=seed, **given))
        pictures += pipeline.render(Request(job, (seed,)), ignore_steps)
    return time.perf_counter() - began, pictures


def measure(scheduler: str) -> dict[str, list[Point]]:
    """Every point of every method, with one scheduler."""
    home, catalogue = default_home(), Catalogue.load()
    engine = OpenVinoEngine(LocalModels(home, catalogue), "CPU", home / "blobs", prepare=prepare)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    shares: dict[str, list[float]] = {}
    draw(pipeline, catalogue, guidance_stop=0.5)  # shapes met for the first time are compiled
    for _ in range(_ROUNDS):
        full_s, full = draw(pipeline, catalogue, scheduler=scheduler)
        drawn = {}
        for point in (point for points in _METHODS.values() for point in points):
            seconds, drawn[str(point)] = draw(pipeline, catalogue, scheduler=scheduler, **point)
            shares.setdefault(str(point), []).append(seconds / full_s)
    pipeline.close()
    return {
        method: [_point(each, shares[str(each)], drawn[str(each)], full) for each in points]
        for method, points in _METHODS.items()
    }


def _point(
    values: dict[str, Any], shares: list[float], drawn: list[Image.Image], full: list[Image.Image]
) -> Point:
    pairs = [*zip(drawn, full, strict=True)]
    likenesses = [psnr_db(one, other) for one, other in pairs]
    return Point(
        values,
        statistics.median(shares),
        (min(shares), max(shares)),
        statistics.mean(likenesses),
        min(likenesses),
        statistics.mean(ssim(one, other) for one, other in pairs),
    )


def svg_of(curves: dict[str, list[Point]], title: str) -> str:
    """The curves as a picture: time to the right, likeness upwards."""
    width, height, left, bottom, low, high = 720, 420, 60, 370, 15.0, 60.0

    def x(share: float) -> float:
        return left + (share - 0.3) / 0.8 * (width - left - 30)

    def y(likeness_db: float) -> float:
        return bottom - (likeness_db - low) / (high - low) * (bottom - 50)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="24" font-size="15">{title}</text>',
    ]
    for tenth in range(3, 12):
        parts.append(
            f'<text x="{x(tenth / 10) - 10:.0f}" y="{bottom + 20}">{tenth / 10:.1f}</text>'
        )
    for level in range(20, 61, 10):
        line = f'x1="{left}" x2="{width - 30}" y1="{y(level):.0f}" y2="{y(level):.0f}"'
        parts.append(f'<line {line} stroke="#dddddd"/>')
        parts.append(f'<text x="20" y="{y(level) + 5:.0f}">{level} dB</text>')
    parts.append(
        f'<text x="{width - 330}" y="{bottom + 42}">time ÷ time of the full picture</text>'
    )
    for row, ((method, points), colour) in enumerate(zip(curves.items(), _COLOURS, strict=True)):
        places = [(x(point.share), y(point.mean_db)) for point in points]
        path = " ".join(f"{across:.0f},{up:.0f}" for across, up in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (across, up), point in zip(places, points, strict=True):
            parts.append(f'<circle cx="{across:.0f}" cy="{up:.0f}" r="4" fill="{colour}"/>')
            (value,) = point.values.values()
            parts.append(
                f'<text x="{across + 6:.0f}" y="{up - 6:.0f}" fill="{colour}">{value}</text>'
            )
        parts.append(f'<text x="{left + 15}" y="{60 + 18 * row}" fill="{colour}">{method}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Print the curves, and draw them if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", default="ddim")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    curves = measure(arguments.scheduler)
    for method, points in curves.items():
        for point in points:
            print(
                f"{method:16} {point.values}: {point.share:.2f} of the time "
                f"({point.spread[0]:.2f} to {point.spread[1]:.2f}), {point.mean_db:.1f} dB "
                f"(least {point.least_db:.1f}), SSIM {point.mean_ssim:.4f}"
            )
    if arguments.svg:
        title = f"vignette, {_STEPS} steps of {arguments.scheduler}"
        arguments.svg.write_text(svg_of(curves, title), "utf-8")


if __name__ == "__main__":
    main()

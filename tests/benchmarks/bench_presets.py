"""What the presets fast and draft gain beside exact, in one run, and how like it they are.

Times are those of whole pictures: of vignette, and of full-size twins (whose weights are random, so
that their pictures say nothing). Likeness and seams are vignette's. ``bench_presets.py [SHEET.webp
[TWIN…]]`` draws the contact sheet of ten prompts, and measures the named models, such as tiny-sd
and sd21, too: they are made below ``.cache/twins`` and kept there.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from PIL import Image, ImageDraw
from support.seam_measures import Easel, drift, film_ratio, scenery
from support.twins.full import build_full, build_full_tiny_vae

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.quality import Quality
from winepress_shared.lane import Precision
from winepress_worker.conversion.calibration import practice
from winepress_worker.conversion.preparation import prepare
from winepress_worker.conversion.preset_trial import measure_presets
from winepress_worker.engines.base import PipelineKey, ignore_steps
from winepress_worker.engines.library_notices import quiet_libraries
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.local_models import LocalModels
from winepress_worker.report import ignore_progress
from winepress_worker.zoom.outpaint import Outpainting

_CACHE = Path(__file__).parents[2] / ".cache"
_HOME = _CACHE / "winepress-tests"
_PROMPTS = (
    "a red apple on a teal background",
    "a fox in the snow",
    "a rocket in space",
    "a castle at sunset",
    "a sailboat on the beach",
    "a panda in the forest",
    "a cactus in the desert",
    "two pumpkins at night",
    "a cat next to a dog",
    "a car in the city",
)
_SCENES = {
    "forest": ("a fox in the forest", "the forest"),
    "snow": ("a penguin in the snow", "the snow"),
    "beach": ("a red apple on the beach", "the beach"),
    "space": ("a rocket in space", "space"),
}
_SIDE, _LEFT, _HEAD = 128, 48, 16  #: of the sheet, in pixels


def show_model(name: str, home: Path, mirror: Path | None = None) -> None:
    """Print times and likenesses of one model in fp16."""
    local_models = LocalModels(home, Catalogue.load())
    prepared = prepare(local_models, name, Precision.FP16, ignore_progress, mirror)
    found = measure_presets(local_models.catalogue.get(name), prepared, ignore_progress)
    if found is None:
        print(f"{name}: its presets set nothing")
        return
    for preset, sentence in found.sentences.items():
        print(f"{name} {preset}: {sentence}", flush=True)


def show_zooms(easel: Easel) -> None:
    """Print seams and drift of the same films, and the time of a key frame."""
    for preset in (Quality.EXACT, Quality.FAST, Quality.DRAFT):
        seams, drifts, seconds = [], [], []
        for prompts in _SCENES.values():
            film = scenery(*prompts, quality=preset)
            outpainting = Outpainting.of(film)
            began = time.perf_counter()
            frames = easel.key_frames(film, outpainting)
            seconds.append((time.perf_counter() - began) / len(frames))
            seams.append(film_ratio(frames, outpainting.nesting, outpainting.overlap))
            drifts.append(drift(frames, outpainting.nesting))
        print(
            f"zoom {preset}: {1e3 * min(seconds):.0f} ms a key frame, seam "
            f"{statistics.mean(seams):.2f} (worst {max(seams):.2f}), drift "
            f"{statistics.mean(drifts):.1f} levels",
            flush=True,
        )


def contact_sheet(path: Path) -> None:
    """One row a preset, one column a prompt, the same seed everywhere."""
    local_models = LocalModels(_HOME, Catalogue.load())
    prepared = prepare(local_models, "vignette", Precision.FP16, ignore_progress)
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    pipeline = OpenVinoPipeline(key, prepared, "text-to-image")
    size = (_LEFT + _SIDE * len(_PROMPTS), _HEAD + _SIDE * len(Quality))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for row, quality in enumerate(Quality):
        pen.text((4, _HEAD + _SIDE * row + _SIDE // 2), quality.value, fill="black")
        for column, prompt in enumerate(_PROMPTS):
            request = practice(
                local_models.catalogue.get("vignette"), prompt, 7 + column, quality=quality
            )
            (picture,) = pipeline.render(request, ignore_steps)
            place = (_LEFT + _SIDE * column, _HEAD + _SIDE * row)
            sheet.paste(picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), place)
            pen.text((place[0] + 2, 2), prompt[:20], fill="black")
    pipeline.close()
    sheet.save(path, quality=85)


def main(sheet: Path | None, twins: list[str]) -> None:
    """Print everything."""
    quiet_libraries()
    show_model("vignette", _HOME)
    show_zooms(Easel(_HOME))
    if sheet:
        contact_sheet(sheet)
    home = _CACHE / "twins"
    for name in twins:
        mirror = home / "hub"
        model = Catalogue.load().get(name)
        folder = mirror / model.source.removeprefix("hub:")
        if not folder.exists():
            build_full(name, folder)
        if model.tiny_vae and not (tiny := mirror / model.tiny_vae.removeprefix("hub:")).exists():
            build_full_tiny_vae(tiny)
        show_model(name, home, mirror)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None, sys.argv[2:])

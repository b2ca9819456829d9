"""Zooms drawn by the bundled models: no seam to be measured, and colours that stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.seam_measures import WANTED_RATIO, Easel, drift, film_ratio, scenery

from winepress_shared.jobs.nesting import Nesting
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.camera import Camera
from winepress_worker.zoom.film import Film
from winepress_worker.zoom.outpaint import Outpainting

#: In 8-bit levels, over eight outpainted key frames; twice what any of these scenes shows.
_MAX_DRIFT = 12.0


@pytest.fixture(scope="module")
def easel(model_home: Path) -> Easel:
    """Both bundled models, loaded once."""
    return Easel(model_home)


@pytest.mark.parametrize(
    "film",
    [
        scenery("a castle in the mountains", "the mountains"),
        scenery("a frog under water", "under water", border=(32, 32)),
        scenery("a fox in the forest", "the forest", width=384),
    ],
    ids=["zoom 2", "narrow border", "landscape"],
)
def test_key_frames_show_no_seam_and_keep_their_colours(film: ZoomVideo, easel: Easel) -> None:
    """Across the old rim the picture is hardly steeper than beside it, for eight key frames."""
    frames = easel.key_frames(film)
    assert film_ratio(frames, film.nesting, film.overlap) <= WANTED_RATIO
    assert drift(frames, film.nesting) <= _MAX_DRIFT


def test_a_centre_pasted_back_is_seen_by_the_measure(easel: Easel) -> None:
    """What this must tell apart: the same scene, its centre pasted hard, or only softly."""
    film = scenery("a frog under water", "under water", key_frames=4)
    for overlap, least in ((0, 4.0), (film.overlap, WANTED_RATIO)):
        way = Outpainting(film.nesting, overlap, overlap, matching=False)
        frames = easel.key_frames(film, way)
        assert film_ratio(frames, film.nesting, overlap) > least


def test_the_film_between_two_key_frames_shows_no_seam_either(easel: Easel) -> None:
    """Halfway from one to the next, where pixels of both meet, as a viewer sees it."""
    # Zoom 16/9: halfway the old rim has grown to 4/3 of its size, and lies on whole pixels.
    film = scenery(
        "a frog under water", "under water", border=56, key_frames=7, fps=2, duration=6.5
    )
    frames = easel.key_frames(film)
    camera = Camera(film.nesting, film.key_frame_count, film)
    cut = Film(camera, Outpainting.of(film), frames.__getitem__, rgb=True)
    halfway = [
        Image.fromarray(shown)
        for place, shown in zip(camera.places(), cut.frames(), strict=True)
        if place % 1 == 0.5
    ]
    assert len(halfway) == len(frames) - 1
    seen_as = Nesting(film.nesting.size, (32, 32))
    assert film_ratio([frames[0], *halfway], seen_as, film.overlap * 4 // 3) <= WANTED_RATIO

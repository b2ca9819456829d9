"""What each key frame of a zoom is made from."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from winepress_shared.jobs.film_cut import Direction
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.plan import Source, plan

PICTURE = Image.new("RGB", (64, 64))


@pytest.mark.parametrize(
    ("fields", "sources"),
    [
        ({}, ["drawn", "outpainted", "outpainted"]),
        ({"image": PICTURE}, ["given", "outpainted", "outpainted"]),
        ({"exit_image": PICTURE}, ["drawn", "outpainted", "exit"]),
        ({"direction": "loop"}, ["drawn", "outpainted", "wrap"]),
        ({"key_frames": 1}, ["drawn"]),
        ({"key_frames": 1, "exit_image": PICTURE}, ["drawn"]),
    ],
    ids=str,
)
def test_key_frames_come_from_where_the_job_says(
    fields: dict[str, Any], sources: list[str]
) -> None:
    """The first from a model or a picture, the last from an exit picture or from the first."""
    values: dict[str, Any] = {"prompt": "x", "key_frames": 3} | fields
    job = ZoomVideo(**values)
    assert [key_frame.source for key_frame in plan(job)] == [Source(name) for name in sources]


def test_every_key_frame_needs_only_earlier_ones() -> None:
    """So they can be drawn one after the other, and any worker can go on."""
    for direction in (Direction.IN, Direction.LOOP):
        for key_frame in plan(ZoomVideo(prompt="x", key_frames=6, direction=direction)):
            assert all(needed < key_frame.index for needed in key_frame.needs)
            assert bool(key_frame.needs) == (key_frame.index > 0)

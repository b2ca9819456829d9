"""Where each key frame of a zoom comes from."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.zoom.plan import Source, source_of

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
    found = [source_of(job, index) for index in range(job.key_frame_count)]
    assert found == [Source(name) for name in sources]

"""Where each key frame of a zoom comes from."""

from __future__ import annotations

from enum import StrEnum

from winepress_shared.jobs.film_cut import Direction
from winepress_shared.jobs.zoom import ZoomVideo


class Source(StrEnum):
    """Where a key frame comes from."""

    GIVEN = "given"  #: the first picture of the job; nothing is drawn
    DRAWN = "drawn"  #: from the prompt alone
    OUTPAINTED = "outpainted"  #: around the key frame before
    EXIT = "exit"  #: the exit picture, melted into the key frame before
    WRAP = "wrap"  #: key frame 0 again, melted into the key frame before: the film loops


def source_of(job: ZoomVideo, index: int) -> Source:
    """Where key frame ``index`` of ``job`` comes from; number 0 is the innermost."""
    is_last = index == job.key_frame_count - 1
    if index == 0:
        return Source.DRAWN if job.image is None else Source.GIVEN
    if is_last and job.exit_image is not None:
        return Source.EXIT
    if is_last and job.direction is Direction.LOOP:
        return Source.WRAP
    return Source.OUTPAINTED

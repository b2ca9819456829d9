"""What each key frame of a zoom needs before it can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class KeyFrame:
    """One key frame of a zoom; number 0 is the innermost."""

    index: int
    source: Source

    @property
    def needs(self) -> tuple[int, ...]:
        """Key frames that must exist before this one can be made."""
        match self.source:
            case Source.GIVEN | Source.DRAWN:
                return ()
            case Source.WRAP:
                return (self.index - 1, 0)
        return (self.index - 1,)


def plan(job: ZoomVideo) -> tuple[KeyFrame, ...]:
    """Every key frame of ``job``, in the order in which they are made."""
    last = job.key_frame_count - 1
    return tuple(KeyFrame(index, _source(job, index, last)) for index in range(last + 1))


def _source(job: ZoomVideo, index: int, last: int) -> Source:
    if index == 0:
        return Source.DRAWN if job.image is None else Source.GIVEN
    if index == last and job.exit_image is not None:
        return Source.EXIT
    if index == last and job.direction is Direction.LOOP:
        return Source.WRAP
    return Source.OUTPAINTED

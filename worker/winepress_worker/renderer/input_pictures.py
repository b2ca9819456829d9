"""The input pictures of jobs, decoded once for all units that share them."""

from __future__ import annotations

import io

from PIL import Image

from winepress_shared.archive import Archive
from winepress_shared.errors import FailForGood
from winepress_shared.jobs.job import Job
from winepress_shared.jobs.picture import MAX_SIDE_PX, Picture


class InputPictures:
    """Keeps the pictures of one job, the one asked for last. Not thread-safe."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._opened: tuple[tuple[Picture, ...], list[Image.Image]] = ((), [])

    def of(self, job: Job) -> list[Image.Image]:
        """In the order of `Job.pictures`; raises FailForGood for one that cannot be used."""
        if job.pictures != self._opened[0]:
            self._opened = (job.pictures, [self._open(picture) for picture in job.pictures])
        return self._opened[1]

    def _open(self, picture: Picture) -> Image.Image:
        data = self._archive.read_input(picture)
        try:
            image = Image.open(io.BytesIO(data), formats=("PNG",))
            # A small file that someone put into the store may decode to a huge picture.
            if max(image.size) > MAX_SIDE_PX:
                raise ValueError
            image.load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise FailForGood("an input picture is damaged", value=picture.reference) from None
        return image

"""The key frames of one job, read back from the store."""

from __future__ import annotations

import hashlib
import io

from PIL import Image

from winepress_shared.archive import Archive, output_key
from winepress_shared.errors import FailForGood, ObjectMissing, ObjectTooLarge, RetryElsewhere
from winepress_shared.jobs.zoom import ZoomVideo


class KeyFrames:
    """Reads key frames of one job, each checked against what its writer noted."""

    def __init__(self, archive: Archive, job_id: str, job: ZoomVideo) -> None:
        self._archive = archive
        self._job_id = job_id
        self._job = job

    def load(self, index: int) -> Image.Image:
        """Key frame ``index``; raises FailForGood when it is not there, RetryElsewhere for damage.

        A lane that rested for damage would meet it again after every rest.
        """
        key = output_key(self._job_id, index, self._job.output_format)
        row = self._archive.read_output(key)
        try:
            data = self._archive.store.get(key)
        except ObjectMissing:
            raise FailForGood(f"key frame {index} is not in the store", value=key) from None
        except ObjectTooLarge as error:
            raise FailForGood(f"key frame {index}: {error.problem}", value=key) from None
        if row is None or hashlib.sha256(data).hexdigest() != row.get("sha256"):
            raise RetryElsewhere("a key frame in the store is damaged", value=key)
        try:
            image = Image.open(io.BytesIO(data), formats=("PNG",))
            if image.size != self._job.nesting.size:
                raise FailForGood(f"key frame {index} has another size", value=key)
            image.load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise FailForGood(f"key frame {index} is not a valid PNG", value=key) from None
        return image

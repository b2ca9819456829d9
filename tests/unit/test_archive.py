"""What the store holds of a job's inputs, and what becomes of a damaged one."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.errors import FailForGood, InvalidJob
from winepress_shared.jobs.job import Inpaint, Job
from winepress_shared.jobs.picture import Picture
from winepress_shared.stores.folder import FolderStore


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(FolderStore(tmp_path))


def square(side: int) -> Picture:
    return Picture.load(Image.new("RGB", (side, side), "red"))


def test_a_damaged_input_ends_its_job_and_not_its_lane(archive: Archive) -> None:
    """No pause mends a picture: the unit fails for good, others of the lane go on."""
    picture = square(64)
    archive.write_input(picture)
    assert archive.read_input(picture) == picture.png
    archive.store.put(picture.key, b"overwritten by somebody")
    with pytest.raises(FailForGood, match="damaged"):
        archive.read_input(picture)
    archive.store.delete(picture.key)
    with pytest.raises(FailForGood, match="missing"):
        archive.read_input(picture)
    with pytest.raises(FailForGood, match="damaged"):
        JobRecord.decode(b"{}")


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_mask_given_by_reference_must_fit_too(archive: Archive, is_noted: bool) -> None:
    """A reference says no size: the store does, or for pictures of earlier versions the file."""
    image, mask = square(64), square(128)
    for picture in (image, mask):
        if is_noted:
            archive.write_input(picture)
        else:
            archive.store.put(picture.key, picture.png or b"")

    def painted(mask: Picture) -> Job:
        job = Inpaint(prompt="a pear", image=image.reference, mask=mask.reference)
        return archive.with_sizes(job)

    with pytest.raises(InvalidJob, match=r"mask: .*128x128.*64x64"):
        painted(mask)
    fitting = painted(image)
    assert [picture.size for picture in fitting.pictures] == [(64, 64), (64, 64)]

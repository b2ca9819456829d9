"""Key frames that a zoom goes on from."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import pytest

from winepress_shared.archive import Archive, Output, output_key
from winepress_shared.errors import FailForGood, RetryElsewhere
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.stores.folder import FolderStore
from winepress_worker.zoom.key_frames import KeyFrames


@pytest.mark.parametrize("row", [{}, {"key": output_key("j", 0, "png"), "sha256": "0"}])
def test_a_damaged_key_frame_is_a_fault_of_its_zoom_and_no_rest_of_the_lane(
    tmp_path: Path, row: dict[str, str]
) -> None:
    """It may have been damaged on its way, so it is read again, and not for ever."""
    archive = Archive(FolderStore(tmp_path))
    archive.write_output(output_key("j", 0, "png"), b"not what was written", row)
    frames = KeyFrames(archive, "j", ZoomVideo(prompt="a fox"))
    with pytest.raises(RetryElsewhere, match="damaged"):
        frames.load(0)
    with pytest.raises(FailForGood, match="not in the store"):
        frames.load(1)


def test_a_key_frame_that_is_no_png_ends_its_zoom_and_leaves_the_worker_in_its_lane(
    tmp_path: Path,
) -> None:
    """What Pillow says of it looks like a fault of the disk."""
    archive, data = Archive(FolderStore(tmp_path)), b"GIF89a of somebody else"
    key = output_key("j", 0, "png")
    digest = hashlib.sha256(data).hexdigest()
    row = asdict(Output(0, key, digest, len(data), 0, 512, 512, "CPU", "one", 0.1))
    archive.write_output(key, data, {name: row[name] for name in row if name != "unit"})
    with pytest.raises(FailForGood, match="not a valid PNG"):
        KeyFrames(archive, "j", ZoomVideo(prompt="a fox")).load(0)

"""Key frames that a zoom goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from winepress_shared.archive import Archive, output_key
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

"""What a worker's parent asks of the local models."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.throwaway_models import FP16, catalogue_of, machine, place

from winepress_worker.models import manifest


def test_what_is_available_is_told_without_reading_whole_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases run out while a parent hashes gigabytes; what is cut off is found all the same."""
    local_models = machine(tmp_path, catalogue_of(tmp_path, "whole", "cut"))
    place(tmp_path, "whole")
    (place(tmp_path, "cut") / "unet/openvino_model.bin").write_bytes(b"")
    read: list[Path] = []

    def digest(path: Path) -> str:
        read.append(path)
        return ""

    monkeypatch.setattr(manifest, "digest", digest)
    available = local_models.available()
    assert ("whole", FP16) in available
    assert ("cut", FP16) not in available
    assert read == []
    assert local_models.find("whole", FP16) is None
    assert read, "who loads a model reads it first"


def test_a_model_whose_files_stay_as_they_are_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice asks for it; what is written, added or taken away is seen at the next look."""
    local_models = machine(tmp_path, catalogue_of(tmp_path, "whole"))
    folder = place(tmp_path, "whole")
    found = local_models.find("whole", FP16)
    assert found
    with monkeypatch.context() as patch:
        patch.setattr(manifest.Manifest, "read", lambda folder: pytest.fail("read again"))
        assert [local_models.find("whole", FP16) for _ in range(3)] == [found] * 3
    (folder / "stray").write_bytes(b"x")
    assert local_models.find("whole", FP16) is None
    (folder / "stray").unlink()
    assert local_models.find("whole", FP16) == found
    weights = folder / "unet/openvino_model.bin"
    weights.write_bytes(bytes(reversed(weights.read_bytes())))
    assert local_models.find("whole", FP16) is None
    weights.unlink()
    assert local_models.find("whole", FP16) is None

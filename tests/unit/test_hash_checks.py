"""A prepared model is read whole when it is new or has changed, not whenever it is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.throwaway_models import FP16, catalogue_of, machine, place

from winepress_worker.models import manifest

NAME, WEIGHTS = "whole", "unet/openvino_model.bin"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is hashed."""
    files: list[Path] = []
    digest = manifest.digest

    def listed(path: Path) -> str:
        files.append(path)
        return digest(path)

    monkeypatch.setattr(manifest, "digest", listed)
    return files


def test_another_process_does_not_read_a_checked_model_again(
    tmp_path: Path, read: list[Path]
) -> None:
    """The first picture of a cold model must not wait for gigabytes to be hashed."""
    catalogue = catalogue_of(tmp_path, NAME)
    place(tmp_path, NAME)
    assert machine(tmp_path, catalogue).find(NAME, FP16)
    assert read
    read.clear()
    assert machine(tmp_path, catalogue).find(NAME, FP16)
    assert read == []


def test_a_file_that_changed_is_read_by_every_process(tmp_path: Path) -> None:
    """Also if it kept its size and was given the time it had."""
    catalogue = catalogue_of(tmp_path, NAME)
    weights = place(tmp_path, NAME) / WEIGHTS
    assert machine(tmp_path, catalogue).find(NAME, FP16)
    was = weights.stat()
    weights.write_bytes(bytes(byte ^ 1 for byte in weights.read_bytes()))
    os.utime(weights, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert machine(tmp_path, catalogue).find(NAME, FP16) is None


def test_a_removed_model_leaves_no_record(tmp_path: Path) -> None:
    """Nothing of it stays in its folder but the lock."""
    models = machine(tmp_path, catalogue_of(tmp_path, NAME))
    folder = place(tmp_path, NAME)
    assert models.find(NAME, FP16)
    assert models.remove(NAME, FP16)
    assert [path.name for path in folder.parent.iterdir()] == ["fp16.lock"]


def test_models_on_a_disk_that_cannot_be_written_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read whole by every process, for there is no place for a record."""

    def refuse(path: Path, data: bytes) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("winepress_worker.models.hash_checks.atomic_write", refuse)
    catalogue = catalogue_of(tmp_path, NAME)
    place(tmp_path, NAME)
    assert machine(tmp_path, catalogue).find(NAME, FP16)
    assert machine(tmp_path, catalogue).find(NAME, FP16)

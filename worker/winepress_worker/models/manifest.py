"""A prepared model's manifest: every file with size and hash, and how the model was made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from winepress_shared.atomic_file import atomic_write
from winepress_shared.lane import Precision
from winepress_worker.models.content import LARGEST, MANIFEST_FILE, MAX_MANIFEST_BYTES, WEIGHTS_FILE
from winepress_worker.models.measured import Measured
from winepress_worker.models.measured_presets import MeasuredPresets
from winepress_worker.placement import STAGES, stage_of

_REVISION_DIGITS = 16  #: hexadecimal digits of a revision: enough to tell revisions apart by eye


@dataclass(frozen=True)
class Prepared:
    """One model in one precision, on this machine's disk and ready to be loaded."""

    path: Path  #: folder of OpenVINO IR, one sub-folder per part
    name: str  #: catalogue name
    precision: Precision
    revision: str  #: hash of source, recipe and versions, 16 hexadecimal digits
    size_bytes: int  #: on disk
    channels: int  #: input channels of the UNet: 4, or 9 when it inpaints


class FileRecord(BaseModel):
    """Size and hash of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: Annotated[int, Field(ge=0)]  #: in bytes
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """The record beside a prepared model's files; written last, so it marks them as finished."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    precision: Precision
    source: str  #: content hash of the weights it was made from
    recipe: dict[str, str]  #: how it was made
    versions: dict[str, str]  #: of the libraries that made it
    channels: Annotated[int, Field(ge=1, le=64)]
    files: dict[str, FileRecord]
    measured: Measured | None = None  #: measured where it was made; not part of the revision
    presets: MeasuredPresets | None = None  #: likewise
    #: Memory it held there after drawing a picture, in bytes; not part of the revision either.
    memory_bytes: Annotated[int, Field(gt=0, lt=2**53)] | None = None

    @field_validator("files")
    @classmethod
    def _are_of_a_model(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name, file in files.items():
            if name not in LARGEST:
                raise ValueError(f"{name[:80]!r} is not a file of a prepared model")
            if file.size > LARGEST[name]:
                raise ValueError(f"{name} is larger than {LARGEST[name]} bytes")
        return files

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The manifest of ``folder``; None if there is none or it is not valid."""
        try:
            with (folder / MANIFEST_FILE).open("rb") as file:
                return cls.model_validate_json(file.read(MAX_MANIFEST_BYTES + 1))
        except (OSError, ValidationError):
            return None

    @property
    def revision(self) -> str:
        """Hash of source, recipe and versions: the same on every machine.

        The files themselves are left out: exporters number a graph's nodes differently in every
        process, though the weights are equal.
        """
        made_of = self.model_dump_json(exclude={"files", "measured", "presets", "memory_bytes"})
        return hashlib.sha256(made_of.encode()).hexdigest()[:_REVISION_DIGITS]

    def write(self, folder: Path) -> None:
        """Write the manifest beside its files."""
        atomic_write(folder / MANIFEST_FILE, self.model_dump_json(indent=1).encode())

    def sizes_match(self, folder: Path) -> bool:
        """True when every file exists with its recorded size; reads no content."""
        try:
            return all(
                (folder / name).stat().st_size == file.size for name, file in self.files.items()
            )
        except OSError:
            return False

    def times(self, folder: Path) -> tuple[int, ...]:
        """When each file, and what the disk says of it, last changed, in ns; raises OSError."""
        found = [(folder / name).stat() for name in self.files]
        return tuple(time for file in found for time in (file.st_mtime_ns, file.st_ctime_ns))

    def hashes_match(self, folder: Path) -> bool:
        """True when every file has its recorded hash; reads all of them."""
        try:
            return all(digest(folder / name) == file.sha256 for name, file in self.files.items())
        except OSError:
            return False

    @property
    def stage_sizes(self) -> dict[str, int]:
        """Bytes of the weights of each stage."""
        sizes = dict.fromkeys(STAGES, 0)
        for name, file in self.files.items():
            part, _, kind = name.partition("/")
            if kind == WEIGHTS_FILE and not part.startswith("tiny_"):
                sizes[stage_of(part)] += file.size
        return sizes

    def prepared(self, folder: Path) -> Prepared:
        """The prepared model in ``folder``, as engines take it."""
        size = sum(file.size for file in self.files.values())
        return Prepared(folder, self.model, self.precision, self.revision, size, self.channels)


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Record size and hash of every file below ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): FileRecord(
            size=path.stat().st_size, sha256=digest(path)
        )
        for path in files
    }


def digest(path: Path) -> str:
    """SHA-256 of one file, 64 hexadecimal digits; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Estimates the memory and disk that preparing a model takes, and checks both beforehand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from winepress_shared.errors import DiskFull, EnvironmentFault
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.machine_memory import free_memory
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.source import Source

_GIB = 2**30
_MIB = 2**20
_LIBRARIES_BYTES = 1100 * _MIB  #: taken by torch, optimum and NNCF, without weights
#: Memory of a loaded model ÷ its weights on disk, at most: two to four bytes a parameter on disk,
#: about four in memory, plus activations. A folder may hold less than the entry describes.
_MOST_LOADED = 3
#: Peak memory ÷ the catalogue's memory of the loaded model, which is about four bytes a parameter.
#: Exporting, one network at a time, stays below the peak of drawing the trial picture.
_PEAK = {
    Precision.FP16: 1.0,  # drawing the trial picture
    Precision.INT8: 2.0,  # statistics of every layer while the UNet runs in 32 bits
    Precision.INT8_WEIGHTS: 1.0,
    Precision.INT4_WEIGHTS: 1.0,
}
#: Size on disk ÷ that of fp16, with room for the graphs.
_SIZE = {
    Precision.FP16: 1.0,
    Precision.INT8: 0.6,
    Precision.INT8_WEIGHTS: 0.6,
    Precision.INT4_WEIGHTS: 0.6,
}


@dataclass(frozen=True)
class Room:
    """The peak needs of one run, in bytes."""

    memory: int
    disk: int

    @classmethod
    def of(cls, model: Model, precision: Precision, origin: Source | Prepared) -> Room:
        """Estimate what making ``model`` from ``origin`` takes."""
        written = _SIZE[precision]
        if isinstance(origin, Prepared):
            full = origin.size_bytes
        else:
            full = sum(path.stat().st_size for path in origin.files.values())
            written += 0.0 if precision is Precision.FP16 else 1.0
        if model.lora:
            written += 1.0  # the UNet with the low-rank weights in it
        loaded = min(model.memory_mib * _MIB, _MOST_LOADED * full)
        memory = _LIBRARIES_BYTES + int(_PEAK[precision] * loaded)
        return cls(memory, int(written * full))

    @property
    def sentence(self) -> str:
        """The needs in words, shown before the run starts."""
        return f"needs about {_text(self.memory)} of memory and {_text(self.disk)} of disk"

    def demand(self, folder: Path) -> None:
        """Raise EnvironmentFault unless free memory and the disk of ``folder`` suffice now."""
        disk, memory = shutil.disk_usage(folder).free, free_memory()
        if disk < self.disk:
            raise DiskFull(
                f"the disk has {_text(disk)} left, and this takes {_text(self.disk)}",
                value=str(folder),
                hint="free some room: winepress models rm MODEL",
            )
        if memory < self.memory:
            raise EnvironmentFault(
                f"this machine has {_text(memory)} of free memory, "
                f"and this takes {_text(self.memory)}",
                hint="prepare it on a larger machine and copy the folder, or stop other programs",
            )


def _text(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB else f"{size / _MIB:.0f} MiB"

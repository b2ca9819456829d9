"""Memory and disk that preparing a model takes, asked for before it is begun."""

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
_LIBRARIES_BYTES = 1100 * _MIB  #: taken by torch, optimum and NNCF beside any weight
#: Memory of a loaded model ÷ its weights on disk, at the most: two to four bytes a parameter there,
#: about four here, and what it computes with. A folder may hold less than the entry describes.
_MOST_LOADED = 3
#: Memory at the highest point ÷ what the catalogue says loading takes, which is about four bytes
#: a parameter. Exporting, one network at a time, stays below what drawing the trial picture takes.
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
    """What one run needs at its highest point, in bytes."""

    memory: int
    disk: int

    @classmethod
    def of(cls, model: Model, precision: Precision, origin: Source | Prepared) -> Room:
        """What making ``model`` out of ``origin`` takes."""
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
        """For a person who may want to stop it now."""
        return f"needs about {_text(self.memory)} of memory and {_text(self.disk)} of disk"

    def demand(self, folder: Path) -> None:
        """Raise EnvironmentFault unless this machine and the disk of ``folder`` have it now."""
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

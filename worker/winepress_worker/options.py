"""What one worker is told at its start; travels from the parent to its rendering process."""

from __future__ import annotations

import re
import socket
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from winepress_shared.errors import WrongUsage
from winepress_shared.lane import FILM, Lane

DEFAULT_MEMORY_BUDGET = 8 * 2**30  #: bytes of compiled models one worker may hold
_DEVICE = re.compile(r"(CPU|NPU|GPU(\.\d+)?|AUTO(:[A-Z0-9.,]+)?)\Z")
SLICE_S = 60.0  #: a slice is sized to about this much work, by the lane's measured pace


@dataclass(frozen=True)
class WorkerOptions:
    """One worker: its name, its device, the lanes it serves."""

    name: str
    device: str = "CPU"  #: OpenVINO device: CPU, GPU, GPU.1, NPU, AUTO, AUTO:NPU,CPU
    lanes: tuple[str, ...] = ("*",)  #: shell patterns of lane names
    engine: str = "openvino"
    memory_budget: int = DEFAULT_MEMORY_BUDGET  #: in bytes
    threads: int = 0  #: inference threads; 0 leaves the choice to OpenVINO

    @property
    def device_class(self) -> str | None:
        """``CPU``, ``GPU`` or ``NPU``; None for AUTO, which may pick any."""
        head = self.device.partition(":")[0].partition(".")[0]
        return None if head == "AUTO" else head

    def serves(self, lane: Lane) -> bool:
        """True when this worker's device and patterns allow the lane."""
        if lane.precision is None:  # a film is cut on the CPU: other devices have better to do
            fits = self.device_class in ("CPU", None) or FILM in self.lanes
        else:
            fits = lane.device is None or lane.device == self.device_class
        return fits and any(fnmatchcase(str(lane), pattern) for pattern in self.lanes)

    def encode(self) -> dict[str, Any]:
        """Plain values for Celery's configuration; holds no secret."""
        return asdict(self)

    @classmethod
    def decode(cls, values: dict[str, Any]) -> WorkerOptions:
        """Read what `encode` wrote."""
        return cls(**{**values, "lanes": tuple(values["lanes"])})


def check_device(device: str) -> str:
    """The device in capitals, as OpenVINO writes it; raises WrongUsage for what is none."""
    name = device.upper()
    if not _DEVICE.match(name):
        raise WrongUsage(
            "not a device",
            field="--device",
            value=device,
            allowed="CPU, GPU, GPU.N, NPU, AUTO[:LIST]",
        )
    return name


def default_name(device: str) -> str:
    """A name that tells the machine and the device."""
    return f"{socket.gethostname().partition('.')[0]}-{device.lower().replace(':', '-')}"

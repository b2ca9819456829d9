"""The options of one worker, passed from the parent to its rendering process."""

from __future__ import annotations

import re
import socket
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from winepress_shared.lane import FILM, Lane
from winepress_worker.device_name import DeviceName
from winepress_worker.machine_memory import machine_budget
from winepress_worker.models.local_models import UNBOUNDED
from winepress_worker.placement import Placement

DEFAULT_IDLE_S = 1800.0
DEFAULT_DRAIN_S = 120.0  #: below the time after which systemd and Docker Compose kill
DEFAULT_MAX_BATCH_SIZE = 4  #: pictures


@dataclass(frozen=True)
class WorkerOptions:
    """One worker: its name, its device, the lanes it serves."""

    name: str
    device: str = "CPU"  #: see `DeviceName`
    lanes: tuple[str, ...] = ("*",)  #: shell patterns of lane names
    engine: str = "openvino"
    #: Memory for its models, in bytes.
    memory_budget: int = field(default_factory=machine_budget)
    host_budget: int = 0  #: in bytes, for all workers of the machine together; 0: no limit
    idle_unload_s: float = DEFAULT_IDLE_S  #: models unused for so long are unloaded; 0: never
    pins: tuple[str, ...] = ()  #: models, with their precision, loaded at the start and kept
    threads: int = 0  #: inference threads; 0 leaves the choice to OpenVINO
    stage_devices: tuple[str, ...] = ()  #: devices of single stages; see `Placement.of`
    precision_hints: tuple[str, ...] = ()  #: types to compute in
    cores: str = ""  #: the renderer's processor cores, like ``0-3,8``; empty: all
    max_batch_size: int = DEFAULT_MAX_BATCH_SIZE  #: most pictures drawn in one call
    drain_s: float = DEFAULT_DRAIN_S  #: when told to leave, it ends what it draws within so long
    low_memory: bool = False  #: draw models above the budget one stage at a time
    alive_file: str = ""  #: touched at every heartbeat; empty: none

    @property
    def device_class(self) -> str | None:
        """``CPU``, ``GPU`` or ``NPU``; None for AUTO, which may pick any."""
        return DeviceName(self.device).device_class

    @property
    def model_budget(self) -> int:
        """Most memory for one model, in bytes."""
        return min(self.memory_budget, self.host_budget or self.memory_budget)

    @property
    def staged_above(self) -> int:
        """Models that need more bytes than this hold one stage at a time."""
        return self.model_budget if self.low_memory else UNBOUNDED

    @property
    def placement(self) -> Placement:
        """The device of each stage; raises WrongUsage."""
        return Placement.of(
            DeviceName(self.device),
            self.stage_devices,
            self.precision_hints,
            self.threads,
            is_bound=False,
        )

    @property
    def is_plain(self) -> bool:
        """Whether everything is computed on the CPU with its defaults: the reference for others."""
        return self.device == "CPU" and not (self.stage_devices or self.precision_hints)

    def serves(self, lane: Lane) -> bool:
        """True when this worker's device and patterns allow the lane."""
        if lane.model == FILM:  # films are encoded on the CPU, which keeps other devices free
            fits = self.device_class in ("CPU", None) or FILM in self.lanes
        else:
            fits = lane.device is None or lane.device == self.device_class
        return fits and any(fnmatchcase(str(lane), pattern) for pattern in self.lanes)

    def encode(self) -> dict[str, Any]:
        """Plain values for Celery's configuration; holds no secret."""
        return asdict(self)

    @classmethod
    def decode(cls, values: dict[str, Any]) -> WorkerOptions:
        """The inverse of `encode`."""
        lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
        return cls(**(values | lists))


def check_device(device: str) -> str:
    """The device in capitals, as in OpenVINO; raises WrongUsage if it is not valid."""
    return DeviceName.parse(device).text


def default_name(device: str) -> str:
    """A name made of host and device."""
    return f"{socket.gethostname().partition('.')[0]}-{re.sub('[:=]', '-', device.lower())}"

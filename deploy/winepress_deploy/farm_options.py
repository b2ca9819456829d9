"""The options of a farm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FarmOptions:
    """State folder, services and workers of one farm."""

    state: Path | None = None  #: its folder; None is `default_state`
    devices: tuple[str, ...] = ("CPU",)
    workers: int = 1  #: per device; 0 starts only the services
    flower: bool = True
    gateway: bool = False
    engine: str = "openvino"
    memory_budget: int | None = None  #: bytes for the models of each worker
    host_budget: int | None = None  #: for all workers together; None: the free memory
    worker_flags: tuple[str, ...] = ()  #: further flags of `winepress worker`, for every worker
    alone: bool = False  #: ignore the servers in the user's settings
    drain_s: float = 120.0  #: most time for a stopping worker to finish its picture

"""What kind of farm to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FarmOptions:
    """One farm: where it keeps its state, and which workers it has."""

    state: Path | None = None  #: its folder; None is `default_state`
    devices: tuple[str, ...] = ("CPU",)
    workers: int = 1  #: for each device; 0 starts the services alone
    flower: bool = True
    engine: str = "openvino"
    memory_budget: int | None = None  #: bytes for the models of each worker
    host_budget: int | None = None  #: of all together; None: what the machine has free
    worker_flags: tuple[str, ...] = ()  #: more flags of `winepress worker`, for each of them
    alone: bool = False  #: servers that the user's settings name are left alone
    drain_s: float = 120.0  #: most a stopping worker gets for the picture it is drawing

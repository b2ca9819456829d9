"""A supervisor of a worker that a test decides about, with its ledger."""

from __future__ import annotations

from typing import Any

from winepress_shared.ledger.records import Directive, HeartbeatReply, Lease
from winepress_worker.parent.consumption import Consumption
from winepress_worker.parent.supervisor import WorkerSupervisor


class LedgerOfOneWorker:
    """Answers beats with the leases it was given and remembers what it was told."""

    def __init__(self, *leases: Lease, step_s: float = 0.0) -> None:
        self.leases = leases
        self.step_s = step_s
        self.failed: list[tuple[int, int, str]] = []
        self.told: list[str] = []
        self.lanes: list[tuple[str, int, int]] | None = None
        self.left = False
        self.beats = 0
        self.raised: Exception | None = None
        self.facts: dict[str, Any] = {}
        self.unfit: dict[str, str] = {}
        self.is_shared = False
        self.is_sweep_due = True
        self.swept: list[bool] = []  #: of each sweep, whether at once

    def beat(
        self, worker: str, holder: str, facts: dict[str, Any], *_: object, **__: object
    ) -> HeartbeatReply:
        self.beats += 1
        self.facts = facts
        if self.raised:
            raise self.raised
        renderer = {"step_s": self.step_s, "unfit": self.unfit}
        return HeartbeatReply(self.leases, renderer, self.is_shared, self.is_sweep_due)

    def fail(self, fence: int, unit: int, error: Exception, *, retry: bool) -> None:
        self.failed.append((fence, unit, str(error)))

    def tell(self, holder: str, word: str) -> None:
        self.told.append(word)

    def sweep(self, *, at_once: bool = False) -> list[tuple[str, int, int]] | None:
        self.swept.append(at_once)
        return self.lanes

    def worker_count(self) -> int:
        return 3

    def leave(self, worker: str, life: str = "") -> None:
        self.left = True


def supervise(
    ledger: LedgerOfOneWorker,
    pid: int,
    sent: list[tuple[str, int]] | None = None,
    consumption: Consumption | None = None,
) -> WorkerSupervisor:
    tickets = sent if sent is not None else []
    lanes = {"lanes": ["a.fp16"]}
    return WorkerSupervisor(
        ledger,  # type: ignore[arg-type]
        "w",
        {},
        lambda: pid,
        lambda *ticket: tickets.append(ticket),
        lambda: lanes,
        consumption or Consumption(lambda: 0),
    )


def lease(directive: Directive, *, steps: int, idle_s: float) -> Lease:
    return Lease(1, directive, 7, steps, int(idle_s * 1000), "vignette.fp16")

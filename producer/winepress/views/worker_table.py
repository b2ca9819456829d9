"""Workers as rows of a table: what each of them does now."""

from __future__ import annotations

from collections.abc import Iterable

from winepress.views.job_table import brief
from winepress_shared.ledger.lanes import ALIVE_MS
from winepress_shared.ledger.records import SILENT_S, Worker
from winepress_shared.ledger.snapshot import FarmSnapshot, LostWorker, SliceInHand
from winepress_shared.screen.table import Cell, Column, Table, Tone


class WorkerTable(Table):
    """One row for each worker of a snapshot."""

    def __init__(self, farm: FarmSnapshot) -> None:
        self._farm = farm
        self._slices: dict[str, SliceInHand] = {}
        for slice_ in farm.slices:
            held = self._slices.setdefault(slice_.worker, slice_)
            if held.unit is None:
                self._slices[slice_.worker] = slice_
        super().__init__(
            (
                Column("WORKER"),
                Column("DEVICE", 1),
                Column("STATE", least=7),
                Column("DRAWING", least=21),
                Column("PICTURES/MIN", 3, is_number=True),
                Column("MODELS", 2, is_flexible=True),
            )
        )

    def add_worker(self, worker: Worker, notes: Iterable[str] = ()) -> None:
        """Add one of the snapshot's workers."""
        slice_ = self._slices.get(worker.name)
        pace = pictures_per_minute(worker, slice_.lane) if slice_ else None
        self.add(
            worker.name,
            str(worker.facts.get("device", "?")),
            self._state(worker, slice_),
            _drawing(slice_),
            "" if pace is None else f"{pace:.1f}",
            ", ".join(map(str, worker.renderer.get("warm", ()))),
            notes=notes,
        )

    def add_lost(self, worker: LostWorker) -> None:
        """Add one of which nothing was heard for long."""
        silence = Cell(f"silent {brief(self._farm.at - worker.seen)}", Tone.BAD)
        self.add(worker.name, "", silence, "", "", "")

    def _state(self, worker: Worker, slice_: SliceInHand | None) -> Cell:
        silent_s = self._farm.at - worker.seen
        loads = self._farm.loading.get(worker.name)
        if silent_s > SILENT_S:
            is_lost = silent_s > ALIVE_MS / 1000
            return Cell(f"silent {brief(silent_s)}", Tone.BAD if is_lost else Tone.WARN)
        if slice_ and slice_.unit is not None:
            return Cell("drawing", Tone.BUSY)
        return Cell("loading", Tone.WARN) if loads else Cell("idle")


def pictures_per_minute(worker: Worker, lane: str) -> float | None:
    """How many pictures of ``lane`` a worker draws, as it measured; None before the first one."""
    seconds = worker.renderer.get("seconds_per_picture", {}).get(lane)
    return 60 / seconds if seconds else None


def _drawing(slice_: SliceInHand | None) -> str:
    """The picture in hand, counted from 1 as people do, and how much of it is drawn."""
    if slice_ is None:
        return ""
    if slice_.unit is None:
        return slice_.job_id
    return f"{slice_.job_id} #{slice_.unit + 1} {slice_.progress:.0%}"

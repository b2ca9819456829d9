"""What ``winepress top`` shows of a farm: its lanes, its workers, its jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from winepress.explanation import counted
from winepress.views.job_table import JobTable
from winepress.views.worker_table import WorkerTable, pictures_per_minute
from winepress_shared.ledger.snapshot import FarmSnapshot
from winepress_shared.screen.table import Block, Cell, Column, Table, Tone

_AROUND = 11  #: lines of a screen that are no rows
_LEAST = 3  #: rows of each table, however low the terminal
_LANES = (
    Column("LANE"),
    Column("READY", is_number=True),
    Column("RUNNING", is_number=True),
    Column("WORKERS", 1, is_number=True),
    Column("PICTURES/MIN", 2, is_number=True),
)


class FarmBoard:
    """One snapshot, as blocks of a board."""

    def __init__(self, name: str, farm: FarmSnapshot) -> None:
        self._name = name
        self._farm = farm
        self._pace = _paces(farm)

    def blocks(self, height: int | None = None) -> list[Block]:
        """All of it, or what a terminal of ``height`` lines has room for."""
        lanes, workers, jobs = self._lanes(), self._workers(), self._jobs()
        blocks: list[Block] = [self._head(), *self._pauses()]
        room = None if height is None else max(0, height - _AROUND)
        for share, table, count in (
            (4, lanes, len(lanes.rows)),
            (2, workers, self._farm.worker_count),
            (1, jobs, len(jobs.rows)),
        ):
            if room is not None:
                table.rows = table.rows[: max(_LEAST, room // share)]
                room -= len(table.rows)
            blocks += _section(table, count)
        return blocks

    def _head(self) -> Cell:
        farm = self._farm
        facts = (
            f"farm {self._name}",
            counted(farm.worker_count, "worker"),
            f"{counted(farm.running, 'job')} running, {farm.queued} queued",
            f"{sum(self._pace.values()):.1f} pictures/min",
            datetime.fromtimestamp(farm.at).astimezone().strftime("%H:%M:%S"),
        )
        return Cell("  ".join(facts))

    def _pauses(self) -> Sequence[Cell]:
        paused = ", ".join(self._farm.pauses)
        return [Cell(f"paused: {paused}", Tone.WARN)] if paused else []

    def _lanes(self) -> Table:
        running = Counter[str]()
        for slice_ in self._farm.slices:
            running[slice_.lane] += slice_.units
        table = Table(_LANES)
        for lane in self._farm.lanes:
            pace = self._pace.get(lane.lane)
            table.add(
                lane.lane,
                str(lane.ready),
                str(running[lane.lane]),
                Cell(str(lane.workers), Tone.PLAIN if lane.workers else Tone.BAD),
                "" if pace is None else f"{pace:.1f}",
                notes=(lane.parked and f"rests after a fault: {lane.parked}",),
            )
        return table

    def _workers(self) -> Table:
        table = WorkerTable(self._farm)
        for worker in self._farm.workers:
            table.add_worker(worker)
        return table

    def _jobs(self) -> Table:
        table = JobTable(self._farm.at, has_bars=True)
        for row in self._farm.jobs:
            table.add_job(row)
        return table


def _section(table: Table, count: int) -> list[Block]:
    more = count - len(table.rows)
    blocks: list[Block] = [Cell(""), table]
    return [*blocks, Cell(f"and {more} more", Tone.QUIET)] if more > 0 else blocks


def _paces(farm: FarmSnapshot) -> dict[str, float]:
    """Lane → pictures per minute of the workers that draw there, where they have measured it."""
    workers = {worker.name: worker for worker in farm.workers}
    paces: dict[str, float] = {}
    for name, lane in {(slice_.worker, slice_.lane) for slice_ in farm.slices}:
        pace = pictures_per_minute(workers[name], lane) if name in workers else None
        if pace:
            paces[lane] = paces.get(lane, 0.0) + pace
    return paces

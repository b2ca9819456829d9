"""Progress of jobs while they run: rows with bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from winepress.views.job_table import brief, state_cell
from winepress.views.progress import Progress
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.records import JobRow
from winepress_shared.screen.board import Board
from winepress_shared.screen.table import Block, Cell, Column, Table, Tone

_COLUMNS = (
    Column("JOB"),
    Column("STATE", least=9),
    Column("KIND", 3),
    Column("PROGRESS"),
    Column("PICTURES/MIN", 1, is_number=True),
    Column("ETA", 2, least=3),
)


class ProgressBoard(Board):
    """Follows the events of jobs while its ``with`` block runs."""

    def __init__(self, rows: Sequence[JobRow], stream: TextIO) -> None:
        super().__init__(stream)
        self._jobs = {row.id: Progress(row) for row in rows}
        self._notes: dict[str, str] = {}

    def __exit__(self, *_: object) -> None:
        try:
            self.show(self._blocks, self._texts, at_once=True)
        finally:
            super().__exit__()

    def take(self, job_id: str, event: Event) -> None:
        """Take an event of a job in, and draw when it is time to."""
        self._jobs[job_id].take(event)
        self.show(self._shortened, self._texts)

    def refresh(self) -> None:
        """Draw what came last, on a terminal."""
        self.draw(self._shortened())

    def note(self, job_id: str, text: str) -> None:
        """Let ``text`` stand below the row of a job, in place of what stood there."""
        self._notes[job_id] = text

    def _texts(self) -> Iterator[str]:
        return (f"{job.id}: {job.text}" for job in self._jobs.values())

    def _blocks(self, most: int | None = None) -> list[Block]:
        jobs = list(self._jobs.values())
        if most is not None and len(jobs) > most:  # those that go on come first
            jobs = sorted(jobs, key=lambda job: job.is_over)[:most]
        table = Table(_COLUMNS)
        for job in jobs:
            self._add(table, job)
        more = len(self._jobs) - len(jobs)
        return [table, Cell(f"and {more} more", Tone.QUIET)] if more else [table]

    def _shortened(self) -> list[Block]:
        """What the terminal has room for, with one note for each job."""
        return self._blocks(max(1, (self.size.lines - 3) // 2))

    def _add(self, table: Table, job: Progress) -> None:
        pace = job.per_minute
        table.add(
            job.id,
            state_cell(job.state),
            job.kind,
            Cell(f"{job.done}/{job.units}", share=job.fraction),
            "" if pace is None else f"{pace:.1f}",
            brief(job.left_s),
            notes=(
                f"{job.failed} failed" if job.failed else "",
                job.film,
                job.note,
                self._notes.get(job.id, ""),
            ),
        )

"""An executor without a farm: slices go in, pictures and faults come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.errors import Stopped, WorkerBroken
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Lane
from winepress_shared.ledger.records import Slice
from winepress_worker.engines.base import Engine
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.executor import Executor
from winepress_worker.renderer.job_renderers import JobRenderer, job_renderers
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.slice_reader import SliceReader

LANE = Lane.parse("vignette.fp16")


class Accounts:
    """Stands for lease client and delivery: remembers what is settled, and what is drawn."""

    def __init__(self) -> None:
        self.faults: dict[int, type[Exception]] = {}
        self.drawn: dict[int, Image.Image] = {}
        self.settled: list[int] = []
        self.settled_before: list[int] = []  #: a fault was accounted for
        self.warnings: dict[int, tuple[str, ...]] = {}
        self.called_at: tuple[int, ...] = ()  #: units at which another lane calls
        self.is_given_back = False

    def account(self, slice_: Slice, unit: int, error: Exception) -> None:
        self.faults[unit] = type(error)
        self.settled_before = self.settled

    def send(self, drawn: Sequence[Any]) -> None:
        self.drawn |= {one.unit: one.image for one in drawn}
        self.warnings |= {one.unit: one.warnings for one in drawn}

    def end_spans(self, slices: Sequence[Slice]) -> None:
        pass

    def adopt(self, slice_: Slice, unit: int, job: Job) -> bool:
        return False

    def watch(self, *units: tuple[Slice, int]) -> Callable[[int, int], None]:
        return lambda done, steps: None

    def start(self, units: Sequence[tuple[Slice, int]]) -> tuple[dict[int, Stopped], bool]:
        return {}, any(unit in self.called_at for _, unit in units)

    def holds(self, slice_: Slice) -> bool:
        return True

    def give_back(self, slice_: Slice) -> None:
        self.is_given_back = True

    def settle(self) -> None:
        self.settled = list(self.drawn)


class ExecutorHarness:
    """One worker with nobody beside it; the jobs are in an archive."""

    def __init__(
        self,
        engine: Engine,
        archive: Archive,
        batching: Batching | None = None,
        pool: WarmPool | None = None,
        renderers: Mapping[type[Job], JobRenderer] | None = None,
    ) -> None:
        """``renderers`` are those of kinds that no worker knows."""
        self.accounts = Accounts()
        stub = cast("Any", self.accounts)
        self.pace = Pace()
        self._archive = archive
        pool = pool or WarmPool(engine, 2**40)

        def pipelines_of(slice_: Slice) -> SlicePipelines:
            return SlicePipelines(engine, pool, lambda message: None, lambda: None)

        batching = batching or Batching()
        self._executor = Executor(
            stub,
            stub,
            SliceReader(archive, pipelines_of),
            {**job_renderers(stub, archive, stub, batching, self.pace), **(renderers or {})},
            lambda slice_, drawn_s: drawn_s >= 0,
        )

    def write(self, job: Job) -> None:
        """Have a resolved job be the job "j"."""
        self._archive.write_job(JobRecord("j", job, LANE, "ada"))

    def run(self, units: Iterable[int], attempts: int = 0) -> Accounts:
        """Render a slice of the job "j", whose first unit was begun ``attempts`` times before."""
        try:
            self._executor.run(
                Slice(1, "j", tuple(units), False, attempts, 0, 0, alone=attempts > 0)
            )
        except WorkerBroken:
            self.accounts.faults[-1] = WorkerBroken
        return self.accounts

    def draw(self, job: Job, units: Iterable[int], attempts: int = 0) -> dict[int, Image.Image]:
        """Render units of a resolved job, which must go well; returns all drawn so far."""
        self.write(job)
        accounts = self.run(units, attempts)
        assert accounts.faults == {}
        return accounts.drawn

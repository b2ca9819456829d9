"""An executor without a farm: slices go in, drawn pictures come out; a fault fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Lane
from winepress_shared.ledger.records import Slice
from winepress_shared.stores.folder import FolderStore
from winepress_worker.engines.base import Engine
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.delivery import Drawn
from winepress_worker.renderer.executor import Executor

LANE = Lane.parse("vignette.fp16")


class LoneExecutor:
    """One job of one worker. Stands for the lease client and for the delivery too."""

    def __init__(
        self, engine: Engine, pool: WarmPool, folder: Path, job: Job, batching: Batching
    ) -> None:
        """``job`` is resolved."""
        archive = Archive(FolderStore(folder))
        archive.write_job(JobRecord("j", job, LANE, "ada"))
        self.drawn: dict[int, Image.Image] = {}
        self.executor = Executor(
            self,  # type: ignore[arg-type]
            archive,
            self,  # type: ignore[arg-type]
            pool,
            engine.key,
            lambda: None,
            batching,
        )

    def run(self, units: Iterable[int], attempts: int = 0) -> None:
        """Draw one slice, whose first unit was begun ``attempts`` times before."""
        self.executor.run(Slice(1, "j", tuple(units), False, attempts, 0, 0))

    def account(self, part: Slice, unit: int, error: Exception) -> None:
        raise AssertionError(error)

    def watch(self, part: Slice, unit: int) -> Callable[[int, int], None]:
        return lambda done, steps: None

    def send(self, drawn: Drawn) -> None:
        self.drawn[drawn.unit] = drawn.image

    def adopt(self, part: Slice, unit: int, job: Job) -> bool:
        return False

    def settle(self) -> None: ...

    def start(self, part: Slice, *units: int) -> bool:
        return False

    def note(self, part: Slice, message: str) -> None: ...

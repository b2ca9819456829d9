"""A renderer whose ledger is in memory and whose store is a folder: all of it but Celery."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.catalogue import Catalogue
from winepress_shared.items import Item, write_items
from winepress_shared.jobs.job import Batch, Job
from winepress_shared.lane import Lane
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_shared.ledger.previews import PreviewStore
from winepress_shared.ledger.records import JobRow, Slice
from winepress_shared.ledger.submissions import Submission
from winepress_shared.stores.folder import FolderStore
from winepress_worker.engines.base import Engine
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.pipelines.warm_pool import WarmPool
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.delivery import Delivery
from winepress_worker.renderer.executor import Executor
from winepress_worker.renderer.job_renderers import job_renderers
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.preview_publisher import PreviewPublisher
from winepress_worker.renderer.slice_reader import SliceReader
from winepress_worker.renderer.unfit import Unfit

LANE = Lane.parse("vignette.fp16")


class RendererInMemory:
    """One worker, and the farm it works for."""

    def __init__(
        self,
        folder: Path,
        engine: Engine | None = None,
        ledger: InMemoryLedger | None = None,
        batching: Batching | None = None,
    ) -> None:
        self.ledger = ledger or InMemoryLedger()
        self.archive = Archive(FolderStore(folder))
        self.unfit = Unfit(lambda model: None)
        self.called: list[str] = []  #: lanes that were called
        self._engine, messenger = engine or FakeEngine(), Messenger()
        self.pool = WarmPool(self._engine, 2**40)
        previews = PreviewPublisher(cast("PreviewStore", None), messenger)
        self.leases = LeaseClient(self.ledger, "w1", 1, previews, messenger, self.unfit)
        self.delivery = Delivery(self.leases, self.archive, self.called.append)
        self.executor = Executor(
            self.leases,
            self.delivery,
            SliceReader(self.archive, self._pipelines),
            job_renderers(self.leases, self.archive, self.delivery, batching or Batching(), Pace()),
            lambda slice_, drawn_s: False,
        )

    def _pipelines(self, slice_: Slice) -> SlicePipelines:
        return SlicePipelines(self._engine, self.pool, lambda message: None, lambda: None)

    def submit(self, job: Job, job_id: str = "j", **fields: Any) -> None:
        """Write and enter a job, which is resolved first."""
        self._enter(JobRecord(job_id, Catalogue.load().resolve(job), LANE, "ada", **fields))

    def _enter(self, record: JobRecord) -> None:
        self.archive.write_job(record)
        self.ledger.submit(Submission.of(record))

    def submit_items(self, *items: Item, job_id: str = "j") -> None:
        """The same for a batch of these items."""
        write_items(self.archive, job_id, [item.encode() for item in items])
        self._enter(JobRecord(job_id, Batch(n=len(items), model=LANE.model), LANE, "ada"))

    def claim(self, most: int = 1000) -> Slice:
        """The next slice; there must be one."""
        slices = self.leases.claim(str(LANE), most, begin=False)
        assert slices, "nothing was handed out"
        return slices[0]

    def work(self, most: int = 1000, job_id: str = "j", together: int = 1) -> JobRow:
        """Work until nothing is left; what became of one job."""
        while slices := self.leases.claim(str(LANE), most, together=together, begin=False):
            self.executor.run(*slices)
            self.delivery.settle()
        return self.ledger.get(job_id)

"""Reads from the store what a slice asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable

from winepress_shared.archive import Archive, JobRecord
from winepress_shared.errors import FailForGood, ObjectMissing, StoreUnreachable
from winepress_shared.items import ItemReader
from winepress_shared.ledger.records import Slice
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.renderer.input_pictures import InputPictures
from winepress_worker.renderer.work import SliceWork

log = logging.getLogger(__name__)


class SliceReader:
    """Keeps the job, items and input pictures read last: slices of one job follow each other."""

    def __init__(
        self,
        archive: Archive,
        pipelines_of: Callable[[Slice], SlicePipelines],
        find_written: Callable[[str], bytes | None] = lambda job_id: None,
    ) -> None:
        """``pipelines_of`` makes what draws a slice.

        ``find_written`` is asked for a ``job.json`` that the store has lost.
        """
        self._find_written = find_written
        self._archive = archive
        self._pipelines_of = pipelines_of
        self._items = ItemReader(archive)
        self._inputs = InputPictures(archive)
        self._record: JobRecord | None = None

    def read(self, slice_: Slice) -> SliceWork:
        """The job of a slice, with its input pictures; its units are read when they are needed.

        Raises FailForGood for a job that is lost or damaged, and StoreUnreachable.
        """
        record = self._job(slice_.job_id)
        self._inputs.of(record.job)
        return SliceWork(slice_, record, self._pipelines_of(slice_), self._inputs, self._items)

    def _job(self, job_id: str) -> JobRecord:
        if self._record is None or self._record.id != job_id:
            try:
                self._record = self._archive.read_job(job_id)
            except StoreUnreachable as error:
                self._record = self._lost(job_id, error)
        return self._record

    def _lost(self, job_id: str, error: StoreUnreachable) -> JobRecord:
        """The job as the broker knows it, if the store works and has lost it."""
        self._archive.store.check()
        text = self._find_written(job_id)
        if text is not None:
            log.warning("the store has lost job.json of %s; the broker has kept it", job_id)
            return JobRecord.decode(text)
        # Without any job, none is at fault: a shared folder is not mounted here, for example.
        if not isinstance(error, ObjectMissing) or not self._archive.has_jobs:
            raise error
        raise FailForGood("never accepted, or lost: its job.json is gone")

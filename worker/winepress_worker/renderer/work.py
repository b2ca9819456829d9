"""A slice with everything that is needed to render its units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from winepress_shared.archive import JobRecord
from winepress_shared.items import Item, ItemReader
from winepress_shared.jobs.job import Job
from winepress_shared.ledger.records import Slice
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.renderer.input_pictures import InputPictures


@dataclass(frozen=True)
class SliceWork:
    """A slice of a job, and what renders it."""

    slice: Slice
    record: JobRecord
    pipelines: SlicePipelines
    inputs: InputPictures
    items: ItemReader

    @cached_property
    def units(self) -> tuple[UnitWork, ...]:
        """The units of the slice, in order."""
        return tuple(UnitWork(self, number) for number in self.slice.units)


class UnitWork:
    """One unit of a slice; its item is read when it is first needed, and once.

    Its properties raise FailForGood for an item that is damaged, and StoreUnreachable.
    """

    def __init__(self, work: SliceWork, number: int) -> None:
        self.work = work
        self.number = number

    @property
    def slice(self) -> Slice:
        """The slice to which it belongs."""
        return self.work.slice

    @property
    def job(self) -> Job:
        """The job of this unit alone, resolved."""
        return self._item.job

    @property
    def warnings(self) -> tuple[str, ...]:
        """What it asks for and will not get, as known before."""
        return self._item.warnings

    @cached_property
    def _item(self) -> Item:
        return self.work.items.item(self.work.record, self.number)

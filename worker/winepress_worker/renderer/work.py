"""A slice with everything that is needed to render its units."""

from __future__ import annotations

from dataclasses import dataclass, field

from winepress_shared.archive import JobRecord
from winepress_shared.items import ItemReader
from winepress_shared.jobs.job import Job
from winepress_shared.ledger.records import Slice
from winepress_worker.pipelines.slice_pipelines import SlicePipelines
from winepress_worker.renderer.input_pictures import InputPictures


@dataclass(frozen=True)
class UnitWork:
    """One unit of a slice, resolved."""

    number: int
    job: Job  #: of this unit alone
    warnings: tuple[str, ...] = ()  #: what it asks for and will not get, as known before


@dataclass(frozen=True)
class SliceWork:
    """A slice of a job, and what renders it."""

    slice: Slice
    record: JobRecord
    pipelines: SlicePipelines
    inputs: InputPictures
    items: ItemReader
    _units: dict[int, UnitWork] = field(default_factory=dict)

    def unit(self, number: int) -> UnitWork:
        """One unit of the slice, read once; raises FailForGood for an item that is damaged."""
        if number not in self._units:
            item = self.items.item(self.record, number)
            self._units[number] = UnitWork(number, item.job, item.warnings)
        return self._units[number]

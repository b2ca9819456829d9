"""A slice with everything needed to render its units."""

from __future__ import annotations

from dataclasses import dataclass

from winepress_shared.archive import JobRecord
from winepress_shared.ledger.records import Slice
from winepress_worker.engines.base import Pipeline
from winepress_worker.pipelines.by_model import PipelinesByModel


@dataclass(frozen=True)
class Work:
    """A slice, its job, and what draws its units."""

    part: Slice
    record: JobRecord
    pipeline: Pipeline | PipelinesByModel

    @property
    def is_warm(self) -> bool:
        """Whether its pipeline has drawn before; those of a zoom answer for themselves."""
        return isinstance(self.pipeline, PipelinesByModel) or self.pipeline.is_warm

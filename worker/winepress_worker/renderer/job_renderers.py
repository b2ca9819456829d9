"""What renders the units of each kind of job. A new kind is registered here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from winepress_shared.archive import Archive
from winepress_shared.jobs.job import Batch, ImageToImage, Inpaint, Job, TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_worker.renderer.batching import Batching
from winepress_worker.renderer.call_size import Call
from winepress_worker.renderer.delivery import Delivery, Rendered
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.pace import Pace
from winepress_worker.renderer.picture_renderer import PictureRenderer
from winepress_worker.renderer.work import SliceWork, UnitWork
from winepress_worker.renderer.zoom_renderer import ZoomRenderer


class JobRenderer(Protocol):
    """Renders the units of some kinds of job. Begins, delivers and settles nothing itself."""

    def prepare(self, work: SliceWork) -> None:
        """Load what the first unit of a slice needs; a fault here counts no attempt."""

    def next_call(self, units: Sequence[UnitWork]) -> Call | None:
        """The first of ``units`` that are drawn together; None when the first one is drawn alone.

        They may belong to several slices, and to jobs of other kinds from the second one on. Reads
        units that are not begun yet, and leaves the faults of theirs to their own turns.
        """

    def draw(self, units: Sequence[UnitWork], call: Call | None) -> Sequence[Rendered]:
        """Draw the units of ``call``, or without one the only unit.

        Returns nothing where the units of a call must be drawn alone, one after the other. Raises
        what `Pipeline.render` and the step callback raise.
        """


def job_renderers(
    lease_client: LeaseClient, archive: Archive, delivery: Delivery, batching: Batching, pace: Pace
) -> Mapping[type[Job], JobRenderer]:
    """Every kind of job, and what renders it."""
    pictures = PictureRenderer(lease_client, batching, pace)
    zooms = ZoomRenderer(lease_client, archive, delivery, pace)
    return {
        TextToImage: pictures,
        ImageToImage: pictures,
        Inpaint: pictures,
        Batch: pictures,
        ZoomVideo: zooms,
    }

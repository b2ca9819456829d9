"""What a picture is when nothing disturbs it: drawn here, without farm, broker or store."""

from __future__ import annotations

import hashlib

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import encode
from winepress_worker.engines.base import Request, ignore_steps
from winepress_worker.engines.fake import FakeEngine


class Originals:
    """The SHA-256 of each picture of a job of the fake engine."""

    def __init__(self) -> None:
        self._catalogue = Catalogue.load()
        self._engine = FakeEngine()

    def of(self, job: Job) -> list[str]:
        """One for each picture, in order; ``job`` has a seed."""
        resolved = self._catalogue.resolve(job)
        assert resolved.seed is not None
        key = self._engine.prepare(resolved.model, Precision.FP16)
        pipeline = self._engine.load(key)
        digests = []
        for unit in range(resolved.unit_count):
            one = resolved.for_unit(unit)
            request = Request(one, (one.seed or 0,))
            (picture,) = pipeline.render(request, ignore_steps)
            data = encode(picture, one, pipeline.facts(request))
            digests.append(hashlib.sha256(data).hexdigest())
        return digests

"""The presets of jobs: how much likeness to the exact picture may be given for speed."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel


class Quality(StrEnum):
    """A preset; what it sets depends on the model, see `preset`."""

    EXACT = "exact"  #: the picture as the model draws it
    FAST = "fast"  #: a picture hard to tell from it
    DRAFT = "draft"  #: the same idea, in a third of the time or less


class OfQuality(BaseModel):
    """A mixin for every job."""

    quality: Quality | None = None  #: sets options that the job leaves open; None: the farm's

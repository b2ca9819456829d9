"""The properties of a job kind that the rest of Winepress uses."""

from __future__ import annotations

from typing import ClassVar

from winepress_shared.jobs.model_options import Refinement
from winepress_shared.jobs.picture import Picture
from winepress_shared.jobs.sound import Sound


class JobKind:
    """The values for a picture drawn from only a prompt; each kind overrides what differs."""

    #: Whether each unit is one picture that one call of a model draws, alone or with others.
    is_picture: ClassVar[bool] = True
    has_items: ClassVar[bool] = False  #: whether each unit is a job of its own, see `items`
    is_chained: ClassVar[bool] = False  #: whether each unit needs the one before
    is_composite: ClassVar[bool] = False  #: whether parts of a given picture stay in the new one
    #: Fields that hold an input picture each, in the order of `pictures`.
    picture_names: ClassVar[tuple[str, ...]] = ()
    #: Model families whose pipelines for this kind can rescale guidance (diffusers 0.37).
    rescaling_families: ClassVar[tuple[str, ...]] = ()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The given input pictures, in the order of `picture_names`."""
        values = (getattr(self, name) for name in self.picture_names)
        return tuple(picture for picture in values if picture is not None)

    @property
    def sounds(self) -> tuple[Sound, ...]:
        """The input sounds."""
        return ()

    @property
    def source(self) -> Picture | None:
        """The picture that is drawn over, at its own size unless the job names another."""
        return None

    @property
    def source_strength(self) -> float:
        """Fraction of the steps that run: a source picture replaces the first ones."""
        return 1.0

    @property
    def lacks_strength(self) -> bool:
        """Whether the model's default strength applies."""
        return False

    @property
    def refinement(self) -> Refinement | None:
        """How a second model finishes the picture; None if none does."""
        return None

    @property
    def failure_limit(self) -> int | None:
        """Number of units that may fail before the rest is given up; None: any number."""
        return None

    @property
    def last_lane(self) -> str | None:
        """The lane of the last unit if it differs from the job's."""
        return None

    def check_resolved(self) -> None:
        """Raise InvalidJob if the values filled in by the catalogue do not fit together."""

"""Job fields that save computation: a cache of denoising steps, and guidance in some steps only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from winepress_shared.errors import InvalidJob

MAX_CACHE_INTERVAL = 8
GUIDED_FIELDS = ("guidance_start", "guidance_stop", "guidance_min_sigma")
MAX_SIGMA = 1000.0  #: models begin at about 15
#: Steps at the end that are always computed: nothing mends their errors. Those at the start need no
#: more care than others: where there is only noise yet, the output hardly changes.
LAST_EXACT = 2
#: A model that takes this many steps or fewer computes them all.
MOST_UNCACHED = 8


class StepCache(StrEnum):
    """How many denoising steps are predicted from computed ones."""

    OFF = "off"  #: none
    LIGHT = "light"  #: every second one
    STRONG = "strong"  #: two of three


@dataclass(frozen=True)
class Stage:
    """The steps that one model takes in a picture."""

    steps: int
    first: float = 0.0  #: where they begin, as a fraction of the picture's steps
    last: float = 1.0  #: where they end

    def part_of(self, span: tuple[float, float]) -> tuple[float, float]:
        """The part of ``span`` in this stage, as fractions of the stage's own steps."""
        length = self.last - self.first
        start, stop = (min(max((share - self.first) / length, 0.0), 1.0) for share in span)
        return start, stop


_INTERVALS = {StepCache.OFF: 1, StepCache.LIGHT: 2, StepCache.STRONG: 3}


def _word(value: object) -> object:
    """YAML 1.1 reads ``off`` as false."""
    return StepCache.OFF if value is False else value


class Shortcuts(BaseModel):
    """A mixin for every job; None means that every step is computed, with its guidance."""

    step_cache: Annotated[StepCache, BeforeValidator(_word)] | None = None
    #: Instead of that: one step of so many is computed, the others are predicted.
    step_cache_interval: Annotated[int, Field(ge=2, le=MAX_CACHE_INTERVAL)] | None = None
    #: Fractions of the steps between which the picture is guided; outside, the model draws what
    #: the prompt says without the negative prompt, at half the computation.
    guidance_start: Annotated[float, Field(ge=0, lt=1)] | None = None
    guidance_stop: Annotated[float, Field(gt=0, le=1)] | None = None
    #: The same for steps whose noise is below this sigma, the `s_min_uncond` of A1111.
    guidance_min_sigma: Annotated[float, Field(gt=0, le=MAX_SIGMA)] | None = None

    @property
    def asked_interval(self) -> int:
        """One step of so many may be computed; 1 is all of them. See `Job.cache_interval`."""
        return self.step_cache_interval or _INTERVALS[self.step_cache or StepCache.OFF]

    @property
    def guided_span(self) -> tuple[float, float]:
        """`guidance_start` and `guidance_stop`, or the values that leave nothing out."""
        stop = 1.0 if self.guidance_stop is None else self.guidance_stop
        return self.guidance_start or 0.0, stop

    @model_validator(mode="after")
    def _shortcuts_fit(self) -> Self:
        if self.step_cache is not None and self.step_cache_interval is not None:
            raise InvalidJob(
                "cannot be combined with step_cache",
                field="step_cache_interval",
                value=self.step_cache_interval,
                allowed="only one of the two",
            )
        start, stop = self.guided_span
        if start >= stop:
            raise InvalidJob(
                "must be below guidance_stop",
                field="guidance_start",
                value=start,
                allowed=f"less than {stop:g}",
            )
        return self


def exact_steps(total: int, interval: int) -> frozenset[int]:
    """The steps of ``total``, counted from 0, that are computed; the others are predicted."""
    if total <= MOST_UNCACHED:
        return frozenset(range(total))
    return frozenset({*range(0, total, interval), *range(total - LAST_EXACT, total)})


def guided_steps(total: int, span: tuple[float, float]) -> range:
    """The steps of ``total``, counted from 0, that are guided; rounded as diffusers does."""
    # Rounded first: 0.29 * 100 is 28.999999999999996.
    start, stop = (int(round(share * total, 6)) for share in span)
    return range(start, stop)

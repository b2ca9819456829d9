"""A matrix: every item is drawn once for each combination of values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.aliases import ALIASES

MAX_CELLS = 100_000  #: most combinations of one matrix
_RANGE = re.compile(r"(\d{1,16})-(\d{1,16})(?::(\d{1,16}))?\Z")


class Matrix:
    """The axes of a matrix; without axes it has one empty cell."""

    def __init__(self, axes: Sequence[str] = ()) -> None:
        """``axes`` are ``FIELD=VALUES``: ``seed=1-4``, ``steps=10-30:10``, ``guidance=5,7.5``,
        ``prompt=a cat|a dog``.

        Raises WrongUsage.
        """
        self._axes: dict[str, Sequence[str | int]] = {}
        for text in axes:
            name, equals, values = text.partition("=")
            field = ALIASES.get(name, name)
            if not (name and equals and values) or field in self._axes:
                problem = "given twice" if field in self._axes else "not an axis of a matrix"
                allowed = "like seed=1-4, guidance=5,7.5 or prompt=a cat|a dog"
                raise WrongUsage(problem, field="matrix", value=text, allowed=allowed)
            self._axes[field] = _values(values, text)
        if self.size > MAX_CELLS:
            raise WrongUsage(
                "the matrix is too large", field="matrix", value=self.size, allowed=f"{MAX_CELLS}"
            )

    @property
    def size(self) -> int:
        """Number of combinations."""
        return prod(len(values) for values in self._axes.values())

    def cells(self) -> Iterator[dict[str, str | int]]:
        """Field → value of every combination; the last axis runs fastest."""
        for values in product(*self._axes.values()):
            yield dict(zip(self._axes, values, strict=True))


def _values(written: str, axis: str) -> Sequence[str | int]:
    found = _RANGE.match(written)
    if found is None:
        return [value.strip() for value in written.split("|" if "|" in written else ",")]
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if last < first or step < 1 or (last - first) // step >= MAX_CELLS:
        raise WrongUsage("not a range", field="matrix", value=axis, allowed="FIRST-LAST[:STEP]")
    return range(first, last + 1, step)

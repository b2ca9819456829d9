"""The values of metrics at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from winepress.metrics.families import FAMILIES, Family, Kind

Labels = tuple[str, ...]  #: values of the labels of a family, in their order


@dataclass(frozen=True)
class Buckets:
    """One series of a histogram."""

    counts: Mapping[str, float]  #: upper bound → values up to it and above the one before
    sum: float

    @classmethod
    def of(cls, bounds: tuple[float, ...], counts: Mapping[str, float]) -> Buckets:
        """Counts by bound, ``inf`` for those above all, and ``sum``; what is missing is 0."""
        texts = {f"{bound:g}": str(float(bound)) for bound in bounds} | {"inf": "+Inf"}
        found = {text: counts.get(name, 0.0) for name, text in texts.items()}
        return cls(found, counts.get("sum", 0.0))

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and number of values up to it, as Prometheus wants it."""
        total, rows = 0.0, []
        for bound, count in self.counts.items():
            total += count
            rows.append((bound, total))
        return rows


@dataclass(frozen=True)
class Samples:
    """Family → values by its labels."""

    values: dict[str, dict[Labels, float]] = field(default_factory=dict)
    buckets: dict[str, dict[Labels, Buckets]] = field(default_factory=dict)

    def add(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge or a counter."""
        self._check(name, labels, is_histogram=False)
        self.values.setdefault(name, {})[labels] = value

    def add_buckets(self, name: str, buckets: Buckets, *labels: str) -> None:
        """Set a series of a histogram."""
        self._check(name, labels, is_histogram=True)
        self.buckets.setdefault(name, {})[labels] = buckets

    def families(self) -> Iterator[Family]:
        """Those that have a value, in the order of the list."""
        told = self.values.keys() | self.buckets.keys()
        return (family for name, family in FAMILIES.items() if name in told)

    def merge(self, other: Samples) -> None:
        """Add everything that ``other`` has."""
        self.values.update(other.values)
        self.buckets.update(other.buckets)

    @staticmethod
    def _check(name: str, labels: Labels, *, is_histogram: bool) -> None:
        family = FAMILIES[name]
        if len(labels) != len(family.labels) or is_histogram != (family.kind is Kind.HISTOGRAM):
            raise ValueError(f"{name} has the labels {family.labels} and is a {family.kind}")

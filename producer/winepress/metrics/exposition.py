"""The text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from winepress.metrics.families import PREFIX, Family, Kind
from winepress.metrics.samples import Samples


def exposition(samples: Samples, accept: str = "") -> tuple[bytes, str]:
    """The samples, and the media type: OpenMetrics or Prometheus's own, whichever is accepted."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(samples))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collector(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        for family in self._samples.families():
            yield self._metric(family)

    def _metric(self, family: Family) -> Metric:
        name, labels = f"{PREFIX}{family.name}", family.labels
        if family.kind is Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(name, family.help, labels=labels)
            for values, buckets in self._samples.buckets[family.name].items():
                histogram.add_metric(values, buckets.cumulative(), buckets.sum)
            return histogram
        is_counter = family.kind is Kind.COUNTER
        metric = (CounterMetricFamily if is_counter else GaugeMetricFamily)(
            name, family.help, labels=labels
        )
        for values, value in self._samples.values[family.name].items():
            metric.add_metric(values, value)
        return metric

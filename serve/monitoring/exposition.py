"""A snapshot in the text format of Prometheus, made when it is asked for: no older than the snapshot."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from actors.latency import BOUNDS_US
from serve.desk.view import ClusterSnapshot
from serve.monitoring.metrics import HISTOGRAM, HISTOGRAM_MEANING, METRICS, Kind, Sample
from serve.monitoring.samples import samples_of

CLUSTER = "cluster"
"""Label of every sample."""


def exposition(snapshot: ClusterSnapshot | None, cluster: str, now_ns: int) -> str:
    """Return the metrics; of a cluster that does not answer (None), `trading_up 0` alone."""
    down = [Sample("trading_up", (), 0)]
    samples = down if snapshot is None else list(samples_of(snapshot, now_ns))
    families = list(_families(samples, cluster))
    if snapshot is not None and snapshot.latency_counts:
        families.append(_histogram(snapshot, cluster))
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    text: bytes = generate_latest(registry)
    return text.decode()


class _Fixed(Collector):
    """What Prometheus' client asks for families; these are made already."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(samples: Iterable[Sample], cluster: str) -> Iterator[Metric]:
    found: dict[str, Any] = {}
    for sample in samples:
        metric = METRICS[sample.name]
        family = found.get(sample.name)
        if family is None:
            kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=(CLUSTER, *metric.labels))
            found[sample.name] = family
        family.add_metric((cluster, *sample.labels), float(sample.value))
    yield from found.values()


def _histogram(snapshot: ClusterSnapshot, cluster: str) -> Metric:
    ends = [*(str(bound / 1e6) for bound in BOUNDS_US), "+Inf"]
    buckets = list(zip(ends, accumulate(map(float, snapshot.latency_counts)), strict=True))
    family = HistogramMetricFamily(HISTOGRAM, HISTOGRAM_MEANING, labels=(CLUSTER,))
    family.add_metric((cluster,), buckets, sum_value=snapshot.latency_total_s)
    return family

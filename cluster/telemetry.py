"""What Ray exports for Prometheus: gauges that the supervisor sets from the hosts' own reports.

The same table as the front desk's `/metrics` (`serve.monitoring.metrics`), with `ray_` in front of each name and
up to ten seconds older. It also works where no front desk runs.
"""

from collections.abc import Iterable, Mapping

from ray.util.metrics import Gauge

from actors.assignment import HostReport
from serve.monitoring.metrics import METRICS, Sample
from serve.monitoring.samples import samples_of_machine


class Telemetry:
    """Gauges of one cluster."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._gauges: dict[str, Gauge] = {}

    def record(self, restarts: Mapping[str, int], reports: Iterable[HostReport]) -> None:
        """Set every gauge from one round of reports."""
        for host, count in restarts.items():
            self._set(Sample("trading_actor_restarts_total", (host,), count))
        for report in reports:
            for machine, view in report.views.items():
                for sample in samples_of_machine(machine, view):
                    self._set(sample)

    def _set(self, sample: Sample) -> None:
        gauge = self._gauges.get(sample.name)
        metric = METRICS[sample.name]
        if gauge is None:
            keys = ("cluster", *metric.labels)
            gauge = Gauge(metric.name, description=metric.meaning, tag_keys=keys)
            self._gauges[sample.name] = gauge
        tags = dict(zip(metric.labels, sample.labels, strict=True))
        gauge.set(float(sample.value), tags={"cluster": self._cluster, **tags})

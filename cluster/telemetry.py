"""What Prometheus sees: gauges that the supervisor sets from the hosts' own reports.

Ray exports them (`ray_` is put in front of each name). Labels are bounded: never an order id.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ray.util.metrics import Gauge

from actors.assignment import HostReport
from trading.identifiers import MachineName, machine_kind

_KILLED = {True: 1, False: 0}


class Telemetry:
    """Gauges of one cluster."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._gauges: dict[str, Gauge] = {}

    def record(self, restarts: Mapping[str, int], reports: Iterable[HostReport]) -> None:
        """Set every gauge from one round of reports."""
        for host, count in restarts.items():
            self._set("trading_host_restarts", count, host=host)
        for report in reports:
            for machine, count in report.messages.items():
                self._set("trading_machine_messages", count, machine=machine)
            for quantile, latency in report.latency_us.items():
                if latency is not None and any(machine_kind(m) == "broker" for m in report.views):
                    self._set("trading_tick_to_order_seconds", latency / 1e6, quantile=quantile)
            for machine, view in report.views.items():
                self._record_machine(machine, view)

    def _record_machine(self, machine: MachineName, view: Mapping[str, Any]) -> None:
        match machine_kind(machine):
            case "broker":
                self._set("trading_orders_ambiguous", view["ambiguous"], broker=machine)
                self._set("trading_journal_seq", view["sequence"], broker=machine)
                self._set(
                    "trading_kill_switch_state", _KILLED[view["kill"]["is_latched"]], broker=machine
                )
                self._set("trading_venue_connected", view["is_connected"], broker=machine)
                if view["clock"]["skew_ms"] is not None:
                    skew_s = view["clock"]["skew_ms"] / 1e3
                    self._set("trading_venue_clock_skew_seconds", skew_s, broker=machine)
                for status, count in view["orders_by_status"].items():
                    self._set("trading_orders", count, broker=machine, status=status)
            case "risk":
                for code, count in view["denials"].items():
                    self._set("trading_orders_refused", count, risk=machine, reason=code)
            case "ledger":
                for name in ("equity", "gross", "net", "drawdown"):
                    self._set(f"trading_account_{name}", float(view[name]), ledger=machine)
            case "feed":
                for code, count in view["rejected"].items():
                    self._set("trading_feed_rejected", count, feed=machine, reason=code)
            case _:
                pass

    def _set(self, name: str, value: float, **labels: str) -> None:
        gauge = self._gauges.get(name)
        if gauge is None:
            keys = ("cluster", *labels)
            gauge = self._gauges[name] = Gauge(name, description=name, tag_keys=keys)
        gauge.set(float(value), tags={"cluster": self._cluster, **labels})

"""Files for Prometheus and Grafana, made from the tables of metrics and rules: nobody keeps two lists."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from serve.monitoring.metrics import HISTOGRAM, HISTOGRAM_MEANING, METRICS
from serve.monitoring.rules import RULES

_HEAD = "# Made by `python -m cluster.reference`; edit serve/monitoring, not this file.\n"
_WIDTH, _HEIGHT = 8, 7
"""Of one panel, in Grafana's grid of 24 columns."""
_PANELS: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "Money",
        (
            ("Equity", "trading_account_equity", "{{account}}", "currencyUSD"),
            ("Drawdown", "trading_account_drawdown", "{{account}}", "percentunit"),
            ("Exposure", "trading_account_gross", "{{account}}", "currencyUSD"),
            ("Profit by strategy", "trading_strategy_profit", "{{strategy}}", "currencyUSD"),
            ("Positions", "trading_position_value", "{{instrument}}", "currencyUSD"),
            ("Limits, used part", "trading_limit_used_ratio", "{{limit}}", "percentunit"),
        ),
    ),
    (
        "Orders",
        (
            (
                "Tick to order, p50 and p99",
                f"histogram_quantile(0.99, sum by (le) (rate({HISTOGRAM}_bucket[5m])))",
                "p99",
                "s",
            ),
            ("Orders by status", "trading_orders", "{{status}}", "short"),
            (
                "Refused by risk",
                "sum by (reason) (rate(trading_orders_refused_total[5m]))",
                "{{reason}}",
                "ops",
            ),
            ("Outcome unknown", "trading_orders_ambiguous", "{{account}}", "short"),
            ("Kill switch", "trading_kill_switch_state", "{{account}}", "bool"),
            ("Trading state", "trading_state", "{{account}} {{state}}", "bool"),
        ),
    ),
    (
        "Venues and data",
        (
            ("Venue ready", "trading_venue_ready", "{{account}}", "bool"),
            ("Clock skew", "trading_venue_clock_skew_seconds", "{{account}}", "s"),
            ("Age of the feed", "trading_feed_age_seconds", "{{venue}}", "s"),
            (
                "Refused market data",
                "sum by (reason) (rate(trading_feed_rejected_total[5m]))",
                "{{reason}}",
                "ops",
            ),
            (
                "Forecasts",
                "sum by (source, outcome) (rate(trading_forecasts_total[5m]))",
                "{{source}} {{outcome}}",
                "ops",
            ),
            (
                "Differences from the venue",
                "trading_reconcile_mismatches",
                "{{account}}",
                "short",
            ),
        ),
    ),
    (
        "Actors",
        (
            ("Up", "trading_actor_up", "{{actor}}", "bool"),
            ("Restarts", "trading_actor_restarts_total", "{{actor}}", "short"),
            ("Messages", "rate(trading_actor_messages_total[1m])", "{{actor}}", "ops"),
        ),
    ),
    (
        "Forecasting service",
        (
            ("Requests", "sum(rate(forecast_asked_total[1m]))", "asked", "reqps"),
            ("Latency", "forecast_latency_ms", "{{replica}} {{quantile}}", "ms"),
            (
                "Failures",
                "sum by (code) (rate(forecast_failures_total[5m]))",
                "{{code}}",
                "ops",
            ),
        ),
    ),
)
_SECOND = {
    "Tick to order, p50 and p99": (
        f"histogram_quantile(0.5, sum by (le) (rate({HISTOGRAM}_bucket[5m])))",
        "p50",
    )
}


def monitoring_files() -> dict[str, str]:
    """Return each file by its place below docs/."""
    return {
        "monitoring-reference.md": _page(),
        "deploy/prometheus/rules.yml": _HEAD + _yaml(alert_rules()),
        "deploy/prometheus/prometheus.yml": _HEAD + _yaml(_prometheus()),
        "deploy/grafana/dashboards/trading.json": json.dumps(dashboard(), indent=1) + "\n",
        "deploy/grafana/provisioning/datasources/prometheus.yml": _HEAD + _yaml(_datasource()),
        "deploy/grafana/provisioning/dashboards/trading.yml": _HEAD + _yaml(_provider()),
    }


def alert_rules() -> dict[str, Any]:
    """Return the rules of `trader alerts` for Prometheus, and one for a front desk that is gone itself."""
    ours = [
        {
            "alert": rule.name,
            "expr": rule.expression,
            "for": f"{rule.for_s}s",
            "labels": {"severity": str(rule.severity)},
            "annotations": {
                "summary": _templated(rule.summary),
                "runbook_url": rule.runbook,
            },
        }
        for rule in RULES
    ]
    gone = {
        "alert": "FrontDeskDown",
        "expr": 'up{job="neural-trader"} == 0',
        "for": "15s",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "The front desk at {{ $labels.instance }} does not answer.",
            "runbook_url": "docs/runbooks/ClusterDown.md",
        },
    }
    return {"groups": [{"name": "neural-trader", "interval": "5s", "rules": [*ours, gone]}]}


def expressions() -> Iterator[str]:
    """Yield every PromQL expression of rules and panels."""
    for rule in RULES:
        yield rule.expression
    for _, panels in _PANELS:
        yield from (expression for _, expression, _, _ in panels)
    yield from (expression for expression, _ in _SECOND.values())


def dashboard() -> dict[str, Any]:
    """Return the board for Grafana (schema 39)."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in _PANELS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
                "panels": [],
            }
        )
        top += 1
        for index, (name, expression, legend, unit) in enumerate(row):
            place = {
                "x": index % 3 * _WIDTH,
                "y": top + index // 3 * _HEIGHT,
                "w": _WIDTH,
                "h": _HEIGHT,
            }
            panels.append(_panel(len(panels) + 1, name, [(expression, legend)], unit, place))
        top += (len(row) + 2) // 3 * _HEIGHT
    return {
        "uid": "neural-trader",
        "title": "neural-trader",
        "tags": ["trading"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": []},
        "panels": panels,
    }


def _panel(
    number: int, name: str, targets: list[tuple[str, str]], unit: str, place: dict[str, int]
) -> dict[str, Any]:
    both = [*targets, _SECOND[name]] if name in _SECOND else targets
    return {
        "id": number,
        "type": "timeseries",
        "title": name,
        "gridPos": place,
        "datasource": {"type": "prometheus", "uid": "neural-trader"},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(both)
        ],
    }


def _templated(summary: str) -> str:
    """Write `{label}` and `{value}` as Prometheus does."""
    labels = {name for metric in METRICS.values() for name in metric.labels}
    for label in labels:
        summary = summary.replace(f"{{{label}}}", f"{{{{ $labels.{label} }}}}")
    return summary.replace("{value}", "{{ $value | humanize }}")


def _prometheus() -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "2s", "evaluation_interval": "5s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": "neural-trader",
                "metrics_path": "/metrics",
                "static_configs": [{"targets": ["127.0.0.1:8000"]}],
            },
            {
                "job_name": "ray",
                "file_sd_configs": [{"files": ["/tmp/ray/prom_metrics_service_discovery.json"]}],  # noqa: S108
            },
        ],
    }


def _datasource() -> dict[str, Any]:
    source = {
        "name": "neural-trader",
        "uid": "neural-trader",
        "type": "prometheus",
        "access": "proxy",
        "url": "http://127.0.0.1:9090",
        "isDefault": True,
    }
    return {"apiVersion": 1, "datasources": [source]}


def _provider() -> dict[str, Any]:
    provider = {
        "name": "neural-trader",
        "type": "file",
        "options": {"path": "/etc/grafana/dashboards"},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _page() -> str:
    lines = [
        "# Metrics and alerts",
        "",
        "<!-- Made by `python -m cluster.reference`; edit serve/monitoring, not this page. -->",
        "",
        "`/metrics` of the front desk is made when it is asked for. Every series has the label `cluster`; Ray exports the",
        "same gauges with `ray_` in front, up to ten seconds later. How to use them: [monitoring](monitoring.md).",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
        *(
            f"| `{m.name}` | {m.kind} | {', '.join(m.labels) or '-'} | {m.meaning} |"
            for m in METRICS.values()
        ),
        f"| `{HISTOGRAM}` | histogram | - | {HISTOGRAM_MEANING} |",
        "",
        "## Alerts",
        "",
        "The same rules stand in [rules.yml](deploy/prometheus/rules.yml) for Prometheus and in `trader alerts watch`.",
        "",
        "| alert | severity | condition | for | runbook |",
        "|---|---|---|---|---|",
        *(
            f"| {r.name} | {r.severity} | `{r.expression}` | {r.for_s} s | [{r.name}](runbooks/{r.name}.md) |"
            for r in RULES
        ),
    ]
    return "\n".join(lines) + "\n"


def _yaml(content: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, width=100)
    return text

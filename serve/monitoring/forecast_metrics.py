"""The forecasts of one replica for Prometheus; Ray exports Serve's own metrics of all of them."""

from serve.forecast.status import ReplicaStatus


def forecast_exposition(status: ReplicaStatus) -> str:
    """Return a status in the text format of Prometheus."""
    label = f'replica="{status.replica}"'
    lines = [
        "# TYPE forecast_asked_total counter",
        f"forecast_asked_total{{{label}}} {status.asked}",
    ]
    lines.append("# TYPE forecast_failures_total counter")
    lines += [
        f'forecast_failures_total{{{label},code="{code}"}} {count}'
        for code, count in sorted(status.failures.items())
    ]
    lines += ["# TYPE forecast_queued gauge", f"forecast_queued{{{label}}} {status.queued}"]
    lines.append("# TYPE forecast_cache_total counter")
    lines.append(f'forecast_cache_total{{{label},result="hit"}} {status.cache_hits}')
    lines.append(f'forecast_cache_total{{{label},result="miss"}} {status.cache_misses}')
    lines.append("# TYPE forecast_latency_ms gauge")
    for name, value in (("0.5", status.p50_ms), ("0.99", status.p99_ms)):
        if value is not None:
            lines.append(f'forecast_latency_ms{{{label},quantile="{name}"}} {value:.3f}')
    return "\n".join(lines) + "\n"

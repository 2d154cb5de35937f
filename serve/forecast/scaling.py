"""How many replicas the load needs.

Serve scales by the requests that it counts itself; those that take the short way it does not see. So each replica says how
busy its process is, and there shall be so many that each is `TARGET_BUSY`.
"""

import time
from typing import Any

BUSY = "busy"
TARGET_BUSY = 0.7
"""Cores that a replica shall use; more, and answers wait for each other."""
IMPORT_PATH = "serve.forecast.scaling:by_busy_replicas"


class BusyMeter:
    """Cores that this process used since the last reading."""

    def __init__(self) -> None:
        self._at, self._used = time.monotonic(), time.process_time()

    def read(self) -> float:
        at, used = time.monotonic(), time.process_time()
        busy = (used - self._used) / max(at - self._at, 1e-9)
        self._at, self._used = at, used
        return busy


def by_busy_replicas(context: Any) -> tuple[float, dict[str, Any]]:
    """Return how many replicas there shall be (a policy of Ray Serve's autoscaler).

    Parameters
    ----------
    context : ray.serve.config.AutoscalingContext
        Serve keeps the result between the configured bounds, and waits before it follows.
    """
    readings = (context.aggregated_metrics or {}).get(BUSY, {})
    if not readings:
        return context.target_num_replicas, {}
    return sum(readings.values()) / TARGET_BUSY, {}

"""What a venue costs a process that does not use it, beside its client library: wall time and memory of one start."""

import json
import statistics
import subprocess
import sys
from typing import Any

SUBJECTS = {
    "an interpreter with numpy and msgspec": "import numpy, msgspec",
    "all five profiles": (
        "from actors.venues.opening import venue_names, venue_profile\n"
        "for name in venue_names(): venue_profile(name)"
    ),
    "alpaca-py": "import alpaca.trading.client, alpaca.trading.stream, alpaca.data.live",
    "ib_async": "import ib_async",
    "ccxt.pro": "import ccxt.pro",
    "quickfix": "import quickfix",
}
MEASURE = """
import json, resource, time
began = time.perf_counter()
exec({code!r})
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
REPEATS = 7


def measured(code: str) -> tuple[list[float], float]:
    """Return the seconds of each start, and the median of the greatest memory (MB)."""
    runs: list[list[float]] = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE.format(code=code)],
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(json.loads(done.stdout.strip().rpartition("\n")[2]))
    return [run[0] for run in runs], statistics.median(run[1] for run in runs)


def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    first = 0.0
    for subject, code in SUBJECTS.items():
        seconds, memory = measured(code)
        middle = statistics.median(seconds)
        first = first or middle
        found.append(
            {
                "what": "import, one process",
                "subject": subject,
                "p50_us": middle * 1e6,
                "p99_us": max(seconds) * 1e6,
                "ratio": middle / first,
                "note": f"{memory:.0f} MB; slowest of {REPEATS} instead of p99",
            }
        )
    return found

"""Rows of a table from measured times."""

from collections.abc import Sequence

import numpy as np


def row(what: str, subject: str, times_ns: Sequence[float], note: str = "") -> dict[str, object]:
    p50, p99 = np.percentile(times_ns, [50, 99]) / 1_000
    return {
        "what": what,
        "subject": subject,
        "p50_us": float(p50),
        "p99_us": float(p99),
        "ratio": 1.0,
        "note": note,
    }


def with_ratios(found: list[dict[str, object]]) -> list[dict[str, object]]:
    first = found[0]["p50_us"]
    assert isinstance(first, float)
    for each in found:
        median = each["p50_us"]
        assert isinstance(median, float)
        each["ratio"] = round(median / first, 2)
    return found

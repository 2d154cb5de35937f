"""Front desks for the tests of analyses: over the simulated cluster, or over prices that a test makes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve.desk.front_desk import FrontDesk
from tests.serve.simulated_desk import SimulatedDesk, front_desk

MONDAY = date(2020, 1, 6)


def simulated(folder: Path) -> tuple[FrontDesk, SimulatedDesk]:
    """Return a desk whose cluster trades, and the cluster."""
    trading = SimulatedDesk(folder)
    return front_desk(folder, trading=trading), trading


def without_cluster(folder: Path) -> FrontDesk:
    """Return a desk whose cluster does not answer: all of the shipped prices are known."""
    desk, trading = simulated(folder)
    trading.go_down()
    return desk


def on_prices(folder: Path, closes: Mapping[str, NDArray[np.float64]]) -> FrontDesk:
    """Return a desk over a file of closes, on working days from `MONDAY`; its cluster does not answer."""
    count = len(next(iter(closes.values())))
    days = [MONDAY + timedelta(days=7 * (i // 5) + i % 5) for i in range(count)]
    rows = [
        ",".join([day.isoformat(), *(repr(float(close[i])) for close in closes.values())])
        for i, day in enumerate(days)
    ]
    file = folder / "prices.csv"
    file.write_text("\n".join([",".join(["Date", *closes]), *rows]) + "\n")
    return replace(without_cluster(folder), source=str(file))


def walk(seed: int, count: int = 300, deviation: float = 0.01) -> NDArray[np.float64]:
    """Return a random course of prices that begins at 100."""
    changes = np.random.default_rng(seed).normal(0.0003, deviation, count)
    return 100.0 * np.cumprod(1.0 + changes)

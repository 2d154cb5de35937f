"""Value at risk and expected shortfall: simulation of 10,000 paths of 50 assets, and history against skfolio.

Method: one book of 50 assets (seed 7), correlated by five factors. A simulation draws all returns of a
normal distribution and reads off both measures with their intervals; the naive peer draws asset by
asset and path by path in Python from the same factor, over 200 paths, times 50. History is 2,500 bars:
ours gives both measures with their intervals; skfolio gives the two numbers. cupy and torch get rows where
they are installed. Percentiles are over calls.
"""

import gc
import importlib
import time
from collections.abc import Callable

import numpy as np

from bench.measured_rows import row, with_ratios
from trading.portfolio_risk.contributions import scenario_contributions
from trading.portfolio_risk.cornish_fisher import cornish_fisher
from trading.portfolio_risk.empirical import tail_of
from trading.portfolio_risk.extreme import peaks_over_threshold
from trading.portfolio_risk.filtered import filtered_extreme, filtered_historical
from trading.portfolio_risk.historical import historical
from trading.portfolio_risk.normal import normal
from trading.portfolio_risk.place import Place
from trading.portfolio_risk.return_models import Normal, normal_model, student_model
from trading.portfolio_risk.simulation import monte_carlo, simulated_returns

ASSETS, PATHS, BARS, NAIVE_PATHS = 50, 10_000, 2_500, 200
CONFIDENCE = 0.99
NAMES = tuple(f"A{index}" for index in range(ASSETS))
SEED = 7


def rows() -> list[dict[str, object]]:
    """Return one row per measured subject."""
    return [*_simulation_rows(), *_history_rows(), *_method_rows()]


def _simulation_rows() -> list[dict[str, object]]:
    mean, covariance, money, _ = _book()
    one = normal_model(mean, covariance, NAMES)
    student = student_model(mean, covariance, NAMES, 4.0)
    scenarios = simulated_returns(one, 1, rng=_rng())

    def run(model: object, horizon: int) -> Callable[[], object]:
        return lambda: monte_carlo(model, money, NAMES, CONFIDENCE, horizon, rng=_rng())  # type: ignore[arg-type]

    what = f"simulation, {PATHS:,} x {ASSETS}"
    found = [
        timed_row(what, "normal, 1 bar", run(one, 1)),
        timed_row(what, "Student's t, 1 bar", run(student, 1)),
        timed_row(what, "normal, 10 bars", run(one, 10)),
        timed_row(
            what,
            "shares of 50 positions",
            lambda: scenario_contributions(scenarios, money, NAMES, CONFIDENCE),
            "of both measures, with incremental",
        ),
    ]
    for name in ("cupy", "torch"):
        try:
            xp = importlib.import_module(name)
        except ModuleNotFoundError:
            print(f"{name} is not installed: no row for it")
            continue
        device = "cuda" if name == "torch" and xp.cuda.is_available() else None
        there = normal_model(mean, covariance, NAMES, Place(xp, device))
        found.append(
            timed_row(
                what, f"normal, 1 bar, {name}", run(there, 1), "drawn by numpy, carried there"
            )
        )
    times = PATHS // NAIVE_PATHS
    note = f"peer; {NAIVE_PATHS} paths, times {times}"
    found.append(
        timed_row(what, "naive loop, 1 bar", lambda: _naive(one, money), note, calls=5, times=times)
    )
    return with_ratios(found)


def _history_rows() -> list[dict[str, object]]:
    from skfolio.measures import cvar, value_at_risk

    _, _, money, returns = _book()

    def theirs() -> tuple[object, object]:
        gains = returns @ money
        return value_at_risk(gains, beta=CONFIDENCE), cvar(gains, beta=CONFIDENCE)

    ours = tail_of(-(returns @ money), CONFIDENCE)
    assert np.allclose(ours, np.array(theirs(), dtype=float))
    what = f"history, {BARS:,} x {ASSETS}"
    return with_ratios(
        [
            timed_row(what, "both measures", lambda: tail_of(-(returns @ money), CONFIDENCE)),
            timed_row(what, "skfolio", theirs, "peer; same two numbers"),
            timed_row(
                what,
                "with checks and intervals",
                lambda: historical(returns, money, NAMES, CONFIDENCE),
                "historical()",
            ),
        ]
    )


def _method_rows() -> list[dict[str, object]]:
    _, _, money, returns = _book()
    subjects: dict[str, Callable[[], object]] = {
        "historical": lambda: historical(returns, money, NAMES, CONFIDENCE),
        "normal": lambda: normal(returns, money, NAMES, CONFIDENCE),
        "Cornish-Fisher": lambda: cornish_fisher(returns, money, NAMES, CONFIDENCE),
        "peaks over threshold": lambda: peaks_over_threshold(returns, money, NAMES, CONFIDENCE),
        "filtered historical": lambda: filtered_historical(
            returns, money, NAMES, CONFIDENCE, rng=_rng()
        ),
        "filtered extreme": lambda: filtered_extreme(returns, money, NAMES, CONFIDENCE, rng=_rng()),
    }
    what = "one estimate, 1 bar"
    return with_ratios([timed_row(what, name, call, calls=20) for name, call in subjects.items()])


# -- subjects


def _rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


def _book() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, covariance, exposures and returns (bar, asset)."""
    rng = _rng()
    loadings = rng.normal(0.0, 0.006, (ASSETS, 5))
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.005, 0.02, ASSETS) ** 2)
    mean = rng.normal(2e-4, 1e-4, ASSETS)
    money = rng.normal(20_000.0, 15_000.0, ASSETS)
    model = student_model(mean, covariance, NAMES, 5.0)
    return mean, covariance, money, model.drawn(BARS, rng)


def _naive(model: Normal, money: np.ndarray) -> tuple[float, float]:
    """Both measures, as one would write it first."""
    rng = _rng()
    factor, mean = model.factor.T.tolist(), model.mean.tolist()
    losses = []
    for _ in range(NAIVE_PATHS):
        draws = [rng.standard_normal() for _ in range(ASSETS)]
        loss = 0.0
        for asset in range(ASSETS):
            move = mean[asset]
            for source in range(asset + 1):
                move += factor[asset][source] * draws[source]
            loss -= money[asset] * max(move, -1.0)
        losses.append(loss)
    losses.sort()
    worst = losses[int(len(losses) * CONFIDENCE) :]
    return worst[0], sum(worst) / len(worst)


# -- measuring


def timed_row(
    what: str,
    subject: str,
    call: Callable[[], object],
    note: str = "",
    calls: int = 50,
    times: int = 1,
) -> dict[str, object]:
    """Time calls (us each, times `times`); three before are not counted."""
    for _ in range(3):
        call()
    gc.collect()
    taken = []
    for _ in range(calls):
        begun = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - begun)
    return row(what, subject, [each * times for each in taken], note)


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))

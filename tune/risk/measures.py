"""What every method says of one portfolio, which position the loss comes from, and how the methods did before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.backtests import christoffersen, exceptions, kupiec, traffic_light
from trading.portfolio_risk.contributions import Contributions, scenario_contributions
from trading.portfolio_risk.copulas.student import fit_student
from trading.portfolio_risk.copulas.uniforms import pseudo_observations
from trading.portfolio_risk.cornish_fisher import cornish_fisher
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.extreme import peaks_over_threshold
from trading.portfolio_risk.filtered import filtered_historical
from trading.portfolio_risk.historical import historical
from trading.portfolio_risk.inputs import require_confidence, require_horizon
from trading.portfolio_risk.margins import fit_margins
from trading.portfolio_risk.normal import normal
from trading.portfolio_risk.portfolio_losses import window_returns
from trading.portfolio_risk.return_models import Joint, ReturnModel, fit_normal
from trading.portfolio_risk.return_models import fit_student as fit_student_returns
from trading.portfolio_risk.rolling_forecasts import rolling_forecasts
from trading.portfolio_risk.simulation import monte_carlo
from tune.risk.portfolio import Portfolio

PATHS = 10_000
JUDGED_BARS = 500
WINDOW_BARS = 250

Asked = Callable[[float], Estimate]
"""Gives the estimate at a confidence."""
Method = Callable[[Portfolio, int, int], Asked]
"""Takes a portfolio, a horizon (bars) and a seed; what does not depend on the confidence is done then."""
Plain = Callable[[FloatArray, FloatArray, Sequence[str], float, int], Estimate]
Progress = Callable[[int, str], None]


def _from_history(method: Plain) -> Method:
    return lambda p, horizon, _: (
        lambda level: method(p.returns, p.exposures, p.names, level, horizon)
    )


def _filtered(p: Portfolio, horizon: int, seed: int) -> Asked:
    return lambda level: filtered_historical(
        p.returns, p.exposures, p.names, level, horizon, rng=np.random.default_rng(seed)
    )


def _from_paths(fit: Callable[[Portfolio], ReturnModel]) -> Method:
    def method(p: Portfolio, horizon: int, seed: int) -> Asked:
        model = fit(p)
        return lambda level: monte_carlo(
            model,
            p.exposures,
            p.names,
            level,
            horizon,
            rng=np.random.default_rng(seed),
            paths=PATHS,
        )

    return method


def _copula(p: Portfolio) -> ReturnModel:
    """Margins with Pareto tails, joined by a t copula: what falls together falls further together."""
    if len(p.names) < 2:
        raise DataError("a copula joins two assets or more.")
    margins = fit_margins("pareto", p.returns, p.names)
    return Joint("copula", fit_student(pseudo_observations(p.returns, p.names), p.names), margins)


METHODS: Mapping[str, Method] = {
    "historical": _from_history(historical),
    "normal": _from_history(normal),
    "cornish-fisher": _from_history(cornish_fisher),
    "filtered-historical": _filtered,
    "monte-carlo-normal": _from_paths(lambda p: fit_normal(p.returns, p.names)),
    "monte-carlo-student": _from_paths(lambda p: fit_student_returns(p.returns, p.names)),
    "monte-carlo-copula": _from_paths(_copula),
    "extreme-value": _from_history(peaks_over_threshold),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """How one method did over the last bars: it said the next bar's loss from the bars before alone.

    Attributes
    ----------
    bars, exceptions : int
        Forecasts, and losses above them.
    kupiec, christoffersen : float
        Chance of so many exceptions, of their coming in such runs, if the method is right.
    zone : str
        Of the traffic light: green, yellow, red.
    """

    method: str
    confidence: float
    bars: int
    exceptions: int
    kupiec: float
    christoffersen: float
    zone: str


@dataclass(frozen=True, slots=True)
class Measures:
    """One portfolio, measured.

    Attributes
    ----------
    estimates : tuple of Estimate
        By method, then confidence.
    drivers : Contributions
        Of the historical value at risk at the highest confidence.
    judged : tuple of Judged
    notes : tuple of str
        What could not be measured, and why.
    """

    estimates: tuple[Estimate, ...]
    drivers: Contributions
    judged: tuple[Judged, ...]
    notes: tuple[str, ...]


def measure(
    portfolio: Portfolio,
    confidences: tuple[float, ...],
    horizon: int,
    seed: int,
    on_progress: Progress | None = None,
) -> Measures:
    """Measure the portfolio by every method; one that cannot leaves a note.

    Parameters
    ----------
    confidences : tuple of float
        For example (0.95, 0.99).
    horizon : int
        Bars.
    seed : int
        Of all simulations; the same seed gives the same figures.

    Raises
    ------
    DataError
        If the portfolio cannot be measured at all.
    UsageError
        If a confidence or the horizon is out of range.
    """
    require_horizon(horizon)
    for confidence in confidences:
        require_confidence(confidence)
    estimates: list[Estimate] = []
    notes: list[str] = []
    for done, (name, method) in enumerate(METHODS.items(), 1):
        try:
            estimates += _estimates(name, method(portfolio, horizon, seed), confidences, notes)
        except (DataError, UsageError) as error:  # there is no model to ask
            notes += [f"{name} at {confidence:g}: {error}" for confidence in confidences]
        if on_progress is not None:
            on_progress(done, name)
    windows = window_returns(portfolio.returns, horizon)
    drivers = scenario_contributions(
        windows, portfolio.exposures, portfolio.names, max(confidences)
    )
    judged = _judged(portfolio, confidences, notes)
    return Measures(tuple(estimates), drivers, judged, tuple(notes))


def _estimates(
    name: str, asked: Asked, confidences: tuple[float, ...], notes: list[str]
) -> list[Estimate]:
    found = []
    for confidence in confidences:
        try:
            found.append(asked(confidence))
        except (DataError, UsageError) as error:
            notes.append(f"{name} at {confidence:g}: {error}")
    return found


def _judged(
    portfolio: Portfolio, confidences: tuple[float, ...], notes: list[str]
) -> tuple[Judged, ...]:
    """Judge the methods that are quick enough to be asked again for every bar."""
    returns = portfolio.returns[-(JUDGED_BARS + WINDOW_BARS) :]
    if len(returns) < 2 * WINDOW_BARS:
        notes.append(f"Methods are judged with {2 * WINDOW_BARS} bars of history or more.")
        return ()
    found = []
    for name in ("historical", "normal"):
        for confidence in confidences:
            said = _said_before(portfolio, returns, name, confidence)
            found.append(_verdict(name, confidence, *said))
    return tuple(found)


def _said_before(
    portfolio: Portfolio, returns: np.ndarray, name: str, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    measure_now = historical if name == "historical" else normal
    exposures, names = portfolio.exposures, portfolio.names
    said = rolling_forecasts(
        lambda past: measure_now(past, exposures, names, confidence),
        returns,
        exposures,
        names,
        WINDOW_BARS,
    )
    return said.losses, said.values_at_risk


def _verdict(
    name: str, confidence: float, losses: np.ndarray, values_at_risk: np.ndarray
) -> Judged:
    is_exception = exceptions(losses, values_at_risk)
    return Judged(
        method=name,
        confidence=confidence,
        bars=len(losses),
        exceptions=int(is_exception.sum()),
        kupiec=kupiec(is_exception, confidence).p_value,
        christoffersen=christoffersen(is_exception).p_value,
        zone=str(traffic_light(is_exception, confidence).zone),
    )

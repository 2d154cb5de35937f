"""How the future is thought of when a portfolio is constructed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_confidence

CovarianceKind: TypeAlias = Literal["sample", "ledoit_wolf"]


@dataclass(frozen=True, slots=True)
class View:
    """An opinion on future returns.

    Attributes
    ----------
    weights : mapping of asset to float
        The portfolio that the opinion is on: {"A": 1} is on A, {"A": 1, "B": -1} on A against B.
    expected_return : float
        Of that portfolio, per bar.
    confidence : float
        Above 0, up to 1 (certain); 0.5 trusts the view as much as the market (Idzorek, 2007).
    """

    weights: Mapping[str, float]
    expected_return: float
    confidence: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assumptions:
    """How the future is thought of.

    Attributes
    ----------
    covariance : {"sample", "ledoit_wolf"}
        The second shrinks the sample's towards equal variances: always invertible.
    risk_aversion : float
        Of mean_variance and black_litterman, which maximise mean - risk_aversion / 2 x variance (> 0).
    confidence : float
        Of minimum_cvar: the mean of the worst 1 - confidence of returns is made as small as it gets.
    views : tuple of View
        Of black_litterman.
    market_weights : (asset,) or None
        Of black_litterman: the portfolio that the market holds; None is equal weights.
    tau : float
        Of black_litterman: variance of the mean as a fraction of that of returns (> 0).
    previous : (asset,) or None
        Weights held now, and
    cost_per_bar : float
        what trading costs, as a fraction of what is traded, divided by the bars that the new weights will be
        held for. mean_variance and black_litterman leave a weight where the gain is below the cost.
    """

    covariance: CovarianceKind = "sample"
    risk_aversion: float = 3.0
    confidence: float = 0.95
    views: tuple[View, ...] = ()
    market_weights: FloatArray | None = None
    tau: float = 0.05
    previous: FloatArray | None = None
    cost_per_bar: float = 0.0


def require_assumptions(assumptions: Assumptions, names: Sequence[str]) -> None:
    """Check assumptions on these assets.

    Raises
    ------
    UsageError
        Naming what is out of its range, has the wrong shape, or is an unknown asset.
    """
    if assumptions.covariance not in get_args(CovarianceKind):
        raise UsageError(
            f"There is no covariance {assumptions.covariance!r}; known are sample, ledoit_wolf."
        )
    for name in ("risk_aversion", "tau"):
        value = getattr(assumptions, name)
        if not (np.isfinite(value) and value > 0.0):
            raise UsageError(f"{name} must be a positive number, got {value}.")
    require_confidence(assumptions.confidence)
    cost = assumptions.cost_per_bar
    if not (np.isfinite(cost) and cost >= 0.0):
        raise UsageError(f"cost_per_bar must be a number, 0 or more, got {cost}.")
    for name in ("market_weights", "previous"):
        weights = getattr(assumptions, name)
        if weights is not None and not _is_complete(weights, len(names)):
            raise UsageError(f"{name} must hold one finite number for each of {len(names)} assets.")
    for view in assumptions.views:
        _require_view(view, names)


def _is_complete(weights: FloatArray, count: int) -> bool:
    return weights.shape == (count,) and bool(np.isfinite(weights).all())


def _require_view(view: View, names: Sequence[str]) -> None:
    unknown = [name for name in view.weights if name not in names]
    if unknown or not any(view.weights.values()):
        problem = f"unknown assets ({', '.join(unknown)})" if unknown else "no asset at all"
        raise UsageError(f"A view is on {problem}; known are: {', '.join(names)}.")
    numbers = (*view.weights.values(), view.expected_return)
    if not np.isfinite(numbers).all() or not 0.0 < view.confidence <= 1.0:
        raise UsageError(
            "A view needs finite numbers and a confidence above 0 and at most 1, "
            f"got {view.expected_return} with confidence {view.confidence}."
        )

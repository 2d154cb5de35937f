"""Portfolio construction: from a history of returns to target weights.

The methods are those of skfolio (BSD-3), which solves with Clarabel; here the input is checked, the answer
is brought onto the mandate to the last digit, and what cannot be done is said in one sentence.

Sources: Markowitz (1952), "Portfolio Selection", Journal of Finance 7; Rockafellar and Uryasev (2000),
"Optimization of Conditional Value-at-Risk", Journal of Risk 2; Lopez de Prado (2016), "Building Diversified
Portfolios that Outperform Out of Sample", Journal of Portfolio Management 42; Maillard, Roncalli and
Teiletche (2010), "The Properties of Equally Weighted Risk Contribution Portfolios", same journal 36; Black
and Litterman (1992), "Global Portfolio Optimization", Financial Analysts Journal 48; Choueifaty and Coignard
(2008), "Toward Maximum Diversification", Journal of Portfolio Management 35.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from trading.allocation.assumptions import Assumptions, CovarianceKind, View, require_assumptions
from trading.allocation.mandate import Mandate, onto_bounds
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_covariance, require_returns

METHODS = (
    "mean_variance",
    "minimum_variance",
    "minimum_cvar",
    "hierarchical_risk_parity",
    "risk_parity",
    "maximum_diversification",
    "black_litterman",
)
LONG_ONLY = frozenset({"hierarchical_risk_parity", "risk_parity"})
"""Methods that know no short positions."""
_MAY_BE_NEUTRAL = frozenset({"mean_variance", "black_litterman"})
ANYTHING_LONG = Mandate()
NOTHING_SPECIAL = Assumptions()


def construct(
    method: str,
    returns: FloatArray,
    names: Sequence[str],
    mandate: Mandate = ANYTHING_LONG,
    assumptions: Assumptions = NOTHING_SPECIAL,
) -> FloatArray:
    """Return target weights (asset,): they sum to the budget and lie within the bounds of the mandate.

    The same input gives the same bits.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    returns : (time, asset)
        Simple returns, without gaps.

    Raises
    ------
    UsageError
        If the method is unknown, cannot do what the mandate asks (short weights in hierarchical risk parity
        or risk parity, a budget of 0 outside mean_variance and black_litterman), or an assumption is out of
        its range.
    DataError
        If a return is missing, there is one observation alone, the covariance is singular, the bounds leave no room
        for the budget, or the solver finds no answer.
    """
    if method not in METHODS:
        raise UsageError(f"There is no method {method!r}; known are: {', '.join(METHODS)}.")
    require_returns(returns, names)
    require_assumptions(assumptions, names)
    low, high = mandate.bounds(names)
    _require_possible(method, mandate.budget, low, names, assumptions)
    if len(names) == 1:
        return np.array([mandate.budget])
    if method != "minimum_cvar":
        _require_risk(returns, names, assumptions.covariance)
    history = np.array(returns, dtype=np.float64, order="C")
    weights = _solved(method, history, names, (low, high), mandate.budget, assumptions)
    return onto_bounds(weights, low, high, mandate.budget)


def _require_possible(
    method: str, budget: float, low: FloatArray, names: Sequence[str], assumptions: Assumptions
) -> None:
    short = np.flatnonzero(low < 0.0)
    if method in LONG_ONLY and len(short):
        raise UsageError(
            f"{names[short[0]]}: {method} knows no short positions; set weight_min to 0 or more, "
            "or take another method."
        )
    if method not in _MAY_BE_NEUTRAL and budget == 0.0:
        raise UsageError(
            f"{method} needs a budget above 0; take mean_variance to be market neutral."
        )
    if method == "black_litterman" and not assumptions.views:
        raise UsageError("black_litterman needs at least one view.")


def _require_risk(returns: FloatArray, names: Sequence[str], kind: CovarianceKind) -> None:
    still = np.flatnonzero(np.ptp(returns, axis=0) == 0.0)
    if len(still):
        raise DataError(f"{names[still[0]]} does not move; leave it out.")
    if kind == "sample":
        require_covariance(np.cov(returns, rowvar=False), names)


def _solved(
    method: str,
    returns: FloatArray,
    names: Sequence[str],
    bounds: tuple[FloatArray, FloatArray],
    budget: float,
    assumptions: Assumptions,
) -> FloatArray:
    """What skfolio finds, up to the solver's tolerance."""
    from skfolio.exceptions import OptimizationError

    low, high = bounds
    scale = 1.0
    if method in LONG_ONLY:  # knows a budget of 1 alone
        scale, low, high = budget, low / budget, np.minimum(high / budget, 1.0)
    limits: dict[str, Any] = {"min_weights": low, "max_weights": high}
    estimator = _estimator(method, assumptions, names, limits, budget)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Solution may be inaccurate")
            estimator.fit(returns)
    except (OptimizationError, UserWarning) as error:
        raise DataError(f"{method} found no weights for these returns: {error}") from error
    weights: FloatArray = scale * np.asarray(estimator.weights_, dtype=np.float64)
    return weights


def _estimator(
    method: str,
    assumptions: Assumptions,
    names: Sequence[str],
    limits: dict[str, Any],
    budget: float,
) -> Any:
    from skfolio import RiskMeasure
    from skfolio.optimization import (
        HierarchicalRiskParity,
        MaximumDiversification,
        MeanRisk,
        ObjectiveFunction,
        RiskBudgeting,
    )

    prior = _prior(method, assumptions, names)
    match method:
        case "hierarchical_risk_parity":
            return HierarchicalRiskParity(prior_estimator=prior, **limits)
        case "risk_parity":
            return RiskBudgeting(prior_estimator=prior, **limits)
        case "maximum_diversification":
            return MaximumDiversification(prior_estimator=prior, budget=budget, **limits)
        case "minimum_variance":
            return MeanRisk(prior_estimator=prior, budget=budget, **limits)
        case "minimum_cvar":
            return MeanRisk(
                risk_measure=RiskMeasure.CVAR,
                cvar_beta=assumptions.confidence,
                prior_estimator=prior,
                budget=budget,
                solver="SCIPY",
                **limits,
            )
        case _:
            return MeanRisk(
                objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
                risk_aversion=assumptions.risk_aversion / 2.0,
                prior_estimator=prior,
                budget=budget,
                previous_weights=assumptions.previous,
                transaction_costs=assumptions.cost_per_bar,
                **limits,
            )


def _prior(method: str, assumptions: Assumptions, names: Sequence[str]) -> Any:
    """The distribution of returns that the method works on."""
    from skfolio.moments import EmpiricalCovariance, EquilibriumMu, LedoitWolf
    from skfolio.prior import BlackLitterman, EmpiricalPrior

    kinds = {"sample": EmpiricalCovariance, "ledoit_wolf": LedoitWolf}
    covariance = kinds[assumptions.covariance]()
    if method != "black_litterman":
        return EmpiricalPrior(covariance_estimator=covariance)
    equilibrium = EquilibriumMu(
        risk_aversion=assumptions.risk_aversion,
        weights=assumptions.market_weights,
        covariance_estimator=covariance,
    )
    return BlackLitterman(
        views=[_equation(view, names) for view in assumptions.views],
        groups=[[f"a{column}" for column in range(len(names))]],
        prior_estimator=EmpiricalPrior(mu_estimator=equilibrium, covariance_estimator=covariance),
        tau=assumptions.tau,
        view_confidences=[view.confidence for view in assumptions.views],
    )


def _equation(view: View, names: Sequence[str]) -> str:
    """The view as skfolio reads it; its assets are named by column, for a symbol may hold operators."""
    terms = [f"{weight:+.17f}*a{names.index(name)}" for name, weight in view.weights.items()]
    return f"{' '.join(terms)} == {view.expected_return:.17f}"

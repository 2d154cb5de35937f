"""Monte Carlo: what today's positions lose on simulated paths."""

from collections.abc import Sequence

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.empirical import estimate_of, require_tail
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.inputs import require_confidence, require_exposures, require_horizon
from trading.portfolio_risk.place import Array
from trading.portfolio_risk.return_models import ReturnModel

PATHS = 10_000


def monte_carlo(
    model: ReturnModel,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
    *,
    rng: np.random.Generator,
    paths: int = PATHS,
) -> Estimate:
    """Return the estimate of simulated paths.

    Bars are drawn independently and positions are held through them, so that returns compound. Intervals are
    order statistics (value at risk) and the delta method (shortfall). They tell the error of the simulation
    alone, which shrinks as 1 / sqrt(`paths`); the model is taken as true.

    Parameters
    ----------
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If exposures are unfit, or `paths` do not reach beyond the value at risk.
    UsageError
        If `confidence` or `horizon` is out of range, or the model has other assets.
    """
    require_confidence(confidence)
    require_exposures(exposures, names)
    require_tail(paths, confidence)
    if model.assets != len(names):
        raise UsageError(f"the model has {model.assets} assets, the portfolio {len(names)}.")
    returns = simulated_returns(model, horizon, rng=rng, paths=paths)
    losses = -model.place.host(returns @ model.place.array(exposures))
    return estimate_of(losses, f"monte-carlo-{model.name}", confidence, horizon)


def simulated_returns(
    model: ReturnModel, horizon: int, *, rng: np.random.Generator, paths: int = PATHS
) -> Array:
    """Return compounded returns over `horizon` bars (path, asset), at the place of the model.

    Raises
    ------
    UsageError
        If `horizon` or `paths` is below 1.
    """
    require_horizon(horizon)
    if paths < 1:
        raise UsageError(f"there are {paths} paths, must be at least 1.")
    if horizon == 1:
        return model.drawn(paths, rng)
    growth = 1.0 + model.drawn(paths, rng)
    for _ in range(horizon - 1):
        growth *= 1.0 + model.drawn(paths, rng)
    return growth - 1.0

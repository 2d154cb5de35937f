"""Factor exposures: what a portfolio gains or loses with each factor, and what is left.

Returns of each asset are regressed on the factors by ordinary least squares (with a constant):

    return = alpha + beta . factor returns + residual

so that in the sample the portfolio's variance is exactly that of its factors plus that of its residuals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_exposures, require_returns

_DEPENDENT = 1e-10
"""A factor whose part of its own is below this fraction of it is a combination of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class FactorModel:
    """Betas of assets, with their errors.

    Attributes
    ----------
    names, factors : tuple of str
        Assets and factors.
    alpha : (asset,)
        Mean return per bar that the factors do not explain.
    beta : (asset, factor)
        Return of the asset per 1.00 of return of the factor, the other factors at rest.
    alpha_error, beta_error : same shapes
        Standard errors, for residuals of constant variance without serial correlation.
    r_squared : (asset,)
        Part of the asset's variance that the factors explain, 0 to 1.
    factor_covariance : (factor, factor)
        Per bar, sample (n - 1).
    residual_covariance : (asset, asset)
        Per bar, sample (n - 1); what assets share beyond the factors is kept.
    """

    names: tuple[str, ...]
    factors: tuple[str, ...]
    alpha: FloatArray
    beta: FloatArray
    alpha_error: FloatArray
    beta_error: FloatArray
    r_squared: FloatArray
    factor_covariance: FloatArray
    residual_covariance: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FactorRisk:
    """One portfolio's exposure to the factors, and its variance split.

    Attributes
    ----------
    exposures : (factor,)
        Money: gain per 1.00 of return of the factor.
    factor_contributions : (factor,)
        Money squared per bar; they add up to `factor_variance`. Negative for a factor that hedges the others.
    factor_variance, residual_variance : float
        Money squared per bar; their sum is the portfolio's variance.
    """

    exposures: FloatArray
    factor_contributions: FloatArray
    factor_variance: float
    residual_variance: float

    @property
    def variance(self) -> float:
        return self.factor_variance + self.residual_variance


def fit_factors(
    returns: FloatArray,
    factor_returns: FloatArray,
    names: Sequence[str],
    factors: Sequence[str],
) -> FactorModel:
    """Return betas and their errors.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns.
    factor_returns : (time, factor)
        Of the same bars.

    Raises
    ------
    DataError
        If a return is missing, the histories differ in length or are too short (factors + 2 bars), an asset
        does not move, or a factor is a combination of the others.
    """
    _require_histories(returns, factor_returns, names, factors)
    design = np.column_stack([np.ones(len(returns)), factor_returns])
    orthogonal, triangle = np.linalg.qr(design)
    coefficients = np.linalg.solve(triangle, orthogonal.T @ returns)
    residuals = returns - design @ coefficients
    unexplained = (residuals**2).sum(axis=0)
    noise = unexplained / (len(returns) - design.shape[1])
    errors = np.sqrt(np.outer((np.linalg.inv(triangle) ** 2).sum(axis=1), noise))
    return FactorModel(
        names=tuple(names),
        factors=tuple(factors),
        alpha=coefficients[0],
        beta=coefficients[1:].T,
        alpha_error=errors[0],
        beta_error=errors[1:].T,
        r_squared=1.0 - unexplained / ((returns - returns.mean(axis=0)) ** 2).sum(axis=0),
        factor_covariance=_covariance(factor_returns),
        residual_covariance=_covariance(residuals),
    )


def factor_risk(model: FactorModel, exposures: FloatArray) -> FactorRisk:
    """Return the portfolio's exposure to each factor and its variance by factors and residuals.

    Parameters
    ----------
    exposures : (asset,)
        Signed value of each asset (money).

    Raises
    ------
    DataError
        If there is not one finite number for each asset.
    """
    require_exposures(exposures, model.names)
    to_factors = exposures @ model.beta
    contributions = to_factors * (model.factor_covariance @ to_factors)
    return FactorRisk(
        exposures=to_factors,
        factor_contributions=contributions,
        factor_variance=float(contributions.sum()),
        residual_variance=float(exposures @ model.residual_covariance @ exposures),
    )


def _covariance(values: FloatArray) -> FloatArray:
    covariance: FloatArray = np.atleast_2d(np.cov(values, rowvar=False))
    return covariance


def _require_histories(
    returns: FloatArray, factor_returns: FloatArray, names: Sequence[str], factors: Sequence[str]
) -> None:
    rows_min = len(factors) + 2
    require_returns(returns, names, rows_min)
    require_returns(factor_returns, factors, rows_min)
    if len(returns) != len(factor_returns):
        raise DataError(
            f"there are {len(returns)} returns and {len(factor_returns)} factor returns; cut both to the same bars."
        )
    still = np.flatnonzero(np.ptp(returns, axis=0) == 0.0)
    if len(still):
        raise DataError(f"{names[still[0]]} does not move; leave it out.")
    _require_independent(factor_returns, factors)


def _require_independent(factor_returns: FloatArray, factors: Sequence[str]) -> None:
    """Each factor must keep something of its own beside the constant and the factors before it."""
    design = np.column_stack([np.ones(len(factor_returns)), factor_returns])
    own = np.abs(np.diag(np.linalg.qr(design, mode="r")))[1:]
    dependent = np.flatnonzero(own <= _DEPENDENT * np.linalg.norm(factor_returns, axis=0))
    if len(dependent):
        raise DataError(
            f"factor {factors[dependent[0]]} is constant or a combination of those before it; leave it out."
        )

"""GARCH(1,1): how the volatility of a portfolio's losses follows what just happened.

    variance[t + 1] = omega + alpha * (loss[t] - mean)^2 + beta * variance[t]

Bollerslev (1986), "Generalized Autoregressive Conditional Heteroskedasticity", Journal of Econometrics 31.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.portfolio_losses import require_motion

ROWS_MIN = 100
"""Fewer losses do not tell the parameters apart."""
_ATTEMPTS = 50

Innovations = Callable[[int, np.random.Generator], FloatArray]
"""Draws a number of standardised losses."""


@dataclass(frozen=True, slots=True)
class Garch:
    """A fitted model, in the unit of the losses.

    Attributes
    ----------
    mean, omega, alpha, beta : float
    start : float
        What stands for the squared loss and the variance before the first loss.
    """

    mean: float
    omega: float
    alpha: float
    beta: float
    start: float

    def filtered(self, losses: FloatArray) -> tuple[FloatArray, float]:
        """Return the standardised losses (time,) and the variance of the next loss."""
        from scipy.signal import lfilter

        squares = np.append(self.start, (losses - self.mean) ** 2)
        variances = lfilter(
            [1.0],
            [1.0, -self.beta],
            self.omega + self.alpha * squares,
            zi=[self.beta * self.start],
        )[0]
        standardised: FloatArray = (losses - self.mean) / np.sqrt(variances[:-1])
        return standardised, float(variances[-1])

    def losses_ahead(
        self,
        variance: float,
        horizon: int,
        count: int,
        innovations: Innovations,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Simulate the total loss of the next `horizon` bars (path,), the first with this variance."""
        variances = np.full(count, variance)
        total = np.full(count, horizon * self.mean)
        for _ in range(horizon):
            surprises = np.sqrt(variances) * innovations(count, rng)
            total += surprises
            variances = self.omega + self.alpha * surprises**2 + self.beta * variances
        return total


@dataclass(frozen=True, slots=True)
class Fit:
    """The likeliest model, and how well the losses know it.

    Attributes
    ----------
    model : Garch
    covariance : (4, 4)
        Of mean, omega, alpha and beta, robust to innovations that are not normal (Bollerslev and Wooldridge
        1992, "Quasi-Maximum Likelihood Estimation and Inference", Econometric Reviews 11).
    """

    model: Garch
    covariance: FloatArray

    def draws(self, count: int, rng: np.random.Generator) -> list[Garch]:
        """Draw models as uncertain as the estimate: normal around it, those without a lasting variance left out.

        Raises
        ------
        DataError
            If hardly any draw has one.
        """
        found = self.model
        centre = [found.mean, found.omega, found.alpha, found.beta]
        drawn = rng.multivariate_normal(
            centre, self.covariance, size=_ATTEMPTS * count, method="eigh"
        )
        omega, alpha, beta = drawn[:, 1:].T
        is_lasting = (omega > 0) & (alpha >= 0) & (beta >= 0) & (alpha + beta < 1)
        kept = drawn[is_lasting][:count]
        if len(kept) < count:
            raise DataError(
                "the history does not determine how volatility moves (GARCH); choose a longer one, or the "
                "historical method."
            )
        return [
            Garch(mean, omega, alpha, beta, found.start)
            for mean, omega, alpha, beta in kept.tolist()
        ]


def fit_garch(losses: FloatArray) -> Fit:
    """Fit by maximum quasi-likelihood (package `arch`).

    Raises
    ------
    DataError
        If there are fewer than 100 losses, they do not move, or no fit is found.
    """
    from arch import arch_model

    if len(losses) < ROWS_MIN:
        raise DataError(
            f"there are {len(losses)} returns, GARCH needs at least {ROWS_MIN}; choose a longer history."
        )
    unit = require_motion(losses)[1]
    scaled = losses / unit
    model = arch_model(scaled, mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    fitted = model.fit(disp="off", show_warning=False)
    covariance = np.asarray(fitted.param_cov, dtype=np.float64)
    if fitted.convergence_flag != 0 or not np.isfinite(covariance).all():
        raise DataError("no GARCH model fits the history; use the historical method.")
    mean, omega, alpha, beta = (float(each) for each in fitted.params)
    start = float(model.volatility.backcast(scaled - scaled.mean())) * unit**2
    units = np.array([unit, unit**2, 1.0, 1.0])
    return Fit(
        Garch(mean * unit, omega * unit**2, alpha, beta, start), covariance * np.outer(units, units)
    )

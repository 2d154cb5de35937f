"""What a model says: quantiles of the log return from the last close to each of the next bars."""

from dataclasses import dataclass

import numpy as np

from trading.errors import ForecastInvalid
from trading.forecasting.lognormal import simple_return_signals
from trading.indicators.rolling import FloatArray

LEVELS = (0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995)
"""The median, and both ends of the central 50, 80, 95 and 99 %."""
COVERAGES = (0.5, 0.8, 0.95, 0.99)
"""Of the intervals between two levels, from the inside out."""

_Z_90 = 1.2815515655446004
"""The 0.9 quantile of a standard normal variable."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Quantiles for a batch of windows.

    Attributes
    ----------
    log_returns : (window, step, level)
        Quantiles of log(price after step + 1 bars / last close), rising with the level (`LEVELS`).
    scale : (window,)
        Deviation of the log return of one bar within the window (> 0): the unit of conformal corrections.
    """

    log_returns: FloatArray
    scale: FloatArray

    def __len__(self) -> int:
        return int(self.scale.size)

    @property
    def horizon(self) -> int:
        """How many bars ahead the last step is."""
        return int(self.log_returns.shape[1])

    @property
    def median(self) -> FloatArray:
        """The middle quantile (window, step)."""
        middle: FloatArray = self.log_returns[..., LEVELS.index(0.5)]
        return middle

    def prices(self, last_close: FloatArray) -> FloatArray:
        """Return quantiles of the price (window, step, level)."""
        prices: FloatArray = last_close[:, None, None] * np.exp(self.log_returns)
        return prices

    def signals(self, step: int) -> dict[str, FloatArray]:
        """Return FORECAST_RETURN and FORECAST_DEVIATION of the first `step` bars: (window,) each.

        The log return is taken for normal with the median as its mean and the 10 to 90 % range as its width.
        """
        reached = self.log_returns[:, step - 1]
        low, high = reached[:, LEVELS.index(0.1)], reached[:, LEVELS.index(0.9)]
        return simple_return_signals(reached[:, LEVELS.index(0.5)], (high - low) / (2.0 * _Z_90))

    def check(self, model: str) -> None:
        """Check that every number is one.

        Raises
        ------
        ForecastInvalid
            Naming the model, when a quantile or a scale is NaN or infinite, a scale is not above 0, or the quantiles
            of a step fall.
        """
        if not (np.isfinite(self.log_returns).all() and np.isfinite(self.scale).all()):
            raise ForecastInvalid(f"Model {model} answered a number that is not finite.")
        if (self.scale <= 0).any() or (np.diff(self.log_returns, axis=2) < 0).any():
            raise ForecastInvalid(f"Model {model} answered quantiles out of order.")

"""What one method says of one portfolio."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """Value at risk and expected shortfall. Losses are positive numbers, in the unit of the exposures.

    A higher confidence never has a smaller value: VaR 99 % >= VaR 95 %.

    Attributes
    ----------
    method : str
        For example `historical`.
    confidence : float
        Probability that the loss stays below `value_at_risk`, between 0 and 1.
    horizon : int
        Bars.
    value_at_risk : float
        Quantile of the loss; negative when even that quantile is a gain.
    expected_shortfall : float
        Mean loss in the worst 1 - `confidence` of cases (CVaR); at least `value_at_risk`.
    interval : tuple of float
        Where the true value at risk lies with 95 % probability, by the method's own sampling error.
    shortfall_interval : tuple of float
        The same of the expected shortfall.
    """

    method: str
    confidence: float
    horizon: int
    value_at_risk: float
    expected_shortfall: float
    interval: tuple[float, float]
    shortfall_interval: tuple[float, float]

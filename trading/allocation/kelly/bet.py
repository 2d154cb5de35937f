"""One bet that is won or lost whole, again and again.

Sources: Kelly (1956), "A New Interpretation of Information Rate", Bell System Technical Journal 35; Baker and
McHale (2013), "Optimal Betting Under Parameter Uncertainty: Improving the Kelly Criterion", Decision Analysis 10.
"""

import math

from trading.errors import UsageError


def bet_fraction(probability: float, odds: float) -> float:
    """Return the fraction of the capital to stake: p - (1 - p) / odds, 0 when the bet is not favourable.

    Parameters
    ----------
    probability : float
        Of winning, 0 to 1.
    odds : float
        Gain per unit staked (> 0): 1 for a coin that pays double, 1.5 for decimal odds of 2.5.

    Raises
    ------
    UsageError
        If `probability` or `odds` is out of range.
    """
    _require_bet(probability, odds)
    return max(probability - (1.0 - probability) / odds, 0.0)


def bet_growth(fraction: float, probability: float, odds: float) -> float:
    """Return the expected log growth of the capital per bet; minus infinity when all of it can be lost.

    Parameters
    ----------
    fraction : float
        Of the capital that is staked, 0 to 1.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    _require_bet(probability, odds)
    if not 0.0 <= fraction <= 1.0:
        raise UsageError(f"the staked fraction is {fraction}, must be between 0 and 1.")
    growth = probability * math.log1p(odds * fraction)
    if probability == 1.0:
        return growth
    return growth + (1.0 - probability) * math.log1p(-fraction) if fraction < 1.0 else -math.inf


def shrunk_bet_fraction(probability: float, odds: float, deviation: float) -> float:
    """Return the fraction to stake when the probability itself is an estimate.

    With s the Kelly fraction and v the variance of its estimate, the best stake is s x s^2 / (s^2 + v) to second
    order (Baker and McHale): staking too much costs more than staking too little.

    Parameters
    ----------
    deviation : float
        Standard error of `probability` (>= 0); sqrt(p (1 - p) / n) when it was counted in n bets.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    if not (math.isfinite(deviation) and deviation >= 0.0):
        raise UsageError(
            f"the standard error of the probability is {deviation}, must be at least 0."
        )
    full = bet_fraction(probability, odds)
    if full == 0.0:
        return 0.0
    error = (1.0 + odds) / odds * deviation
    return full * full**2 / (full**2 + error**2)


def _require_bet(probability: float, odds: float) -> None:
    if not 0.0 <= probability <= 1.0:
        raise UsageError(f"the probability is {probability}, must be between 0 and 1.")
    if not (math.isfinite(odds) and odds > 0.0):
        raise UsageError(
            f"the odds are {odds}, must be a gain per unit staked above 0, such as 1 for double or nothing."
        )

"""What it costs, and how long it takes, to sell everything when the market dries up.

Per asset, with the value X to sell, the normal daily volume V, the share of it that one may be, p, and daily
volatility s, after spreads have widened and V has shrunk:

    days   = X / (p V)
    spread = X * half spread
    impact = X * coefficient * s * sqrt(rate),  rate = X / V within a day, p over several

the square-root law of impact, with a coefficient near 1: Almgren, Thum, Hauptmann and Li (2005), "Direct estimation of
equity market impact", Risk 18; Toth et al. (2011), "Anomalous price impact and the critical nature of liquidity
in financial markets", Physical Review X 1. While positions are sold at an even pace their value still moves: its
standard deviation is X s sqrt(days / 3), Almgren and Chriss (2000), "Optimal execution of portfolio
transactions", Journal of Risk 3, equation 5 in the limit of many small sales.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_exposures


@dataclass(frozen=True, slots=True, eq=False)
class MarketLiquidity:
    """How liquid assets are on a normal day.

    Attributes
    ----------
    half_spread : (asset,)
        Fraction of the price (>= 0).
    daily_value : (asset,)
        Traded per day (money, > 0).
    daily_volatility : (asset,)
        Standard deviation of the daily return (fraction, >= 0).
    """

    half_spread: FloatArray
    daily_value: FloatArray
    daily_volatility: FloatArray


@dataclass(frozen=True, slots=True)
class LiquidityShock:
    """How the market dries up.

    Attributes
    ----------
    spread_multiple : float
        By how much spreads widen (>= 1).
    depth_multiple : float
        What is left of the traded value (fraction, 0 to 1, not 0).
    volatility_multiple : float
        By how much volatilities grow (>= 1).
    """

    spread_multiple: float = 1.0
    depth_multiple: float = 1.0
    volatility_multiple: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.depth_multiple <= 1.0:
            raise UsageError(
                f"the depth multiple is {self.depth_multiple}, must be above 0, at most 1."
            )
        for name in ("spread_multiple", "volatility_multiple"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 1.0):
                raise UsageError(f"the {name.replace('_', ' ')} is {value}, must be at least 1.")


@dataclass(frozen=True, slots=True, eq=False)
class Liquidation:
    """Cost and time of closing every position.

    Attributes
    ----------
    spread_cost, impact_cost : (asset,)
        Money (>= 0).
    days : (asset,)
        Trading days, fractions too.
    deviation : (asset,)
        Standard deviation of the proceeds while the asset is being sold over `days` (money).
    """

    names: tuple[str, ...]
    spread_cost: FloatArray
    impact_cost: FloatArray
    days: FloatArray
    deviation: FloatArray

    @property
    def cost(self) -> float:
        """Of all positions (money)."""
        return float(self.spread_cost.sum() + self.impact_cost.sum())

    @property
    def days_to_flat(self) -> float:
        """Until the last position is closed; all are sold side by side. 0 without positions."""
        return float(self.days.max(initial=0.0))


def liquidate(
    exposures: FloatArray,
    names: Sequence[str],
    market: MarketLiquidity,
    shock: LiquidityShock | None = None,
    participation: float = 0.1,
    impact_coefficient: float = 1.0,
) -> Liquidation:
    """Return cost and time of closing all positions.

    Parameters
    ----------
    exposures : (asset,)
        Signed value of each position (money).
    shock : LiquidityShock, optional
        A normal day without.
    participation : float
        Share of the traded value that one may be (above 0, at most 1).
    impact_coefficient : float
        Of the square-root law (>= 0).

    Raises
    ------
    DataError
        If a shape is wrong, or a number of an asset is not finite or out of its range.
    UsageError
        If `participation` or `impact_coefficient` is out of its range.
    """
    require_exposures(exposures, names)
    _require_market(market, names)
    if not 0.0 < participation <= 1.0:
        raise UsageError(f"the participation is {participation}, must be above 0, at most 1.")
    if not (isfinite(impact_coefficient) and impact_coefficient >= 0.0):
        raise UsageError(f"the impact coefficient is {impact_coefficient}, must be from 0.")
    shock = shock or LiquidityShock()
    value = np.abs(exposures)
    depth = market.daily_value * shock.depth_multiple
    volatility = market.daily_volatility * shock.volatility_multiple
    days = value / (participation * depth)
    rate = np.minimum(value / depth, participation)
    return Liquidation(
        names=tuple(names),
        spread_cost=value * market.half_spread * shock.spread_multiple,
        impact_cost=value * impact_coefficient * volatility * np.sqrt(rate),
        days=days,
        deviation=value * volatility * np.sqrt(days / 3.0),
    )


def _require_market(market: MarketLiquidity, names: Sequence[str]) -> None:
    for field, may_be_zero in (
        ("half_spread", True),
        ("daily_value", False),
        ("daily_volatility", True),
    ):
        values = getattr(market, field)
        if values.shape != (len(names),):
            raise DataError(f"{field} has shape {values.shape}, must be ({len(names)},).")
        in_range = values >= 0.0 if may_be_zero else values > 0.0
        bad = np.flatnonzero(~(np.isfinite(values) & in_range))
        if len(bad):
            kind = "a number from 0" if may_be_zero else "a positive number"
            raise DataError(f"{names[bad[0]]}: {field} is {values[bad[0]]}, must be {kind}.")

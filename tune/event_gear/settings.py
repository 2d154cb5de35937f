"""What a run of the event gear assumes."""

from decimal import Decimal

import msgspec

from actors.blueprint import Assumptions
from trading.backtest.settings import Costs
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.risk.limits import RiskLimits
from trading.values import NANOS_PER_SECOND
from tune.event_gear.bar_builder import BarPrice

LARGE = Decimal(10) ** 12
NO_LIMITS = RiskLimits(
    max_shares=LARGE,
    max_notional_per_position=LARGE,
    max_total_exposure=LARGE,
    max_open_positions=10**9,
    max_loss_per_trade=LARGE,
    max_daily_loss=LARGE,
    max_drawdown=Decimal(1),
    max_consecutive_losses=10**9,
    max_trades_per_day=10**9,
    max_orders_per_second=10**9,
    stop_loss=None,
    trailing_stop=None,
    max_data_age_s=1e9,
)
"""The gate checks every order and has nothing to object: what a strategy does when it is let."""


def assumptions_of(costs: Costs, max_leverage: float | None = None) -> Assumptions:
    """Return an exchange that charges what the vector gear does, on the grid: ticks and cents.

    Beyond the size of its first level an order also pays for depth, which the vector gear does not know.

    Parameters
    ----------
    max_leverage : float or None
        Orders that would lead beyond it are refused, where the vector gear makes them smaller; None is
        the exchange's own limit.

    Raises
    ------
    ValueError
        If there is impact, for which the exchange has no equal, or a number is out of its range.
    """
    if costs.impact:
        raise ValueError("the exchange has depth and no impact; set impact to 0")
    bps = _exact(costs.bps)
    power = BuyingPower()
    if max_leverage is not None:
        power = BuyingPower(max_leverage=_exact(max_leverage))
    return Assumptions(
        liquidity=Liquidity(half_spread_bps=_exact(costs.half_spread_bps)),
        fees=Fees(
            per_share=_exact(costs.per_unit),
            maker_bps=bps,
            taker_bps=bps,
            minimum=_exact(costs.minimum),
        ),
        slippage=Slippage(bps=_exact(costs.slippage_bps)),
        buying_power=power,
    )


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The account, its limits, and the simulated venue.

    Attributes
    ----------
    initial_cash : Decimal
        Account currency (> 0).
    limits : RiskLimits
        Of the risk gate.
    assumptions : Assumptions
        Of the simulated exchange. Where books or quotes are replayed, its liquidity says nothing; fees,
        slippage, latency and buying power always hold.
    bar_interval_ns : int
        Length of the bars that quotes, trades and books add up to (ns); 0 is no bars.
    bar_price : BarPrice
        What those bars are made of.
    decides_ahead : bool
        With a table of bars: ask each strategy once for all its decisions (`DecidedAhead`) instead of
        at each bar on its window. Many times faster; the orders are the same if it is causal.
    """

    initial_cash: Decimal = Decimal(1_000_000)
    limits: RiskLimits = NO_LIMITS
    assumptions: Assumptions = Assumptions()
    bar_interval_ns: int = 60 * NANOS_PER_SECOND
    bar_price: BarPrice = BarPrice.TRADE
    decides_ahead: bool = False

    def __post_init__(self) -> None:
        if not self.initial_cash > 0:
            raise ValueError(f"initial_cash must be positive, got {self.initial_cash}")
        if self.bar_interval_ns < 0:
            raise ValueError(f"bar_interval_ns must not be negative, got {self.bar_interval_ns}")

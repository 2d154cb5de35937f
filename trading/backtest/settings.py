"""What a backtest assumes: execution, sizes, costs, financing, exits and limits."""

from enum import StrEnum
from math import isfinite

import msgspec


class Execution(StrEnum):
    """When the orders of a decision are filled. A decision is made on a close."""

    NEXT_OPEN = "next_open"
    """At the open of the next bar (the default: nobody trades on a price that he has just seen)."""
    NEXT_CLOSE = "next_close"
    SAME_CLOSE = "same_close"
    """At the very close of the decision: what a replay of closes through the simulated exchange does."""


class Sizing(StrEnum):
    """What a weight of 1 is worth."""

    EQUITY = "equity"
    """The equity of the moment: gains are reinvested."""
    CAPITAL = "capital"
    """The initial cash, for ever: what a strategy with a fixed capital does live."""


class Rebalance(StrEnum):
    """When a position is brought to its target."""

    ON_DRIFT = "on_drift"
    """Whenever it is further from its target than `Orders.band`."""
    ON_CHANGE = "on_change"
    """Only when the target weight itself changed."""


def _require_from_zero(owner: str, settings: msgspec.Struct) -> None:
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if not isfinite(value) or value < 0:
            raise ValueError(f"{owner}: {name} must be a number from 0, got {value}")


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a fill costs.

    Attributes
    ----------
    bps : float
        Commission (basis points of the traded value, >= 0).
    per_unit : float
        Commission (account currency per unit, >= 0).
    minimum : float
        Least commission of one fill (account currency, >= 0).
    half_spread_bps : float
        Distance of the fill from the price on account of the spread (basis points, >= 0).
    slippage_bps : float
        Further distance (basis points, >= 0).
    impact : float
        Further distance as a fraction of the price: `impact * sqrt(units / volume of the bar)` (>= 0), the
        square-root law (Almgren et al. 2005); nothing where the volume is 0.
    """

    bps: float = 0.0
    per_unit: float = 0.0
    minimum: float = 0.0
    half_spread_bps: float = 1.0
    slippage_bps: float = 1.0
    impact: float = 0.0

    def __post_init__(self) -> None:
        _require_from_zero("costs", self)


class Financing(msgspec.Struct, frozen=True, kw_only=True):
    """Interest by the calendar: a year has 365.25 days.

    Attributes
    ----------
    cash_rate : float
        Earned on positive cash (fraction per year, >= 0).
    debit_rate : float
        Paid on negative cash (fraction per year, >= 0).
    borrow_rate : float
        Paid on the value of short positions (fraction per year, >= 0).
    """

    cash_rate: float = 0.0
    debit_rate: float = 0.06
    borrow_rate: float = 0.01

    def __post_init__(self) -> None:
        _require_from_zero("financing", self)


class Exits(msgspec.Struct, frozen=True, kw_only=True):
    """Exits inside a bar, as a distance from the average entry price (fraction); 0 is off.

    They fill at their price, or at the open when that lies beyond it. When a bar reaches both a loss and
    a profit, the loss is taken to have come first. An instrument that was exited stays out until its
    target weight has been zero or has changed its sign.

    Attributes
    ----------
    trailing_stop : float
        Distance from the best price since the entry.
    """

    stop_loss: float = 0.0
    take_profit: float = 0.0
    trailing_stop: float = 0.0

    def __post_init__(self) -> None:
        _require_from_zero("exits", self)
        if max(self.stop_loss, self.trailing_stop) >= 1:
            raise ValueError("exits: a stop must be below 1")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio may hold; weights beyond are cut, openings beyond are made smaller.

    Attributes
    ----------
    max_weight : float
        Of one instrument (fraction, > 0).
    max_leverage : float
        Value of all positions, long and short, over the equity at each fill (> 0). With 1 and no
        shorts, cash is never negative after a fill.
    allow_short : bool
        False cuts negative weights to 0.
    """

    max_weight: float = 10.0
    max_leverage: float = 1.0
    allow_short: bool = True

    def __post_init__(self) -> None:
        for name in ("max_weight", "max_leverage"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0:
                raise ValueError(f"limits: {name} must be a positive number, got {value}")


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """How targets become fills.

    Attributes
    ----------
    rebalance : Rebalance
    band : float
        With `ON_DRIFT`: changes worth less than this fraction of the base of `sizing` are left alone, unless
        they close a position (>= 0).
    lot_size : float
        Smallest step of a quantity (units, >= 0); 0 allows every fraction.
    max_participation : float
        Largest part of a bar's volume that one fill may take (fraction, > 0); what is left is tried again on
        the next bar. Bars without volume do not limit.
    """

    rebalance: Rebalance = Rebalance.ON_DRIFT
    band: float = 0.02
    lot_size: float = 0.0
    max_participation: float = 1.0

    def __post_init__(self) -> None:
        if not (isfinite(self.band) and self.band >= 0 and self.lot_size >= 0):
            raise ValueError("orders: band and lot_size must not be negative")
        if not self.max_participation > 0:
            raise ValueError("orders: max_participation must be positive")


class BacktestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All assumptions of one backtest.

    Attributes
    ----------
    initial_cash : float
        Account currency (> 0).
    """

    initial_cash: float = 1_000_000.0
    execution: Execution = Execution.NEXT_OPEN
    sizing: Sizing = Sizing.EQUITY
    orders: Orders = Orders()
    costs: Costs = Costs()
    financing: Financing = Financing()
    exits: Exits = Exits()
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not isfinite(self.initial_cash) or self.initial_cash <= 0:
            raise ValueError(f"initial_cash must be a positive number, got {self.initial_cash}")

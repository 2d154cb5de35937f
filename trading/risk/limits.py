"""The limits: what an account may do, with the specification's defaults."""

from decimal import Decimal

import msgspec

from trading.identifiers import InstrumentId, StrategyId
from trading.values import NANOS_PER_SECOND


class SymbolLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one instrument in place of the general ones; None keeps the general one.

    Attributes
    ----------
    located : Decimal or None
        Units that somebody agreed to lend: the largest short position while `require_locate` is set.
    """

    max_shares: Decimal | None = None
    max_notional: Decimal | None = None
    located: Decimal | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) is not None:
                _require_positive(name, getattr(self, name))


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one account. Money is in account currency, ratios are fractions of 1.

    Working orders count everywhere as if they had filled in the worst way.

    Attributes
    ----------
    max_shares : Decimal
        Largest quantity of one order, in units.
    max_notional_per_position : Decimal
        Largest value of one position.
    max_total_exposure : Decimal
        Largest sum of absolute position values.
    max_open_positions : int
        Largest number of instruments held or about to be held.
    max_loss_per_trade : Decimal
        Largest loss of one order at the stop: quantity * price * `stop_loss`. Not measurable, and
        not checked, while `stop_loss` is None.
    max_daily_loss : Decimal
        Fall of the equity since the day opened that halts trading until the next day (UTC).
    max_drawdown : Decimal
        Fall of the equity from its peak, as a ratio, from which on only reducing orders pass.
    max_consecutive_losses : int
        Losing trades in a row that open the breaker.
    max_trades_per_day : int
        Trades (orders with a fill) of a day (UTC) that open the breaker.
    breaker_cooldown_min : int
        How long the breaker stays open, in minutes of market time.
    max_orders_per_second : int
        Orders per second of host time, also the largest burst.
    stop_loss : Decimal or None
        Distance of the stop from the average entry price, as a ratio; None switches it off.
    trailing_stop : Decimal or None
        Distance of the trailing stop from the best price since entry; None switches it off.
    trailing_activation : Decimal
        Gain over the entry price from which on the trailing stop is armed, as a ratio.
    max_data_age_s : float
        Age of the newest book of an instrument from which on it takes no new orders, in seconds of
        host time.
    max_strategy_exposure : dict of StrategyId to Decimal
        Largest gross exposure of single strategies; one that is not named has no limit of its own.
    symbols : dict of InstrumentId to SymbolLimits
    take_profit : Decimal or None
        Gain over the average entry price at which a position is closed, as a ratio; None switches it off.
    max_order_value : Decimal or None
        Largest value of one order (a slip of the finger). None switches this and each limit below off.
    price_collar : Decimal or None
        How far a limit price may lie through the other side of the book, as a ratio of it.
    max_open_orders : int or None
        Largest number of working orders.
    max_gross_leverage, max_net_leverage : Decimal or None
        Largest sum of the absolute, and absolute sum of the signed, position values as a multiple of equity.
    max_concentration : Decimal or None
        Largest value of one position as a ratio of equity.
    max_group_exposure : dict of str to Decimal
        Largest gross exposure of groups of instruments: `sector:energy`, `currency:USD`, `venue:XNAS`.
    restricted : tuple of InstrumentId
        What may only be reduced.
    require_locate : bool
        A short position needs `SymbolLimits.located` units.
    must_be_open : bool
        New orders only while the market is open.
    max_value_at_risk : Decimal or None
        Largest normal value at risk of one bar at `value_at_risk_confidence`, after the order.
    value_at_risk_confidence : Decimal
        Between 0 and 1.
    variance_decay : Decimal
        Of the covariance behind it, between 0 and 1 (see `trading.risk.variance`).
    max_correlated_exposure : Decimal or None
        Largest exposure in instruments that move together: correlation of at least `correlation_threshold`.
    correlation_threshold : Decimal
        Between 0 and 1.
    max_reject_rate : Decimal or None
        Part of the last `outcome_window` orders that the venue refused, at which the breaker opens.
    max_slippage_bps : Decimal or None
        Mean cost of the last `outcome_window` fills against the price that was decided on, in basis points, at
        which the breaker opens.
    outcome_window : int
        Orders, and fills, that the two look at; fewer say nothing.
    max_strategy_daily_loss : Decimal or None
        Loss of one strategy since the day opened that halts it until the next day.
    warn_at : Decimal or None
        Part of a limit on losses from which on a warning is journalled.
    flatten_at, kill_at : Decimal or None
        Multiple of a limit on losses (daily loss, drawdown) at which everything is closed, at which the
        kill switch trips as well.
    debounce_readings : int
        Readings in a row that ask for `flatten_at` or `kill_at` before it is done.

    Raises
    ------
    ValueError
        If a limit is not a positive finite number, a ratio is above 1, or money is a float.
    """

    max_shares: Decimal = Decimal(1_000)
    max_notional_per_position: Decimal = Decimal(10_000)
    max_total_exposure: Decimal = Decimal(50_000)
    max_open_positions: int = 5
    max_loss_per_trade: Decimal = Decimal(500)
    max_daily_loss: Decimal = Decimal(5_000)
    max_drawdown: Decimal = Decimal("0.10")
    max_consecutive_losses: int = 5
    max_trades_per_day: int = 50
    breaker_cooldown_min: int = 60
    max_orders_per_second: int = 100
    stop_loss: Decimal | None = Decimal("0.02")
    trailing_stop: Decimal | None = Decimal("0.015")
    trailing_activation: Decimal = Decimal("0.02")
    max_data_age_s: float = 5.0
    max_strategy_exposure: dict[StrategyId, Decimal] = {}
    symbols: dict[InstrumentId, SymbolLimits] = {}
    take_profit: Decimal | None = None
    max_order_value: Decimal | None = None
    price_collar: Decimal | None = None
    max_open_orders: int | None = None
    max_gross_leverage: Decimal | None = None
    max_net_leverage: Decimal | None = None
    max_concentration: Decimal | None = None
    max_group_exposure: dict[str, Decimal] = {}
    restricted: tuple[InstrumentId, ...] = ()
    require_locate: bool = False
    must_be_open: bool = False
    max_value_at_risk: Decimal | None = None
    value_at_risk_confidence: Decimal = Decimal("0.99")
    variance_decay: Decimal = Decimal("0.97")
    max_correlated_exposure: Decimal | None = None
    correlation_threshold: Decimal = Decimal("0.8")
    max_reject_rate: Decimal | None = None
    max_slippage_bps: Decimal | None = None
    outcome_window: int = 20
    max_strategy_daily_loss: Decimal | None = None
    warn_at: Decimal | None = Decimal("0.8")
    flatten_at: Decimal | None = None
    kill_at: Decimal | None = None
    debounce_readings: int = 2

    def __post_init__(self) -> None:  # noqa: C901 - one line per kind of number
        for name in (*_MONEY, *_OPTIONAL, *_RATIOS):
            value = getattr(self, name)
            if value is not None or name in _MONEY:
                _require_positive(name, value)
                if name in _RATIOS and value > 1:
                    raise ValueError(f"{name} is a fraction of 1, got {value}")
        for owner in ("max_strategy_exposure", "max_group_exposure"):
            for key, exposure in getattr(self, owner).items():
                _require_positive(f"{owner}[{key}]", exposure)
        for name in _INSIDE:
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        for name in _COUNTS:
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        if self.breaker_cooldown_min < 0:
            raise ValueError(f"breaker_cooldown_min must be >= 0, got {self.breaker_cooldown_min}")
        if not 0 < self.max_data_age_s < float("inf"):
            raise ValueError(f"max_data_age_s must be positive, got {self.max_data_age_s}")

    def shares_of(self, instrument_id: InstrumentId) -> Decimal:
        """Return the largest quantity of one order in this instrument."""
        own = self.symbols.get(instrument_id)
        return own.max_shares if own is not None and own.max_shares else self.max_shares

    def notional_of(self, instrument_id: InstrumentId) -> Decimal:
        """Return the largest value of a position in this instrument."""
        own = self.symbols.get(instrument_id)
        return (
            own.max_notional
            if own is not None and own.max_notional
            else self.max_notional_per_position
        )

    @property
    def max_data_age_ns(self) -> int:
        return int(self.max_data_age_s * NANOS_PER_SECOND)

    @property
    def breaker_cooldown_ns(self) -> int:
        return self.breaker_cooldown_min * 60 * NANOS_PER_SECOND


_MONEY = (
    "max_shares",
    "max_notional_per_position",
    "max_total_exposure",
    "max_loss_per_trade",
    "max_daily_loss",
)
_OPTIONAL = (
    "take_profit",
    "max_order_value",
    "price_collar",
    "max_gross_leverage",
    "max_net_leverage",
    "max_concentration",
    "max_value_at_risk",
    "max_correlated_exposure",
    "max_slippage_bps",
    "max_strategy_daily_loss",
    "flatten_at",
    "kill_at",
)
_RATIOS = (
    "max_drawdown",
    "stop_loss",
    "trailing_stop",
    "trailing_activation",
    "price_collar",
    "max_reject_rate",
    "warn_at",
)
_INSIDE = ("value_at_risk_confidence", "variance_decay", "correlation_threshold")
_COUNTS = (
    "max_open_orders",
    "outcome_window",
    "debounce_readings",
    "max_open_positions",
    "max_consecutive_losses",
    "max_trades_per_day",
    "max_orders_per_second",
)


def _require_positive(name: str, value: object) -> None:
    if not isinstance(value, Decimal):
        raise ValueError(f"{name} must be a Decimal, got {value!r}")
    if not value.is_finite() or value <= 0:
        raise ValueError(f"{name} must be a positive number, got {value}")

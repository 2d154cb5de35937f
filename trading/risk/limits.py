"""The limits: what an account may do, with the specification's defaults."""

from decimal import Decimal

import msgspec

from trading.identifiers import InstrumentId, StrategyId
from trading.values import NANOS_PER_SECOND


class SymbolLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one instrument in place of the general ones; None keeps the general one."""

    max_shares: Decimal | None = None
    max_notional: Decimal | None = None

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

    def __post_init__(self) -> None:
        for name in _MONEY:
            _require_positive(name, getattr(self, name))
        for strategy, exposure in self.max_strategy_exposure.items():
            _require_positive(f"max_strategy_exposure[{strategy}]", exposure)
        for name in _RATIOS:
            ratio = getattr(self, name)
            if ratio is not None:
                _require_positive(name, ratio)
                if ratio > 1:
                    raise ValueError(f"{name} is a fraction of 1, got {ratio}")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
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
_RATIOS = ("max_drawdown", "stop_loss", "trailing_stop", "trailing_activation")
_COUNTS = (
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

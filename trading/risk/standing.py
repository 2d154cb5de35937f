"""What the risk manager's own journal says: trading state, day, peak, refusals."""

from collections import Counter
from decimal import Decimal

import msgspec

from trading.events import (
    DayOpened,
    Event,
    OrderDenied,
    OrderUpdateRejected,
    RiskWarned,
    StrategyHalted,
    TradingStateChanged,
)
from trading.identifiers import ClientOrderId, StrategyId
from trading.refusals import RefusalCode
from trading.values import TradingState

OPERATOR = "OPERATOR"
"""Code of a trading state that a person set."""
_OUTCOME_CODES = frozenset({RefusalCode.RISK_REJECT_RATE, RefusalCode.RISK_SLIPPAGE})


class Hold(msgspec.Struct, frozen=True):
    """A trading state and why: `until` is market time (ns UTC), 0 until changed."""

    state: TradingState = TradingState.ACTIVE
    code: str = ""
    reason: str = ""
    until: int = 0


class Standing:
    """Fold over the own stream.

    A `DayOpened` is also how equity readings within the day are journalled: see `_day_opened`.

    Attributes
    ----------
    hold : Hold
        The trading state in force.
    operator : Hold
        What a person asked for last; what is in force again when a breaker ends.
    losses_after : int
        Losing trades up to this market time (ns) no longer count for the breaker.
    outcomes_after : int
        The same for refused orders and slippage.
    halts : dict of StrategyId to StrategyHalted
        Strategies that may only reduce.
    warned : dict of str to int
        Trading day of the last warning about each limit.
    day : int or None
        The open trading day (`MarketHours.day_of`).
    day_equity, peak_equity : Decimal or None
        Equity from which the day's loss and the drawdown are measured.
    marked_equity : Decimal or None
        The last equity reading that was journalled.
    day_profits : dict of StrategyId to Decimal
        Profit since the start of each strategy when the day opened.
    denials : Counter of code
    """

    def __init__(self) -> None:
        self.hold = Hold()
        self.operator = Hold()
        self.losses_after = 0
        self.outcomes_after = 0
        self.halts: dict[StrategyId, StrategyHalted] = {}
        self.warned: dict[str, int] = {}
        self.day: int | None = None
        self.day_equity: Decimal | None = None
        self.peak_equity: Decimal | None = None
        self.marked_equity: Decimal | None = None
        self.day_profits: dict[StrategyId, Decimal] = {}
        self.denials: Counter[str] = Counter()
        self._denied: set[ClientOrderId] = set()

    def apply(self, event: Event) -> None:
        match event:
            case TradingStateChanged():
                self._state_changed(event)
            case DayOpened():
                self._day_opened(event)
            case OrderDenied():
                self.denials[event.code] += 1
                self._denied.add(event.client_order_id)
            case OrderUpdateRejected():
                self.denials[event.code] += 1
            case StrategyHalted():
                self._strategy_halted(event)
            case RiskWarned():
                self.warned[event.name] = self.day or 0
            case _:
                raise AssertionError(f"{type(event).__name__} is none of the risk stream's facts")

    def has_denied(self, client_order_id: ClientOrderId) -> bool:
        return client_order_id in self._denied

    def durable(self) -> list[object]:
        """Return what two equal folds have in common."""
        return [
            self.hold,
            self.operator,
            self.losses_after,
            self.outcomes_after,
            [(str(key), halt.until) for key, halt in sorted(self.halts.items())],
            sorted(self.warned.items()),
            self.day,
            self.day_equity,
            self.peak_equity,
            self.marked_equity,
            dict(self.denials),
            sorted(self._denied),
        ]

    def _day_opened(self, event: DayOpened) -> None:
        """The first of a day says where the day began, each later one where the equity is now."""
        if event.day != self.day:
            self.day = event.day
            self.day_equity = event.equity
            self.day_profits = dict(event.profits)
        self.marked_equity = event.equity
        self.peak_equity = event.peak_equity

    def _state_changed(self, event: TradingStateChanged) -> None:
        self.hold = Hold(event.state, event.code, event.reason, event.until)
        if event.code == OPERATOR:
            self.operator = self.hold
            if event.state is TradingState.ACTIVE:
                self.losses_after = self.outcomes_after = event.ts_event
                self.halts.clear()
        elif event.code in _OUTCOME_CODES and event.until:
            self.outcomes_after = event.until
        elif event.code == RefusalCode.RISK_CONSECUTIVE_LOSSES and event.until:
            self.losses_after = event.until

    def _strategy_halted(self, event: StrategyHalted) -> None:
        if event.until:
            self.halts[event.strategy_id] = event
        else:
            self.halts.pop(event.strategy_id, None)

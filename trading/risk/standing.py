"""What the risk manager's own journal says: trading state, day, peak, refusals."""

from collections import Counter
from decimal import Decimal

import msgspec

from trading.events import (
    DayOpened,
    Event,
    OrderDenied,
    OrderUpdateRejected,
    TradingStateChanged,
)
from trading.identifiers import ClientOrderId
from trading.refusals import RefusalCode
from trading.values import TradingState

OPERATOR = "OPERATOR"
"""Code of a trading state that a person set."""


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
    day : int or None
        The open trading day (`results.day_of`).
    day_equity, peak_equity : Decimal or None
        Equity from which the day's loss and the drawdown are measured.
    marked_equity : Decimal or None
        The last equity reading that was journalled.
    denials : Counter of code
    """

    def __init__(self) -> None:
        self.hold = Hold()
        self.operator = Hold()
        self.losses_after = 0
        self.day: int | None = None
        self.day_equity: Decimal | None = None
        self.peak_equity: Decimal | None = None
        self.marked_equity: Decimal | None = None
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
        self.marked_equity = event.equity
        self.peak_equity = event.peak_equity

    def _state_changed(self, event: TradingStateChanged) -> None:
        self.hold = Hold(event.state, event.code, event.reason, event.until)
        if event.code == OPERATOR:
            self.operator = self.hold
            if event.state is TradingState.ACTIVE:
                self.losses_after = event.ts_event
        elif event.code == RefusalCode.RISK_CONSECUTIVE_LOSSES and event.until:
            self.losses_after = event.until

"""Stops: when one strategy's position must be left, whatever the strategy thinks.

    stop loss       price at or beyond entry * (1 - stop_loss)            (long; mirrored when short)
    trailing stop   armed once the best price reached entry * (1 + trailing_activation), then due at
                    best * (1 - trailing_stop)

Entry is the average price of the position; a long is judged by the bid, a short by the ask: the
price at which it could be left. The best price is market data and not journalled: after a restart it
begins at the entry again, so a trailing stop that was armed arms anew at the next such gain, while
the stop loss holds at once.
"""

from math import isfinite

from trading.data import BookTop
from trading.identifiers import InstrumentId, StrategyId
from trading.position import Position
from trading.risk.limits import RiskLimits
from trading.values import NANOS_PER_SECOND

RETRY_NS = NANOS_PER_SECOND
"""Least market time between two exits of one position (a venue may refuse the first)."""

Key = tuple[StrategyId, InstrumentId]


class Mark:
    """One position being watched: its sign, entry and best price (quote currency), the last exit."""

    __slots__ = ("best_px", "cost", "entry_px", "exit_at", "quantity", "sign")

    def __init__(self, position: Position) -> None:
        self.sign = 1 if position.quantity > 0 else -1
        self.quantity = position.quantity
        self.cost = position.cost
        self.entry_px = float(position.avg_px)
        self.best_px = self.entry_px
        self.exit_at: int | None = None

    def follow(self, position: Position) -> None:
        """Take over a position that grew or shrank; the best price stays."""
        if position.quantity != self.quantity or position.cost != self.cost:
            self.quantity = position.quantity
            self.cost = position.cost
            self.entry_px = float(position.avg_px)


class Stops:
    """Watches the positions of all strategies of an account."""

    def __init__(self, limits: RiskLimits) -> None:
        self._stop_loss = None if limits.stop_loss is None else float(limits.stop_loss)
        self._trailing = None if limits.trailing_stop is None else float(limits.trailing_stop)
        self._activation = float(limits.trailing_activation)
        self._marks: dict[Key, Mark] = {}

    def forget(self, key: Key) -> None:
        """The position is flat: its life is over."""
        self._marks.pop(key, None)

    def due(self, key: Key, position: Position, top: BookTop) -> str | None:
        """Return the purpose of the exit that is due at this book, or None.

        Parameters
        ----------
        position : Position
            The strategy's, not flat.
        """
        mark = self._watch(key, position)
        price = top.bid_px if mark.sign > 0 else top.ask_px
        if not isfinite(price) or price <= 0:
            return None
        mark.best_px = max(mark.best_px, price) if mark.sign > 0 else min(mark.best_px, price)
        if mark.exit_at is not None and top.ts_event - mark.exit_at < RETRY_NS:
            return None
        for purpose, level in self._levels(mark).items():
            if (price - level) * mark.sign <= 0:
                return purpose
        return None

    def exit_sent(self, key: Key, ts_event: int) -> None:
        """An exit was asked for at market time `ts_event` (ns)."""
        mark = self._marks.get(key)
        if mark is not None:
            mark.exit_at = ts_event

    def armed(self) -> list[dict[str, str | float]]:
        """Return each watched position with its entry, best price and stop levels."""
        return [
            {
                "strategy": strategy,
                "instrument": instrument,
                "entry_px": mark.entry_px,
                "best_px": mark.best_px,
                **self._levels(mark),
            }
            for (strategy, instrument), mark in sorted(self._marks.items())
        ]

    def _watch(self, key: Key, position: Position) -> Mark:
        mark = self._marks.get(key)
        if mark is None or mark.sign * position.quantity < 0:
            mark = self._marks[key] = Mark(position)
        else:
            mark.follow(position)
        return mark

    def _levels(self, mark: Mark) -> dict[str, float]:
        levels: dict[str, float] = {}
        if self._stop_loss is not None:
            levels["stop_loss"] = mark.entry_px * (1 - mark.sign * self._stop_loss)
        gain = (mark.best_px / mark.entry_px - 1) * mark.sign if mark.entry_px else 0.0
        if self._trailing is not None and gain >= self._activation:
            levels["trailing_stop"] = mark.best_px * (1 - mark.sign * self._trailing)
        return levels

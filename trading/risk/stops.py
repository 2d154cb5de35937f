"""Stops: when one strategy's position must be left, whatever the strategy thinks.

    stop loss       price at or beyond entry * (1 - stop_loss)            (long; mirrored when short)
    take profit     price at or beyond entry * (1 + take_profit)
    trailing stop   armed once the best price reached entry * (1 + trailing_activation), then due at
                    best * (1 - trailing_stop)

Entry is the average price of the position; a long is judged by the bid, a short by the ask: the
price at which it could be left. The best price is market data and not journalled: after a restart it is taken from
the bars since the position was opened (`recall`), as far as they reach.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from math import isfinite

from trading.data import Bar, BookTop
from trading.identifiers import InstrumentId, StrategyId
from trading.position import Position
from trading.risk.limits import RiskLimits
from trading.values import NANOS_PER_SECOND

RETRY_NS = NANOS_PER_SECOND
"""Least market time between two exits of one position (a venue may refuse the first)."""

TAKE_PROFIT = "take_profit"
ROUNDING = 1e-12
"""A price at its level must not be missed by what floats round off, as a part of the level."""

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
        self._marks: dict[Key, Mark] = {}
        self.obey(limits)

    def obey(self, limits: RiskLimits) -> None:
        """Take the distances of these limits."""
        self._stop_loss = _ratio(limits.stop_loss)
        self._take_profit = _ratio(limits.take_profit)
        self._trailing = _ratio(limits.trailing_stop)
        self._activation = float(limits.trailing_activation)
        self._is_off = self._stop_loss is self._take_profit is self._trailing is None

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
        if self._is_off or not self.is_retry_due(key, top.ts_event):
            return None
        for purpose, level in self._levels(mark).items():
            beyond = (price - level) * mark.sign
            if purpose == TAKE_PROFIT:
                beyond = -beyond
            if beyond <= level * ROUNDING:
                return purpose
        return None

    def is_retry_due(self, key: Key, ts_event: int) -> bool:
        """Return whether another exit may be asked for: none was within `RETRY_NS` before `ts_event`."""
        mark = self._marks.get(key)
        return mark is None or mark.exit_at is None or ts_event - mark.exit_at >= RETRY_NS

    def recall(self, key: Key, position: Position, opened_at: int, bars: Sequence[Bar]) -> None:
        """Take the best price of a position from the bars that began when it was open already.

        Parameters
        ----------
        opened_at : int
            Market time (ns UTC).
        bars : sequence of Bar
            Of the instrument, oldest first.
        """
        mark = self._watch(key, position)
        better = max if mark.sign > 0 else min
        for before, bar in pairwise(bars):
            price = bar.high if mark.sign > 0 else bar.low
            if before.ts_event >= opened_at and isfinite(price) and price > 0:
                mark.best_px = better(mark.best_px, price)

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
        if self._take_profit is not None:
            levels[TAKE_PROFIT] = mark.entry_px * (1 + mark.sign * self._take_profit)
        gain = (mark.best_px / mark.entry_px - 1) * mark.sign if mark.entry_px else 0.0
        if self._trailing is not None and gain >= self._activation:
            levels["trailing_stop"] = mark.best_px * (1 - mark.sign * self._trailing)
        return levels


def _ratio(limit: Decimal | None) -> float | None:
    return None if limit is None else float(limit)

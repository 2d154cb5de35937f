"""Exits inside a bar, compiled: stop loss, trailing stop, take profit."""

import numpy as np

from trading.backtest.borrowing import borrowing
from trading.backtest.fill import close_out
from trading.backtest.result import FillReason
from trading.backtest.state import Books, Market, Record, Rules

NONE = int(FillReason.TARGET)
STOP_LOSS = int(FillReason.STOP_LOSS)
TAKE_PROFIT = int(FillReason.TAKE_PROFIT)
TRAILING_STOP = int(FillReason.TRAILING_STOP)


@borrowing
def leave(row: int, market: Market, rules: Rules, books: Books) -> None:
    """Close what a stop or a profit of this bar closes; remember the best prices of the rest."""
    for column in range(books.positions.shape[0]):
        position = books.positions[column]
        if position.units == 0.0 or np.isnan(market.close[row, column]):
            continue
        side = np.sign(position.units)
        opened = market.open[row, column]
        high, low = market.high[row, column], market.low[row, column]
        worst, finest = (low, high) if side > 0 else (high, low)
        price, reason = _exit(side, opened, worst, finest, position, rules)
        if reason != NONE:
            position.blocked = side
            close_out(row, column, price, market.volume[row, column], reason, rules, books)
        elif side * finest > side * position.best:
            position.best = finest


@borrowing
def _exit(
    side: float, opened: float, worst: float, finest: float, position: Record, rules: Rules
) -> tuple[float, int]:
    """Return the price and the reason of an exit; the reason is NONE when there is none."""
    stop, goal, reason = -side * np.inf, side * np.inf, NONE
    if rules.stop_loss > 0:
        stop, reason = position.entry * (1.0 - side * rules.stop_loss), STOP_LOSS
    if rules.trailing_stop > 0:
        trail = position.best * (1.0 - side * rules.trailing_stop)
        if side * trail > side * stop:
            stop, reason = trail, TRAILING_STOP
    if rules.take_profit > 0:
        goal = position.entry * (1.0 + side * rules.take_profit)
    if side * opened >= side * goal:
        return opened, TAKE_PROFIT
    if side * opened <= side * stop:
        return opened, reason
    if side * worst <= side * stop:
        return stop, reason
    if side * finest >= side * goal:
        return goal, TAKE_PROFIT
    return 0.0, NONE

"""One fill, compiled: cash, position, costs, the journal's row, and the round trip that it belongs to."""

import numpy as np

from trading.backtest.borrowing import borrowing
from trading.backtest.result import FillReason
from trading.backtest.state import Books, Log, Record, Records, Rules

TAKE_PROFIT = int(FillReason.TAKE_PROFIT)
NOTHING = 1e-12
"""A position below this fraction of the fill that made it is rounding noise."""


@borrowing
def close_out(
    row: int, column: int, price: float, volume: float, reason: int, rules: Rules, books: Books
) -> None:
    """Close the whole position of one instrument, if there is one, and want none."""
    position, account = books.positions[column], books.account[0]
    position.want = 0.0
    if position.units != 0.0:
        units = -position.units
        fill(row, column, units, price, volume, reason, rules, position, account, books.log)


@borrowing
def fill(  # noqa: PLR0913, PLR0917 - few arrays make a fast call
    row: int,
    column: int,
    units: float,
    price: float,
    volume: float,
    reason: int,
    rules: Rules,
    position: Record,
    account: Record,
    log: Log,
) -> None:
    """Buy (units > 0) or sell at `price`, worsened by spread, slippage and impact.

    A profit is taken by a resting limit order, which pays neither spread nor slippage. The units
    must not lead from one side to the other.

    Parameters
    ----------
    volume : float
        Of the bar, for the impact (units).
    """
    paid = price
    if reason != TAKE_PROFIT:
        distance = rules.distance
        if rules.impact > 0 and volume > 0:
            distance += rules.impact * np.sqrt(abs(units) / volume)
        paid = price * (1.0 + np.sign(units) * distance)
    value = units * paid
    commission = max(rules.minimum, abs(value) * rules.rate + abs(units) * rules.per_unit)
    slippage = abs(units) * abs(paid - price)
    account.cash -= value + commission
    account.traded += abs(value)
    account.commission += commission
    account.slippage += slippage
    if account.fills < log.fills.shape[0]:
        written = log.fills[account.fills]
        written.bar = row
        written.column = column
        written.units = units
        written.price = paid
        written.commission = commission
        written.slippage = slippage
        written.reason = reason
    account.fills += 1
    held = position.units
    _move(row, units, price, paid, commission, position)
    if position.units == 0.0:
        write_trade(row, column, np.sign(held), False, position, account, log.trades)


@borrowing
def _move(
    row: int, units: float, price: float, paid: float, commission: float, position: Record
) -> None:
    """Change the position and its round trip."""
    held = position.units
    after = held + units
    if abs(after) <= NOTHING * abs(units):
        after = 0.0
    if held == 0.0:
        _begin(row, price, position)
    position.paid += commission
    if held * units >= 0:
        position.opened += abs(units)
        position.opened_value += abs(units) * paid
        position.entry = (position.entry * held + paid * units) / after
        position.peak = max(position.peak, abs(after))
    else:
        position.closed += abs(units)
        position.closed_value += abs(units) * paid
    position.units = after


@borrowing
def _begin(row: int, price: float, position: Record) -> None:
    """Start a round trip."""
    position.entry_bar = row
    position.best = price
    position.peak = 0.0
    position.opened = 0.0
    position.opened_value = 0.0
    position.closed = 0.0
    position.closed_value = 0.0
    position.paid = 0.0


@borrowing
def write_trade(
    row: int,
    column: int,
    side: float,
    is_open: bool,
    position: Record,
    account: Record,
    trades: Records,
) -> None:
    """Write down the round trip of `column` that ends, or is valued, at `row`."""
    if account.trades < trades.shape[0]:
        trade = trades[account.trades]
        trade.column = column
        trade.side = int(side)
        trade.entry_bar = int(position.entry_bar)
        trade.exit_bar = row
        trade.units = position.peak
        trade.entry_price = position.opened_value / position.opened
        trade.exit_price = position.closed_value / position.closed
        trade.profit = side * (position.closed_value - position.opened_value) - position.paid
        trade.commission = position.paid
        trade.is_open = is_open
    account.trades += 1

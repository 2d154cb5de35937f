"""The loop over bars, compiled.

One bar is, in this order:

1. what happens to holders before the open: interest since the last close, splits, dividends;
2. with `NEXT_OPEN`: the decision of the last close is filled at the open;
3. exits inside the bar;
4. with `NEXT_CLOSE` the decision of the last close, with `SAME_CLOSE` this close's own, is filled at the close;
5. the mark at the close; an equity of zero or less ends the game.

An instrument without a price in a bar (NaN) neither trades nor exits in it, and is valued at its last price.
"""

import numpy as np

from trading.backtest.exits import leave
from trading.backtest.fill import close_out
from trading.backtest.rebalance import rebalance, whole_lots
from trading.backtest.result import FillReason
from trading.backtest.state import Books, Market, Record, Rules
from trading.compiled import compiled
from trading.indicators.rolling import FloatArray

RUIN = int(FillReason.RUIN)


@compiled
def simulate(market: Market, weights: FloatArray, rules: Rules, books: Books) -> int:  # noqa: C901, PLR0912
    """Run all bars and fill the books. Return the row of the ruin, or -1.

    The body looks at each position twice per bar; everything that is rare is a call (see `state`).

    Parameters
    ----------
    weights : (time, instrument)
        Targets decided at each close, finite.
    """
    prices = market.open if rules.fills_at_open else market.close
    close, years = market.close, market.years
    positions, equities = books.positions, books.equity
    account = books.account[0]
    lag = 0 if rules.fills_same_bar else 1
    columns = positions.shape[0]
    capital = account.cash
    equity, shorts, ruined_at = capital, 0.0, -1
    for row in range(close.shape[0]):
        if shorts < 0 or account.cash < 0 or rules.cash_rate > 0:
            _finance(years[row], shorts, rules, account)
        if market.splits.shape[0] > 0:
            _act(row, market, rules, books)
        if rules.has_exits and not rules.fills_at_open and ruined_at < 0:
            leave(row, market, rules, books)
        if rules.fills_same_bar:
            equity = account.cash
            for column in range(columns):
                if not np.isnan(close[row, column]):
                    positions[column].last = close[row, column]
                equity += positions[column].units * positions[column].last
        if row >= lag and ruined_at < 0:
            base = equity if rules.reinvests else capital
            for column in range(columns):
                if _is_due(weights[row - lag, column], base, positions[column], rules):
                    rebalance(row, prices, weights[row - lag], base, market.volume, rules, books)
                    break
        if rules.has_exits and rules.fills_at_open and ruined_at < 0:
            leave(row, market, rules, books)
        equity, shorts = account.cash, 0.0
        for column in range(columns):
            position = positions[column]
            if not np.isnan(close[row, column]):
                position.last = close[row, column]
            if position.units != 0.0:
                value = position.units * position.last
                equity += value
                shorts += min(value, 0.0)
        if equity <= 0 and ruined_at < 0:
            ruined_at = row
            equity, shorts = _close_all(row, market, rules, books), 0.0
        equities[row] = equity
        if books.closes.shape[0] > 0:
            _write(row, books)
    return ruined_at


@compiled
def _is_due(weight: float, base: float, position: Record, rules: Rules) -> bool:
    """Return whether a decision may ask something of a position; what `rebalance` does not do is harmless."""
    held = position.units
    if weight == 0.0 and held == 0.0 and position.want == 0.0 and position.blocked == 0.0:
        return rules.on_change and bool(position.weight != 0.0)
    if rules.on_change:
        return bool(weight != position.weight or position.want != held or position.blocked != 0.0)
    if weight == 0.0 or position.blocked != 0.0 or position.want != held:
        return True
    distance = abs(weight * base - held * position.last) + rules.lot_size * position.last
    return bool(not distance < rules.band * base)


@compiled
def _finance(years: float, shorts: float, rules: Rules, account: Record) -> None:
    """Interest since the last close: on the cash, and on the value of what is borrowed."""
    rate = rules.cash_rate if account.cash > 0 else rules.debit_rate
    interest = (account.cash * rate + shorts * rules.borrow_rate) * years
    account.cash += interest
    account.interest += interest


@compiled
def _act(row: int, market: Market, rules: Rules, books: Books) -> None:
    """Splits and dividends of the day; less than a lot left over by a split is paid out."""
    account = books.account[0]
    for column in range(books.positions.shape[0]):
        ratio, dividend = market.splits[row, column], market.dividends[row, column]
        position = books.positions[column]
        if ratio != 1.0:
            position.units *= ratio
            position.want *= ratio
            position.peak *= ratio
            position.opened *= ratio
            position.closed *= ratio
            position.last /= ratio
            position.entry /= ratio
            position.best /= ratio
            if rules.lot_size > 0 and position.units != 0.0:
                whole = whole_lots(position.units, rules.lot_size)
                rest = position.units - whole
                account.cash += rest * position.last
                position.closed += abs(rest)
                position.closed_value += abs(rest) * position.last
                position.units = whole
            if rules.lot_size > 0:
                position.want = whole_lots(position.want, rules.lot_size)
        if dividend != 0.0 and position.units != 0.0:
            account.cash += position.units * dividend
            account.dividends += position.units * dividend


@compiled
def _close_all(row: int, market: Market, rules: Rules, books: Books) -> float:
    for column in range(books.positions.shape[0]):
        price = books.positions[column].last
        close_out(row, column, price, market.volume[row, column], RUIN, rules, books)
    equity: float = books.account[0].cash
    return equity


@compiled
def _write(row: int, books: Books) -> None:
    """Write down the close, and begin the sums of the next bar."""
    account, written = books.account[0], books.closes[row]
    net = gross = 0.0
    for column in range(books.positions.shape[0]):
        position = books.positions[column]
        books.units[row, column] = position.units
        if position.units != 0.0:
            value = position.units * position.last
            net += value
            gross += abs(value)
    written.net, written.gross = net, gross
    written.cash = account.cash
    written.traded, account.traded = account.traded, 0.0
    written.commission, account.commission = account.commission, 0.0
    written.slippage, account.slippage = account.slippage, 0.0
    written.interest, account.interest = account.interest, 0.0
    written.dividends, account.dividends = account.dividends, 0.0

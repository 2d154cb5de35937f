"""The loop over bars, compiled.

One bar is, in this order:

1. what happens to holders before the open: interest since the last close, splits, dividends;
2. with `NEXT_OPEN`: the decision of the last close is filled at the open;
3. exits inside the bar;
4. with `NEXT_CLOSE` the decision of the last close, with `SAME_CLOSE` this close's own, is filled at the close;
5. the mark at the close; an equity of zero or less ends the game.

Bars on which none of this is due are valued in blocks, see `quiet`.

An instrument without a price in a bar (NaN) neither trades nor exits in it, and is valued at its last price.
"""

from trading.backtest.borrowing import borrowing
from trading.backtest.exits import leave
from trading.backtest.fill import close_out
from trading.backtest.quiet import is_due, pass_quiet_bars
from trading.backtest.rebalance import rebalance, whole_lots
from trading.backtest.result import FillReason
from trading.backtest.state import Books, Market, Record, Rules
from trading.indicators.rolling import FloatArray

NANOS_PER_YEAR = 365.25 * 86_400e9
RUIN = int(FillReason.RUIN)
WAIT_MAX = 8
"""Quiet bars in a row before more are looked for in blocks: one for each instrument, but no more than this."""


@borrowing
def simulate(market: Market, weights: FloatArray, rules: Rules, books: Books) -> int:  # noqa: C901, PLR0912, PLR0915
    """Run all bars and fill the books. Return the row of the ruin, or -1.

    The body looks at each position twice per bar; everything that is rare is a function of its own.

    Parameters
    ----------
    weights : (time, instrument)
        Targets decided at each close, finite.
    """
    prices = market.open if rules.fills_at_open else market.close
    mark, positions, equities = market.mark, books.positions, books.equity
    account, rows = books.account[0], mark.shape[0]
    lag = 0 if rules.fills_same_bar else 1
    columns = positions.shape[0]
    capital, wait = account.cash, min(columns, WAIT_MAX)
    may_rest = rules.cash_rate == 0 and market.splits.shape[0] == 0
    equity, shorts, is_flat, ruined_at, quiet_bars, row = capital, 0.0, True, -1, 0, 0
    while row < rows:
        owes = shorts < 0 or account.cash < 0
        is_quiet = may_rest and row > 0 and not owes and ruined_at < 0
        is_quiet = is_quiet and (is_flat or not rules.has_exits)
        if row > 0 and (owes or rules.cash_rate > 0):
            _finance(market.ts[row] - market.ts[row - 1], shorts, rules, account)
        if market.splits.shape[0] > 0:
            _act(row, market, rules, books)
        if rules.has_exits and not rules.fills_at_open and ruined_at < 0:
            leave(row, market, rules, books)
        if rules.fills_same_bar:
            equity = account.cash
            for column in range(columns):
                positions[column].last = mark[row, column]
                if positions[column].units != 0.0:
                    equity += positions[column].units * positions[column].last
        if row >= lag and ruined_at < 0:
            base = equity if rules.reinvests else capital
            for column in range(columns):
                position = positions[column]
                if is_due(weights[row - lag, column], base, position.last, position, rules):
                    rebalance(row, prices, weights[row - lag], base, market.volume, rules, books)
                    is_quiet = False
                    break
        if rules.has_exits and rules.fills_at_open and ruined_at < 0:
            leave(row, market, rules, books)
        equity, shorts, is_flat = account.cash, 0.0, True
        for column in range(columns):
            position = positions[column]
            position.last = mark[row, column]
            if position.units != 0.0:
                value = position.units * position.last
                equity += value
                shorts += min(value, 0.0)
                is_flat = False
        if equity <= 0 and ruined_at < 0:
            ruined_at = row
            equity, shorts = _close_all(row, market, rules, books), 0.0
        equities[row] = equity
        row += 1
        if is_quiet:
            quiet_bars += 1
            if quiet_bars >= wait:
                row = pass_quiet_bars(
                    row, mark, weights, capital, account.cash, rules, positions, equities
                )
                equity = equities[row - 1]
        else:
            quiet_bars = 0
            if books.closes.shape[0] > 0:
                _write(row - 1, books)
    return ruined_at


@borrowing
def _finance(nanos: int, shorts: float, rules: Rules, account: Record) -> None:
    """Interest since the last close: on the cash, and on the value of what is borrowed."""
    rate = rules.cash_rate if account.cash > 0 else rules.debit_rate
    years = nanos / NANOS_PER_YEAR
    interest = (account.cash * rate + shorts * rules.borrow_rate) * years
    account.cash += interest
    account.interest += interest


@borrowing
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


@borrowing
def _close_all(row: int, market: Market, rules: Rules, books: Books) -> float:
    for column in range(books.positions.shape[0]):
        price = books.positions[column].last
        close_out(row, column, price, market.volume[row, column], RUIN, rules, books)
    equity: float = books.account[0].cash
    return equity


@borrowing
def _write(row: int, books: Books) -> None:
    """Write down the close, and begin the sums of the next bar."""
    account = books.account[0]
    index = account.closes
    account.closes += 1
    for column in range(books.positions.shape[0]):
        books.units[index, column] = books.positions[column].units
    written = books.closes[index]
    written.bar = row
    written.cash = account.cash
    written.traded, account.traded = account.traded, 0.0
    written.commission, account.commission = account.commission, 0.0
    written.slippage, account.slippage = account.slippage, 0.0
    written.interest, account.interest = account.interest, 0.0
    written.dividends, account.dividends = account.dividends, 0.0

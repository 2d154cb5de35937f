"""The vector gear: target weights in, the course of an account out.

Prices are float64 here, and so is the account: this is research. The event gear runs the same strategy
through the order path that trades, in Decimal.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from trading.backtest import state
from trading.backtest.fill import write_trade
from trading.backtest.kernel import simulate
from trading.backtest.result import BacktestResult, Fills, Trades
from trading.backtest.settings import BacktestSettings
from trading.backtest.state import Books, Market
from trading.compiled import compiled
from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars

NANOS_PER_YEAR = 365.25 * 86_400e9
LOG_ROOM = 1_000_000
"""Fills for which room is made at first; the system hands memory out only as it is written."""
_EMPTY = np.zeros((0, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """What happens to holders before the open of a bar.

    Attributes
    ----------
    splits : (time, instrument)
        Units after over units before (1 where nothing happens).
    dividends : (time, instrument)
        Cash per unit held, after the split of the same bar (0 where there is none). Shorts pay it.
    """

    splits: FloatArray
    dividends: FloatArray


def run_backtest(
    bars: Bars,
    weights: FloatArray,
    settings: BacktestSettings | None = None,
    actions: Actions | None = None,
) -> BacktestResult:
    """Return the whole course of an account that follows `weights`.

    Parameters
    ----------
    weights : (time, instrument)
        Target weights decided at each close; see `strategy.Strategy`.
    actions : Actions or None
        For unadjusted prices; None for prices that are adjusted already.

    Raises
    ------
    DataError
        Naming the instrument and the bar, when a price or a weight is unusable.
    """
    settings = settings or BacktestSettings()
    market = market_of(bars, actions)
    _require_weights(bars, weights)
    rules = state.rules_of(settings)
    room = min(2 * weights.size + weights.shape[1], LOG_ROOM)
    while True:
        books = state.new_books(weights.shape, settings.initial_cash, room=room, is_whole=True)
        ruined_at = simulate(market, weights, rules, books)
        _close_books(books)
        found = int(max(books.account["fills"][0], books.account["trades"][0]))
        if found <= room:
            break
        room = found
    closes = {name: books.closes[name] for name in state.CLOSE.names or ()}
    return BacktestResult(
        ts=bars.ts,
        instrument_ids=bars.instrument_ids,
        settings=settings,
        equity=books.equity,
        units=books.units,
        fills=_fills(books),
        trades=_trades(books),
        ruined_at=None if ruined_at < 0 else int(ruined_at),
        **closes,
    )


def equity_of(market: Market, weights: FloatArray, settings: BacktestSettings) -> FloatArray:
    """Return the equity alone: (time,). For sweeps; the numbers are those of `run_backtest`.

    Parameters
    ----------
    market : Market
        Of `market_of`, which has checked the prices.
    weights : (time, instrument)
        Finite; not checked here.
    """
    books = state.new_books(weights.shape, settings.initial_cash)
    simulate(market, weights, state.rules_of(settings), books)
    return books.equity


def market_of(bars: Bars, actions: Actions | None = None) -> Market:
    """Return the bars as the kernel takes them.

    Raises
    ------
    DataError
        If there are no bars, times do not rise, or a price is not positive or outside its bar.
    """
    if not len(bars) or not bars.instrument_ids:
        raise DataError("there are no bars; choose a longer period or other symbols.")
    if not _is_sound(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume):
        _name_problem(bars)
    steps = np.diff(bars.ts) / NANOS_PER_YEAR
    splits = dividends = _EMPTY
    if actions is not None:
        splits, dividends = _checked_actions(bars, actions)
    return Market(
        open=np.ascontiguousarray(bars.open),
        high=np.ascontiguousarray(bars.high),
        low=np.ascontiguousarray(bars.low),
        close=np.ascontiguousarray(bars.close),
        volume=np.ascontiguousarray(bars.volume),
        years=np.concatenate([[0.0], steps]),
        splits=splits,
        dividends=dividends,
    )


def _close_books(books: Books) -> None:
    """Value the round trips that are still open at their last price."""
    account = books.account[0]
    for column in np.flatnonzero(books.positions["units"]).tolist():
        position = books.positions[column]
        held = position["units"]
        position["closed"] += abs(held)
        position["closed_value"] += abs(held) * position["last"]
        last = books.equity.size - 1
        write_trade(last, column, np.sign(held), True, position, account, books.log.trades)


def _fills(books: Books) -> Fills:
    written = books.log.fills[: books.account["fills"][0]]
    return Fills(**{name: written[name] for name in state.FILL.names or ()})


def _trades(books: Books) -> Trades:
    written = books.log.trades[: books.account["trades"][0]]
    return Trades(**{name: written[name] for name in state.TRADE.names or ()})


@compiled
def _is_sound(
    ts: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
) -> bool:
    """Return whether all is as it must be; a NaN close with anything finite around it is no bar."""
    for row in range(ts.shape[0]):
        if row > 0 and ts[row] <= ts[row - 1]:
            return False
        for column in range(close.shape[1]):
            last, first = close[row, column], open_[row, column]
            least, most = low[row, column], high[row, column]
            if np.isnan(last):
                if least <= 0 or first <= 0 or most <= 0 or np.isinf(first + most + least):
                    return False
            elif not (
                0 < least <= last <= most < np.inf
                and least <= first <= most
                and 0 <= volume[row, column] < np.inf
            ):
                return False
    return True


def _name_problem(bars: Bars) -> None:
    """Raise for what `_is_sound` found."""
    late = np.flatnonzero(np.diff(bars.ts) <= 0)
    if late.size:
        row = int(late[0]) + 1
        kind = "repeats" if bars.ts[row] == bars.ts[row - 1] else "is older than"
        raise DataError(f"bar {row + 1} ({_day(bars.ts, row)}) {kind} the bar before it.")
    for name in ("open", "high", "low", "close"):
        prices = getattr(bars, name)
        _refuse(bars, np.isinf(prices) | (prices <= 0), prices, f"the {name}", "a positive number")
    is_bar = ~np.isnan(bars.close)
    for name in ("open", "high", "low"):
        prices = getattr(bars, name)
        _refuse(bars, is_bar & np.isnan(prices), prices, f"the {name}", "known when the close is")
    is_outside = (bars.high < np.fmax(bars.open, bars.close)) | (
        bars.low > np.fmin(bars.open, bars.close)
    )
    _refuse(bars, is_outside, bars.close, "the close", "within low and high, as must the open")
    is_bad = ~np.isfinite(bars.volume) | (bars.volume < 0)
    _refuse(bars, is_bad & is_bar, bars.volume, "the volume", "a number from 0")


def _require_weights(bars: Bars, weights: FloatArray) -> None:
    if weights.shape != bars.close.shape:
        raise DataError(f"weights are of shape {weights.shape}, must be {bars.close.shape}.")
    _refuse(bars, ~np.isfinite(weights), weights, "the weight", "a finite number")


def _checked_actions(bars: Bars, actions: Actions) -> tuple[FloatArray, FloatArray]:
    for name, values in (("splits", actions.splits), ("dividends", actions.dividends)):
        if values.shape != bars.close.shape:
            raise DataError(f"{name} are of shape {values.shape}, must be {bars.close.shape}.")
    is_bad = ~np.isfinite(actions.splits) | (actions.splits <= 0)
    _refuse(bars, is_bad, actions.splits, "the split ratio", "a positive number")
    is_bad = ~np.isfinite(actions.dividends) | (actions.dividends < 0)
    _refuse(bars, is_bad, actions.dividends, "the dividend", "a number from 0")
    return np.ascontiguousarray(actions.splits), np.ascontiguousarray(actions.dividends)


def _refuse(
    bars: Bars, is_bad: NDArray[np.bool_], values: FloatArray, what: str, must_be: str
) -> None:
    """Raise for the first bad cell, in the order of time."""
    if is_bad.any():
        row, column = (int(index) for index in np.argwhere(is_bad)[0])
        raise DataError(
            f"{bars.instrument_ids[column]} at bar {row + 1} ({_day(bars.ts, row)}): {what} is "
            f"{values[row, column]:g}; it must be {must_be}."
        )


def _day(ts: IntArray, row: int) -> str:
    moment = datetime.fromtimestamp(int(ts[row]) // 1_000_000_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M")

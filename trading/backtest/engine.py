"""The vector gear: target weights in, the course of an account out.

Prices are float64 here, and so is the account: this is research. The event gear runs the same strategy
through the order path that trades, in Decimal.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trading.backtest import state
from trading.backtest.columns import Written
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

LOG_ROOM = 40_000
"""Fills for which room is made at first; where they do not fit, the run is done again with room for all.

Arrays above 4 MB are of huge pages, and clearing those takes longer than most runs.
"""
WEIGHTS_PER_FILL = 8
"""With many weights, room for a fill in so many of them."""
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
    weights = np.ascontiguousarray(weights)
    rules = state.rules_of(settings)
    room = max(LOG_ROOM, weights.size // WEIGHTS_PER_FILL)
    while True:
        books = state.new_books(weights.shape, settings.initial_cash, room=room, is_whole=True)
        ruined_at = simulate(market, weights, rules, books)
        _close_books(books)
        found = int(max(books.account["fills"][0], books.account["trades"][0]))
        if found <= room:
            break
        room = found
    written = _written(books, market)
    return BacktestResult(
        ts=bars.ts,
        instrument_ids=bars.instrument_ids,
        settings=settings,
        equity=books.equity,
        cash=partial(written.lasting, "cash"),
        gross=written.gross,
        net=written.net,
        traded=partial(written.of_the_bar, "traded"),
        commission=partial(written.of_the_bar, "commission"),
        slippage=partial(written.of_the_bar, "slippage"),
        interest=partial(written.of_the_bar, "interest"),
        dividends=partial(written.of_the_bar, "dividends"),
        units=written.held,
        fills=_fills(books),
        trades=_trades(books),
        ruined_at=None if ruined_at < 0 else int(ruined_at),
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
    weights = np.ascontiguousarray(weights)
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
    ts, close = np.ascontiguousarray(bars.ts), np.ascontiguousarray(bars.close)
    open_, volume = np.ascontiguousarray(bars.open), np.ascontiguousarray(bars.volume)
    high, low = np.ascontiguousarray(bars.high), np.ascontiguousarray(bars.low)
    if not ((ts[1:] > ts[:-1]).all() and _is_sound(open_, high, low, close, volume)):
        _name_problem(bars)
    splits = dividends = _EMPTY
    if actions is not None:
        splits, dividends = _checked_actions(bars, actions)
    mark = _marks(close, splits) if np.isnan(close).any() else close
    return Market(open_, high, low, close, volume, ts, mark, splits, dividends)


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


def _written(books: Books, market: Market) -> Written:
    count = books.account["closes"][0]
    return Written(books.closes[:count].copy(), books.units[:count].copy(), market.mark)


def _fills(books: Books) -> Fills:
    written = books.log.fills[: books.account["fills"][0]]
    return Fills(**{name: written[name].copy() for name in state.FILL.names or ()})


def _trades(books: Books) -> Trades:
    written = books.log.trades[: books.account["trades"][0]]
    return Trades(**{name: written[name].copy() for name in state.TRADE.names or ()})


@compiled
def _is_sound(
    open_: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
) -> bool:
    """Return whether all is as it must be; a NaN close with anything finite around it is no bar.

    No branch depends on a price, so several prices are looked at by one instruction.
    """
    problems = 0
    for cell in range(close.size):
        first, last = open_.flat[cell], close.flat[cell]
        least, most = low.flat[cell], high.flat[cell]
        is_bar = (
            (least > 0)
            & (least <= last)
            & (last <= most)
            & (most < np.inf)
            & (least <= first)
            & (first <= most)
            & (volume.flat[cell] >= 0)
            & (volume.flat[cell] < np.inf)
        )
        is_wrong = (least <= 0) | (first <= 0) | (most <= 0) | np.isinf(first + most + least)
        problems += not (is_bar | (np.isnan(last) & (not is_wrong)))
    return problems == 0


@compiled
def _marks(close: FloatArray, splits: FloatArray) -> FloatArray:
    """Return the newest known close of each row: (time, instrument)."""
    mark = close.copy()
    for row in range(1, close.shape[0]):
        for column in range(close.shape[1]):
            if np.isnan(close[row, column]):
                mark[row, column] = mark[row - 1, column]
                if splits.shape[0] > 0 and splits[row, column] != 1.0:
                    mark[row, column] /= splits[row, column]
    return mark


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

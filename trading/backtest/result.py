"""What a backtest found."""
# ruff: noqa: RUF009 - a Column is a descriptor, not a default

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trading.backtest.columns import Column
from trading.backtest.settings import BacktestSettings
from trading.identifiers import InstrumentId
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray


class FillReason(IntEnum):
    """Why a fill happened."""

    TARGET = 0
    STOP_LOSS = 1
    TAKE_PROFIT = 2
    TRAILING_STOP = 3
    RUIN = 4
    """The equity was gone: everything was closed and nothing was opened again."""


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """One row per fill, in order.

    Attributes
    ----------
    bar, column : (fill,) int64
        Row and column of `BacktestResult`.
    units : (fill,)
        Bought (> 0) or sold (< 0).
    price : (fill,)
        Paid or received per unit, with spread, slippage and impact in it.
    commission, slippage : (fill,)
        Account currency (>= 0); slippage is the distance from the market's price times the units.
    reason : (fill,) int64
        A `FillReason`.
    """

    bar: IntArray
    column: IntArray
    units: FloatArray
    price: FloatArray
    commission: FloatArray
    slippage: FloatArray
    reason: IntArray

    def __len__(self) -> int:
        return int(self.bar.size)


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """One row per round trip, from flat to flat; what is still open at the end is valued there.

    Attributes
    ----------
    column, entry_bar, exit_bar : (trade,) int64
    side : (trade,) int64
        1 long, -1 short.
    units : (trade,)
        Largest absolute position on the way.
    entry_price, exit_price : (trade,)
        Average prices of its openings and of its reductions.
    profit : (trade,)
        After commissions, in account currency; dividends and interest are not in it.
    commission : (trade,)
    is_open : (trade,) bool
    """

    column: IntArray
    entry_bar: IntArray
    exit_bar: IntArray
    side: IntArray
    units: FloatArray
    entry_price: FloatArray
    exit_price: FloatArray
    profit: FloatArray
    commission: FloatArray
    is_open: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.column.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class BacktestResult:
    """The course of one backtest, at each close, in account currency.

    Columns besides the equity are made when they are first looked at, from what the run wrote down and from the
    closes of the bars, which must not be changed before.

    Attributes
    ----------
    equity, cash, gross, net : (time,)
        `gross` is the absolute and `net` the signed value of all positions.
    traded : (time,)
        Value bought and sold in the bar.
    commission, slippage : (time,)
        Paid in the bar (>= 0).
    interest, dividends : (time,)
        Received (> 0) or paid (< 0) in the bar.
    units : (time, instrument)
        Held at the close.
    ruined_at : int or None
        Row in which the equity was gone.
    """

    ts: IntArray
    instrument_ids: tuple[InstrumentId, ...]
    settings: BacktestSettings
    equity: FloatArray
    cash: Column = Column()
    gross: Column = Column()
    net: Column = Column()
    traded: Column = Column()
    commission: Column = Column()
    slippage: Column = Column()
    interest: Column = Column()
    dividends: Column = Column()
    units: Column = Column()
    fills: Fills
    trades: Trades
    ruined_at: int | None

    @property
    def returns(self) -> FloatArray:
        """Simple return of the equity in each bar, the first from the initial cash: (time,)."""
        before = np.concatenate([[self.settings.initial_cash], self.equity[:-1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(before > 0, self.equity / before - 1.0, 0.0)

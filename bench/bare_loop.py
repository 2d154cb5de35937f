"""EMA cross as one loop and nothing else: the floor to compare with, and the judge of every equity.

Run compiled it is what a hand-written kernel costs; its `py_func` is what plain Python costs.
"""

from typing import Any, TypeAlias

import numba
import numpy as np

from bench.workload import Pair, Prices, Work

Column: TypeAlias = Any
"""An array; a list in plain Python, which is faster there."""


@numba.njit(cache=True, nogil=True)
def ema_cross(  # noqa: PLR0917
    opens: Column,
    closes: Column,
    equity: Column,
    fast: int,
    slow: int,
    warm_up: int,
    lead: float,
    fee: float,
    cash: float,
    stake: float,
    fills_at_open: bool,
) -> None:
    """Fill `equity` with the value of the account at each close."""
    quick_part, calm_part = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    quick = calm = closes[0]
    units, is_wanted, decided_at = 0.0, False, 0.0
    for row in range(len(closes)):
        close = closes[row]
        quick += quick_part * (close - quick)
        calm += calm_part * (close - calm)
        price = opens[row]
        if not fills_at_open:
            price, decided_at = close, close
            is_wanted = row >= warm_up and quick > calm * (1.0 + lead)
        if is_wanted and units == 0.0:
            units = stake / decided_at
            cash -= units * price * (1.0 + fee)
        elif units > 0.0 and not is_wanted:
            cash += units * price * (1.0 - fee)
            units = 0.0
        if fills_at_open:
            decided_at = close
            is_wanted = row >= warm_up and quick > calm * (1.0 + lead)
        equity[row] = cash + units * close


def final_equity(
    prices: Prices, work: Work, pair: Pair, *, fills_at_open: bool = True, is_compiled: bool = True
) -> float:
    """Return what one pair ends with: the cash, and what each symbol gained."""
    total = work.cash
    for symbol in range(prices.close.shape[1]):
        opens, closes = prices.open[:, symbol], prices.close[:, symbol]
        money = (work.fee, work.cash, work.stake)
        rest = (*pair, work.warm_up[pair[1]], work.lead, *money, fills_at_open)
        if is_compiled:
            equity = np.empty(len(closes))
            ema_cross(opens, closes, equity, *rest)
            total += float(equity[-1]) - work.cash
        else:
            course = [0.0] * len(closes)
            ema_cross.py_func(opens.tolist(), closes.tolist(), course, *rest)
            total += course[-1] - work.cash
    return total

"""What the kernel works on: records and plain numbers, as numba takes them."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trading.backtest.settings import BacktestSettings, Execution, Rebalance, Sizing
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray

BPS = 1e-4

Records: TypeAlias = NDArray[np.void]
Record: TypeAlias = Any
"""One element of `Records`; its fields are attributes in compiled code."""

POSITION = np.dtype(
    [
        ("units", "f8"),
        ("want", "f8"),  # units aimed at
        ("weight", "f8"),  # of the decision that `want` comes from
        ("last", "f8"),  # newest price
        ("entry", "f8"),  # average price of the position
        ("best", "f8"),  # best price since the entry
        ("blocked", "f8"),  # side that an exit closed, until the target has changed (0: none)
        # the round trip under way: its first bar, largest position, what was opened and closed, commissions
        ("entry_bar", "f8"),
        ("peak", "f8"),
        ("opened", "f8"),
        ("opened_value", "f8"),
        ("closed", "f8"),
        ("closed_value", "f8"),
        ("paid", "f8"),
    ],
    align=True,
)
ACCOUNT = np.dtype(
    [
        ("cash", "f8"),
        # of the bar under way
        ("traded", "f8"),
        ("commission", "f8"),
        ("slippage", "f8"),
        ("interest", "f8"),
        ("dividends", "f8"),
        ("closes", "i8"),
        # so far, also beyond what the journal has room for
        ("fills", "i8"),
        ("trades", "i8"),
    ],
    align=True,
)
FILL = np.dtype(
    [
        ("bar", "i8"),
        ("column", "i8"),
        ("units", "f8"),
        ("price", "f8"),
        ("commission", "f8"),
        ("slippage", "f8"),
        ("reason", "i8"),
    ],
    align=True,
)
TRADE = np.dtype(
    [
        ("column", "i8"),
        ("entry_bar", "i8"),
        ("exit_bar", "i8"),
        ("side", "i8"),
        ("units", "f8"),
        ("entry_price", "f8"),
        ("exit_price", "f8"),
        ("profit", "f8"),
        ("commission", "f8"),
        ("is_open", "?"),
    ],
    align=True,
)
CLOSE = np.dtype(
    [
        ("bar", "i8"),
        *(
            (name, "f8")
            for name in ("cash", "traded", "commission", "slippage", "interest", "dividends")
        ),
    ],
    align=True,
)
"""At the close of a bar on which more than the prices may have changed."""


class Market(NamedTuple):
    """Prices (time, instrument), and what happened to the holders before each open.

    Attributes
    ----------
    ts : (time,)
        Close of each bar (ns UTC).
    mark : (time, instrument)
        Newest known close; after a split without a price, that close over the ratio. NaN where nothing is known yet.
    splits, dividends : (time, instrument), or both empty when there are none
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    ts: IntArray
    mark: FloatArray
    splits: FloatArray
    dividends: FloatArray


class Log(NamedTuple):
    """Room for fills and trades: (room,) of `FILL` and `TRADE`."""

    fills: Records
    trades: Records


class Books(NamedTuple):
    """What one run writes.

    Attributes
    ----------
    positions : (instrument,) of `POSITION`
    account : (1,) of `ACCOUNT`
    equity : (time,)
    closes : (time,) of `CLOSE`, of which `ACCOUNT.closes` are written; empty when the equity is enough
    units : (time, instrument)
        Held at those closes; or empty.
    """

    positions: Records
    account: Records
    log: Log
    equity: FloatArray
    closes: Records
    units: FloatArray


class Rules(NamedTuple):
    """`BacktestSettings` as plain numbers."""

    fills_at_open: bool
    fills_same_bar: bool
    reinvests: bool
    on_change: bool
    band: float
    lot_size: float
    max_participation: float
    rate: float
    per_unit: float
    minimum: float
    distance: float
    impact: float
    cash_rate: float
    debit_rate: float
    borrow_rate: float
    stop_loss: float
    take_profit: float
    trailing_stop: float
    has_exits: bool
    max_weight: float
    max_leverage: float
    allow_short: bool


def rules_of(settings: BacktestSettings) -> Rules:
    """Return the numbers of `settings`, rates per unit of value."""
    orders, costs, exits = settings.orders, settings.costs, settings.exits
    return Rules(
        fills_at_open=settings.execution is Execution.NEXT_OPEN,
        fills_same_bar=settings.execution is Execution.SAME_CLOSE,
        reinvests=settings.sizing is Sizing.EQUITY,
        on_change=orders.rebalance is Rebalance.ON_CHANGE,
        band=float(orders.band),
        lot_size=float(orders.lot_size),
        max_participation=float(orders.max_participation),
        rate=costs.bps * BPS,
        per_unit=float(costs.per_unit),
        minimum=float(costs.minimum),
        distance=(costs.half_spread_bps + costs.slippage_bps) * BPS,
        impact=float(costs.impact),
        cash_rate=float(settings.financing.cash_rate),
        debit_rate=float(settings.financing.debit_rate),
        borrow_rate=float(settings.financing.borrow_rate),
        stop_loss=float(exits.stop_loss),
        take_profit=float(exits.take_profit),
        trailing_stop=float(exits.trailing_stop),
        has_exits=max(exits.stop_loss, exits.take_profit, exits.trailing_stop) > 0,
        max_weight=float(settings.limits.max_weight),
        max_leverage=float(settings.limits.max_leverage),
        allow_short=settings.limits.allow_short,
    )


def new_books(
    shape: tuple[int, ...], cash: float, *, room: int = 0, is_whole: bool = False
) -> Books:
    """Return empty books with room for so many fills and trades; not `is_whole`: the equity alone."""
    rows, columns = shape
    positions = np.zeros(columns, POSITION)
    positions["last"] = np.nan
    account = np.zeros(1, ACCOUNT)
    account["cash"] = cash
    kept = rows if is_whole else 0
    return Books(
        positions=positions,
        account=account,
        log=Log(np.empty(room, FILL), np.empty(room, TRADE)),
        equity=np.empty(rows),
        closes=np.empty(kept, CLOSE),
        units=np.empty((kept, columns)),
    )

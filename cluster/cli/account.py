"""Orders, positions and fills as rows: from the running actors, or from the journal."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.config import Config
    from serve.desk.view import ClusterSnapshot, LinkedView
    from trading.events import OrderFilled
    from trading.order import Order

Row = Mapping[str, Any]
ORDER_KEYS = (
    "ts_last", "client_order_id", "strategy_id", "instrument_id", "side", "quantity",
    "filled_qty", "avg_px", "status", "code", "purpose",
)  # fmt: skip
POLL_S = 0.2
"""How often a stream that is followed is read again."""


@dataclass(frozen=True, slots=True)
class AccountRows:
    """One account. Newest orders and fills first.

    Attributes
    ----------
    source : str
        `cluster`, or `journal` when nobody is running.
    sequence : int
        Number of facts in the account's stream.
    """

    source: str
    sequence: int
    cash: Any
    orders: list[Row]
    positions: list[Row]
    fills: list[Row]


def machine_view(account: "ClusterSnapshot | LinkedView", kind: str) -> Mapping[str, Any]:
    """Return what the first machine of a kind says; nothing while it is down."""
    return next(
        (view for name, view in account.machines.items() if name.partition(":")[0] == kind), {}
    )


def rows_of_cluster(account: "ClusterSnapshot | LinkedView") -> AccountRows:
    """Return what broker and ledger say: every open order, and the newest of the others."""
    broker, ledger = machine_view(account, "broker"), machine_view(account, "ledger")
    working = [_picked(order) for order in broker.get("open_orders", ())]
    working.sort(key=lambda order: int(order["ts_last"]), reverse=True)
    known = {order["client_order_id"] for order in working}
    recent = [_picked(order) for order in ledger.get("recent_orders", ())]
    return AccountRows(
        source="cluster",
        sequence=int(broker.get("sequence", 0)),
        cash=ledger.get("cash"),
        orders=working + [order for order in recent if order["client_order_id"] not in known],
        positions=list(ledger.get("positions", ())),
        fills=list(ledger.get("recent_fills", ())),
    )


def joined(rows: Mapping[str, AccountRows]) -> AccountRows:
    """Return the rows of several accounts as one, each row with its `account`; of one account as they are."""
    from trading.values import OrderStatus

    if len(rows) == 1:
        return next(iter(rows.values()))
    orders: list[Row] = [
        {"account": key, **row} for key, each in rows.items() for row in each.orders
    ]
    fills: list[Row] = [{"account": key, **row} for key, each in rows.items() for row in each.fills]
    orders.sort(key=lambda row: (OrderStatus(row["status"]).is_terminal, -int(row["ts_last"])))
    fills.sort(key=lambda row: -int(row["ts_event"]))
    return AccountRows(
        source=next(iter(rows.values())).source,
        sequence=sum(each.sequence for each in rows.values()),
        cash=None,
        orders=orders,
        positions=[{"account": key, **row} for key, each in rows.items() for row in each.positions],
        fills=fills,
    )


def rows_of_journal(config: "Config", until: int | None = None) -> AccountRows:
    """Fold the account's stream, up to and with sequence `until`.

    Raises
    ------
    UsageError
        If the stream does not reach `until`.
    JournalError
        If the journal cannot be used, or a record does not fit the chain.
    """
    from trading.account import Account
    from trading.broker.record import AccountRecord
    from trading.errors import UsageError
    from trading.events import OrderFilled
    from trading.identifiers import AccountId, kill_stream

    cash = config.account.initial_cash  # a real account is opened with what its venue said
    record = AccountRecord(cash, kill_stream(AccountId(config.account.account_id)))
    account = Account(cash)
    fills: list[Row] = []
    count = 0
    for event in _events(config, until):
        record.apply(event)
        is_new = isinstance(event, OrderFilled) and not account.has_fill(event.trade_id)
        realized = account.apply(event)
        if is_new:
            fills.append(_fill(event, realized))
        count += 1
    if until is not None and count < until:
        raise UsageError(f"the account's stream ends at {count}; --until {until} is behind it.")
    orders = sorted(record.orders.values(), key=lambda order: order.ts_last, reverse=True)
    return AccountRows(
        source="journal",
        sequence=count,
        cash=record.account.cash,
        orders=[_order(order) for order in orders],
        positions=[
            _position(key, position)
            for key, position in sorted(record.account.positions().items())
            if not position.is_flat
        ],
        fills=fills[::-1],
    )


def follow_fills(config: "Config") -> Iterator[Row]:
    """Yield the account's fills, the oldest first, then each new one as it happens; never ends.

    Each has the account's `capital` after it: cash, and every position at the price of its last fill.

    Raises
    ------
    JournalError
        If the journal cannot be used, or a record does not fit the chain.
    """
    from decimal import Decimal

    from trading.account import Account
    from trading.events import OrderFilled
    from trading.identifiers import InstrumentId

    account = Account(config.account.initial_cash)
    prices: dict[InstrumentId, Decimal] = {}
    for event in _events(config, until=None, is_endless=True):
        is_new = isinstance(event, OrderFilled) and not account.has_fill(event.trade_id)
        realized = account.apply(event)
        if is_new:
            prices[event.instrument_id] = event.last_px
            yield {**_fill(event, realized), "capital": account.equity(prices)}


def _events(config: "Config", until: int | None, *, is_endless: bool = False) -> Iterator[Any]:
    """Yield the facts of the account's stream; an endless one waits for the next."""
    from actors.journal.open import open_journal
    from trading.codec import decode
    from trading.identifiers import AccountId, Venue, account_stream

    stream = account_stream(Venue(config.account.venue), AccountId(config.account.account_id))
    journal = open_journal(config.cluster.journal)
    after = 0
    try:
        while True:
            for record in journal.read(stream, after):
                if until is not None and record.seq > until:
                    return
                after = record.seq
                yield decode(record.payload)
            if not is_endless:
                return
            time.sleep(POLL_S)
    finally:
        journal.close()


def _picked(order: Row) -> Row:
    return {key: order.get(key, "") for key in ORDER_KEYS}


def _order(order: "Order") -> Row:
    from trading.broker.view import order_view

    return _picked({**order_view(order), "code": order.code})


def _position(key: str, position: Any) -> Row:
    """Without a running book there is no price, hence no value."""
    return {
        "instrument_id": key,
        "quantity": position.quantity,
        "avg_px": position.avg_px,
        "last_px": None,
        "value": None,
        "unrealized_pnl": None,
        "realized_pnl": position.realized_pnl,
    }


def _fill(fill: "OrderFilled", realized: Any) -> Row:
    return {
        "ts_event": fill.ts_event,
        "strategy_id": fill.strategy_id,
        "instrument_id": fill.instrument_id,
        "side": str(fill.side),
        "quantity": fill.last_qty,
        "price": fill.last_px,
        "commission": fill.commission,
        "realized_pnl": realized,
        "purpose": fill.purpose,
        "trade_id": fill.trade_id,
    }

"""Orders and fills of a snapshot: every open order, and the newest of the others."""

from collections.abc import Mapping
from typing import Any

from serve.desk.accounts import AccountViews, accounts_of
from serve.desk.answers import Fill, Order, moment
from serve.desk.view import ClusterSnapshot
from trading.identifiers import InstrumentId, symbol_of


def orders_of(snapshot: ClusterSnapshot) -> list[Order]:
    """Return the open orders, then the newest others; newest first."""
    found = [row for account in accounts_of(snapshot) for row in _orders(account)]
    return sorted(found, key=lambda row: (not row.is_open, -_at(row)))


def fills_of(snapshot: ClusterSnapshot) -> list[Fill]:
    """Return the newest fills of all accounts, newest first."""
    found = [
        _fill(account.account, row)
        for account in accounts_of(snapshot)
        for row in account.of("ledger").get("recent_fills", ())
    ]
    return sorted(found, key=lambda row: row.filled_at, reverse=True)


def _orders(account: AccountViews) -> list[Order]:
    working = account.of("broker").get("open_orders", ())
    known = {row["client_order_id"] for row in working}
    others = account.of("ledger").get("recent_orders", ())
    return [
        *(_order(account.account, row, is_open=True) for row in working),
        *(
            _order(account.account, row, is_open=False)
            for row in others
            if row["client_order_id"] not in known
        ),
    ]


def _order(account: str, row: Mapping[str, Any], *, is_open: bool) -> Order:
    key = InstrumentId(row["instrument_id"])
    return Order(
        client_order_id=row["client_order_id"],
        account=account,
        strategy_id=row["strategy_id"],
        instrument_id=key,
        symbol=symbol_of(key),
        side=row["side"],
        order_type=row.get("order_type", ""),
        time_in_force=row.get("time_in_force", ""),
        quantity=row["quantity"],
        filled_quantity=row["filled_qty"],
        average_price=row["avg_px"] or None,
        limit_price=row.get("price"),
        stop_price=row.get("trigger_price"),
        status=row["status"],
        code=row.get("code", ""),
        purpose=row["purpose"],
        updated_at=moment(row["ts_last"]) if row["ts_last"] else None,
        is_open=is_open,
    )


def _fill(account: str, row: Mapping[str, Any]) -> Fill:
    key = InstrumentId(row["instrument_id"])
    return Fill(
        trade_id=row["trade_id"],
        account=account,
        strategy_id=row["strategy_id"],
        instrument_id=key,
        symbol=symbol_of(key),
        side=row["side"],
        quantity=row["quantity"],
        price=row["price"],
        commission=row["commission"],
        realized_pnl=row["realized_pnl"],
        purpose=row["purpose"],
        filled_at=moment(row["ts_event"]),
        client_order_id=row.get("client_order_id", ""),
    )


def _at(row: Order) -> float:
    return 0.0 if row.updated_at is None else row.updated_at.timestamp()

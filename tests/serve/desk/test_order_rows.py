"""Orders and fills of a snapshot."""

from typing import Any

from serve.desk.order_rows import fills_of, orders_of
from serve.desk.view import ClusterSnapshot


def test_open_orders_come_first_and_each_order_once(one: ClusterSnapshot) -> None:
    rows = orders_of(one)
    broker: Any = one.machines["broker:paper:SIM"]
    working = {row["client_order_id"] for row in broker["open_orders"]}
    count = len(working)
    assert count >= 1
    assert {row.client_order_id for row in rows[:count]} == working
    assert all(row.is_open for row in rows[:count])
    assert not any(row.is_open for row in rows[count:])
    assert len({row.client_order_id for row in rows}) == len(rows)


def test_the_others_come_newest_first(one: ClusterSnapshot) -> None:
    moments = [row.updated_at for row in orders_of(one) if not row.is_open]
    assert moments == sorted(moments, reverse=True)  # type: ignore[type-var]


def test_a_working_order_shows_its_terms(one: ClusterSnapshot) -> None:
    (row,) = [row for row in orders_of(one) if row.is_open and row.strategy_id == "operator"]
    assert (row.symbol, row.side, row.order_type, row.time_in_force) == (
        "KO",
        "BUY",
        "LIMIT",
        "GTC",
    )
    assert (row.quantity, row.filled_quantity, row.limit_price) == (7, 0, 40)
    assert (row.average_price, row.purpose, row.status) == (None, "manual", "ACCEPTED")


def test_fills_come_newest_first_and_add_up_to_the_orders(one: ClusterSnapshot) -> None:
    fills = fills_of(one)
    moments = [fill.filled_at for fill in fills]
    assert moments == sorted(moments, reverse=True)
    (by_hand,) = [fill for fill in fills if fill.strategy_id == "operator"]
    assert (by_hand.quantity, by_hand.side, by_hand.account) == (10, "BUY", "SIM")
    filled = sum(row.filled_quantity for row in orders_of(one))
    assert sum(fill.quantity for fill in fills) == filled


def test_rows_of_all_accounts_are_shown(two: ClusterSnapshot) -> None:
    assert {row.account for row in orders_of(two)} == {"SIM", "TWO"}
    assert {fill.account for fill in fills_of(two)} == {"SIM", "TWO"}


def test_while_machines_are_down_there_are_no_rows(down: ClusterSnapshot) -> None:
    assert (orders_of(down), fills_of(down)) == ([], [])

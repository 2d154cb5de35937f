"""From the words of a tool to an order, and back to the words of a question."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from serve.desk.port import NewOrder, Preview
from serve.desk.view import ClusterSnapshot
from serve.mcp.holdings import require_running
from serve.mcp.refusal import nearest
from serve.mcp.untrusted import one_line
from trading.errors import UsageError
from trading.values import OrderSide, OrderType, TimeInForce

if TYPE_CHECKING:
    from serve.desk.front_desk import FrontDesk

ORDER_TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP_MARKET,
    "stop_loss": OrderType.STOP_MARKET,
    "stop_limit": OrderType.STOP_LIMIT,
    "trailing_stop": OrderType.TRAILING_STOP_MARKET,
}
OPERATOR = frozenset({"", "operator", "manual"})
"""In nobody's name: the orders of people."""


def side_of(action: str) -> OrderSide:
    """Return the side. Raises `UsageError`."""
    sides = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
    found = sides.get(action.strip().lower())
    if found is None:
        raise UsageError(f"The action {action!r} is none; write buy or sell.")
    return found


def order_type_of(text: str) -> OrderType:
    """Return the type. Raises `UsageError`."""
    found = ORDER_TYPES.get(text.strip().lower())
    if found is None:
        raise UsageError(f"There is no order type {text!r}; {nearest(text, ORDER_TYPES)}")
    return found


def time_in_force_of(text: str) -> TimeInForce:
    """Return how long it stands. Raises `UsageError`."""
    try:
        return TimeInForce(text.strip().upper())
    except ValueError:
        known = [each.value.lower() for each in TimeInForce]
        raise UsageError(f"There is no time in force {text!r}; {nearest(text, known)}") from None


def owner_of(snapshot: ClusterSnapshot, strategy: str) -> str:
    """Return in whose name an order is: that of a running strategy, or nobody's.

    Raises
    ------
    NotFound
        If this cluster runs no such strategy.
    """
    return "" if strategy.lower() in OPERATOR else require_running(snapshot, strategy)


def described(order: NewOrder, preview: Preview) -> str:
    """Return an order in words."""
    terms = [
        f"{name} {value:f}"
        for name, value in (
            ("limit", order.limit_price),
            ("stop", order.stop_price),
            ("trailing by", order.trailing_offset),
        )
        if value is not None
    ]
    owner = f" in the name of {one_line(order.strategy, 64)}" if order.strategy else ""
    return (
        f"{order.side} {order.quantity:f} {preview.instrument_id} "
        f"{order.order_type}{''.join(f', {term}' for term in terms)}, {order.time_in_force}{owner}: "
        f"price now {_money(preview.reference_price)}, value about {_money(preview.estimated_value)}, "
        f"cost about {_money(preview.estimated_cost)}; position {preview.position_before:f} -> "
        f"{preview.position_after:f}."
    )


def question_of(
    desk: "FrontDesk", orders: Sequence[tuple[NewOrder, Preview]], purpose: str = "Place"
) -> str:
    """Return what a person is asked before orders are sent."""
    lines = [f"{place_of(desk)} {purpose} {len(orders)} order{'s' * (len(orders) > 1)}?"]
    for order, preview in orders:
        lines.append(f"- {described(order, preview)}")
        lines += [f"  Risk objects: {one_line(each, 300)}" for each in preview.objections]
    return "\n".join(lines)


def place_of(desk: "FrontDesk") -> str:
    """Name accounts and mode: the first thing that a person must see."""
    from serve.desk.portfolio import portfolio_of

    accounts = ", ".join(each.account for each in portfolio_of(desk.trading.snapshot()).accounts)
    money = "REAL MONEY" if desk.trading.mode == "live" else "paper, no real money"
    return f"[{desk.trading.mode.upper()}: {money}; account {accounts}]"


def _money(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"

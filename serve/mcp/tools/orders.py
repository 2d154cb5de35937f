"""Look at orders, cancel them, give them new terms."""

from decimal import Decimal
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.answers import OrderReceipt, OrderStory, moment
from serve.desk.order_rows import fills_of, orders_of
from serve.desk.port import Replacement
from serve.mcp.answers import Canceled, Orders
from serve.mcp.call import Caller
from serve.mcp.confirmation import Answer, Confirm, ask
from serve.mcp.tool import TRADE, tool
from serve.mcp.toolsets import Toolset
from serve.mcp.trade_terms import place_of
from serve.mcp.untrusted import one_line
from trading.errors import UsageError

OrderId = Annotated[str, Field(min_length=1, max_length=128)]
Reason = Annotated[str, Field(max_length=300, description="Why; it is recorded.")]
NewPrice = Annotated[Decimal | None, Field(gt=0)]


@tool(Toolset.TRADING, is_core=True)
def list_orders(
    call: Caller,
    *,
    is_open: Annotated[bool, Field(description="Working orders alone.")] = False,
    limit: Annotated[int, Field(ge=1, le=500)] = 50,
) -> Orders:
    """List orders, working ones first, and the newest fills."""
    snapshot = call.desk.trading.snapshot()
    orders = [row for row in orders_of(snapshot) if row.is_open or not is_open]
    return Orders(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        orders=orders[:limit],
        fills=fills_of(snapshot)[:limit],
    )


@tool(Toolset.TRADING, is_core=True)
def get_order(call: Caller, client_order_id: OrderId) -> OrderStory:
    """Tell the whole story of an order: who asked, what risk said, what the venue did."""
    return call.desk.trading.story(client_order_id)


@tool(Toolset.TRADING, TRADE, is_core=True, changes=True, is_idempotent=True, is_open_world=True)
def cancel_order(call: Caller, client_order_id: OrderId, reason: Reason = "") -> OrderReceipt:
    """Ask for the end of a working order; what was filled stays."""
    return call.desk.trading.cancel(client_order_id, call.by, one_line(reason, 300))


@tool(Toolset.TRADING, TRADE, changes=True, is_idempotent=True, is_open_world=True)
def cancel_all_orders(call: Caller, strategy: str = "", reason: Reason = "") -> Canceled:
    """Ask for the end of every working order, or of those of one strategy."""
    count = call.desk.trading.cancel_all(call.by, one_line(reason, 300), strategy)
    snapshot = call.desk.trading.snapshot()
    return Canceled(source=source_of(snapshot), as_of=moment(snapshot.clock_ns), asked_for=count)


def ask_to_replace(
    call: Caller,
    context: Context[Any, Any],
    *,
    client_order_id: str,
    quantity: Decimal | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
) -> Elicit[Confirm]:
    """Show the person the old and the new terms."""
    terms = _terms(quantity, limit_price, stop_price)

    def question() -> str:
        order = call.desk.trading.story(client_order_id).order
        old = f"quantity {order.quantity}, limit {order.limit_price}, stop {order.stop_price}"
        new = ", ".join(
            f"{name} {value:f}" for name, value in terms.model_dump(exclude_none=True).items()
        )
        return (
            f"{place_of(call.desk)} Change the order {order.client_order_id} ({order.side} "
            f"{order.instrument_id}, {order.status})?\n- now: {old}\n- then: {new}"
        )

    return ask(call, context, question)


@tool(Toolset.TRADING, TRADE, changes=True, is_destructive=True, is_open_world=True)
def replace_order(
    call: Caller,
    answer: Annotated[Answer, Resolve(ask_to_replace)],
    *,
    client_order_id: OrderId,
    quantity: Annotated[
        Decimal | None, Field(gt=0, description="The whole, filled part included.")
    ] = None,
    limit_price: NewPrice = None,
    stop_price: NewPrice = None,
) -> OrderReceipt:
    """Give a working order new terms, after the person said yes; what is left out stays."""
    terms = _terms(quantity, limit_price, stop_price)
    return call.desk.trading.replace(client_order_id, terms, call.by)


def _terms(
    quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
) -> Replacement:
    if quantity is None and limit_price is None and stop_price is None:
        raise UsageError("Give quantity, limit_price or stop_price; nothing would change.")
    return Replacement(quantity=quantity, limit_price=limit_price, stop_price=stop_price)

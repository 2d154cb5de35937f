"""Simulate and place orders. What is sent, a person has said yes to."""

from decimal import Decimal
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.answers import OrderReceipt, moment
from serve.desk.port import NewOrder, Preview
from serve.mcp.answers import ExecutedTrade, ExecutedTrades, SizedTrade, TradeSimulation
from serve.mcp.call import Call, Caller
from serve.mcp.confirmation import Answer, Confirm, NotConfirmed, ask
from serve.mcp.device import UseGpu, on_cpu
from serve.mcp.tool import TRADE, tool
from serve.mcp.toolsets import Toolset
from serve.mcp.trade_terms import (
    order_type_of,
    owner_of,
    question_of,
    side_of,
    time_in_force_of,
)
from serve.mcp.untrusted import one_line
from trading.errors import OrderRefused, TradingError, UsageError
from trading.values import OrderStatus

DRIFT_MAX = Decimal("0.01")
"""How far the price may have moved since the question that a person said yes to."""
TRADES_MAX = 20
REFUSED = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})

Owner = Annotated[
    str, Field(max_length=64, description="A running strategy, or operator: in nobody's name.")
]
Symbol = Annotated[str, Field(max_length=64)]
Action = Annotated[str, Field(max_length=8, description="buy or sell")]
Quantity = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), description="Units.")]
Price = Annotated[Decimal | None, Field(gt=0)]
OrderKind = Annotated[
    str, Field(max_length=16, description="market, limit, stop_loss, stop_limit, trailing_stop")
]
Key = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[\w.:-]*$",
        description="Idempotency key: used again, nothing is sent twice.",
    ),
]


class TradeRefused(OrderRefused):
    """Our rules or the venue said no to an order; `code` is theirs."""

    def __init__(self, receipt: OrderReceipt) -> None:
        reason = one_line(receipt.reason, 500) or f"The order is {receipt.status}."
        super().__init__(f"{reason} (order {receipt.client_order_id})")
        self.code = receipt.code or OrderRefused.code  # type: ignore[misc]  # of this one


@tool(Toolset.TRADING, is_core=True)
def simulate_trade(
    call: Caller,
    *,
    strategy: Owner,
    symbol: Symbol,
    action: Action,
    quantity: Quantity = Decimal(1),
    order_type: OrderKind = "market",
    limit_price: Price = None,
    stop_price: Price = None,
    use_gpu: UseGpu = False,
) -> TradeSimulation:
    """Say what an order would do and what speaks against it. Sends nothing, asks nobody."""
    order = _order(call, strategy, symbol, action, quantity, order_type, limit_price, stop_price)
    found = call.desk.trading.preview(order)
    snapshot = call.desk.trading.snapshot()
    return TradeSimulation(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        strategy=order.strategy,
        account_mode=call.desk.trading.mode,
        instrument_id=found.instrument_id,
        side=found.side,
        quantity=found.quantity,
        reference_price=found.reference_price,
        estimated_value=found.estimated_value,
        estimated_cost=found.estimated_cost,
        position_before=found.position_before,
        position_after=found.position_after,
        cash_after=found.cash_after,
        is_allowed=found.is_allowed,
        objections=found.objections,
        processing=on_cpu(use_gpu).model_dump(),
    )


def ask_to_trade(
    call: Caller,
    context: Context[Any, Any],
    *,
    strategy: str,
    symbol: str,
    action: str,
    quantity: Decimal,
    order_type: str,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    time_in_force: str,
) -> Elicit[Confirm]:
    """Show the person the order, its value and what risk says of it."""
    order = _order(call, strategy, symbol, action, quantity, order_type, limit_price, stop_price)
    order = order.model_copy(update={"time_in_force": time_in_force_of(time_in_force)})

    def question() -> str:
        found = call.desk.trading.preview(order)
        _pin_price(call, order.symbol, found)
        return question_of(call.desk, [(order, found)])

    return ask(call, context, question)


@tool(Toolset.TRADING, TRADE, is_core=True, changes=True, is_destructive=True, is_open_world=True)
def execute_trade(
    call: Caller,
    answer: Annotated[Answer, Resolve(ask_to_trade)],
    *,
    strategy: Owner,
    symbol: Symbol,
    action: Action,
    quantity: Quantity,
    order_type: OrderKind = "market",
    limit_price: Price = None,
    stop_price: Price = None,
    time_in_force: str = "day",
    client_order_id: Key = "",
) -> ExecutedTrade:
    """Place an order, after the person in front of you said yes. Risk has the last word; the answer says what became of it."""
    order = _order(call, strategy, symbol, action, quantity, order_type, limit_price, stop_price)
    order = order.model_copy(update={"time_in_force": time_in_force_of(time_in_force)})
    _require_price_near(call, order)
    return _sent(call, order, call.key(client_order_id))


def ask_to_trade_many(
    call: Caller,
    context: Context[Any, Any],
    *,
    trades: list[SizedTrade],
    strategy: str,
    risk_limit: Decimal | None,
) -> Elicit[Confirm]:
    """Show the person all orders at once."""
    orders = _orders(call, trades, strategy)

    def question() -> str:
        found = [(order, call.desk.trading.preview(order)) for order in orders]
        _require_value_below(found, risk_limit)
        for order, preview in found:
            _pin_price(call, order.symbol, preview)
        return question_of(call.desk, found)

    return ask(call, context, question)


@tool(Toolset.TRADING, TRADE, changes=True, is_destructive=True, is_open_world=True)
def execute_multi_asset_trade(
    call: Caller,
    answer: Annotated[Answer, Resolve(ask_to_trade_many)],
    *,
    trades: Annotated[list[SizedTrade], Field(min_length=1, max_length=TRADES_MAX)],
    strategy: Owner,
    risk_limit: Annotated[
        Decimal | None, Field(gt=0, description="Refuse all when their values add up to more.")
    ] = None,
    execute_parallel: bool = True,
    client_order_id: Key = "",
) -> ExecutedTrades:
    """Place several orders after one yes. Not one transaction: each is accepted or refused by itself; execute_parallel=false stops at the first refusal."""
    orders = _orders(call, trades, strategy)
    _require_value_below(
        [(order, call.desk.trading.preview(order)) for order in orders], risk_limit
    )
    for order in orders:
        _require_price_near(call, order)
    done: list[ExecutedTrade] = []
    refused: list[str] = []
    for number, order in enumerate(orders, 1):
        try:
            done.append(_sent(call, order, call.key(client_order_id, str(number))))
        except TradingError as error:
            refused.append(f"{order.symbol}: {error} [{error.code}]")
            if not execute_parallel:
                break
    snapshot = call.desk.trading.snapshot()
    return ExecutedTrades(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        execution_mode="each by itself" if execute_parallel else "until the first refusal",
        results=done,
        refused=refused,
        total_value=sum((_value(each) for each in done), Decimal(0)),
        risk_limit=risk_limit,
    )


def _order(
    call: Call,
    strategy: str,
    symbol: str,
    action: str,
    quantity: Decimal,
    order_type: str = "market",
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> NewOrder:
    return NewOrder(
        symbol=symbol,
        side=side_of(action),
        quantity=quantity,
        order_type=order_type_of(order_type),
        limit_price=limit_price,
        stop_price=stop_price,
        strategy=owner_of(call.desk.trading.snapshot(), strategy),
    )


def _orders(call: Call, trades: list[SizedTrade], strategy: str) -> list[NewOrder]:
    return [
        _order(
            call,
            strategy,
            each.symbol,
            each.action,
            each.quantity,
            "market" if each.price is None else "limit",
            each.price,
        )
        for each in trades
    ]


def _sent(call: Call, order: NewOrder, key: str) -> ExecutedTrade:
    desk = call.desk.trading
    receipt = desk.submit(order, call.by, key, call.correlation_id)
    if receipt.status in REFUSED:
        raise TradeRefused(receipt)
    return ExecutedTrade(
        **{
            **receipt.model_dump(),
            "reason": one_line(receipt.reason, 500),
        },
        account_mode=desk.mode,
        idempotency_key=key,
        what_next=""
        if receipt.is_final
        else f"get_order(client_order_id={receipt.client_order_id!r})",
    )


def _pin_price(call: Call, symbol: str, found: Preview) -> None:
    call.ticket.once(f"price {symbol}", lambda: str(found.reference_price or ""))


def _require_price_near(call: Call, order: NewOrder) -> None:
    """Check that the person said yes to about this price. A price of the order itself speaks for itself."""
    told = call.ticket.once(f"price {order.symbol}", str)
    found = call.desk.trading.preview(order).reference_price
    if not told or found is None or order.limit_price is not None:
        return
    before = Decimal(told)
    if abs(found - before) > DRIFT_MAX * before:
        raise NotConfirmed(
            f"{order.symbol} was at {before:f} when the person said yes and is at {found:f} now; nothing was sent, "
            "ask again."
        )


def _require_value_below(found: list[tuple[NewOrder, Preview]], risk_limit: Decimal | None) -> None:
    values = [preview.estimated_value for _, preview in found]
    if risk_limit is None:
        return
    if None in values:
        raise UsageError(
            "risk_limit cannot be checked: a symbol has no price yet; nothing was sent."
        )
    total = sum((abs(value) for value in values if value is not None), Decimal(0))
    if total > risk_limit:
        raise UsageError(
            f"The orders are worth {total:,.2f}, more than risk_limit {risk_limit:,.2f}; nothing was sent."
        )


def _value(trade: ExecutedTrade) -> Decimal:
    return trade.filled_quantity * (trade.average_price or Decimal(0))

"""Let one strategy stop and another one trade, by the means that the running risk manager obeys."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.answers import OrderReceipt, moment
from serve.desk.port import NewOrder
from serve.desk.principal import Permission, trading_permission
from serve.mcp.answers import SwitchedStrategy
from serve.mcp.call import Call, Caller
from serve.mcp.confirmation import Answer, Confirm, ask
from serve.mcp.holdings import holdings_of, require_running
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset
from serve.mcp.trade_terms import place_of
from trading.errors import TradingError, UsageError
from trading.identifiers import InstrumentId, symbol_of
from trading.values import OrderSide

NOTHING = "0.01"
"""Of exposure (account currency): less than one unit of anything. A limit of 0 there is none."""
StrategyId = Annotated[str, Field(max_length=64, description="As get_portfolio_status names it.")]


def ask_to_switch(
    call: Caller,
    context: Context[Any, Any],
    *,
    from_strategy: str,
    to_strategy: str,
    close_positions: bool,
) -> Elicit[Confirm]:
    """Show the person what stops, what goes on, and what would be closed."""
    _require_able(call, from_strategy, to_strategy, close_positions)

    def question() -> str:
        held = holdings_of(call.desk.trading.snapshot(), from_strategy)
        rows = "\n".join(f"- {units:f} {name}" for name, units in held.items() if units)
        fate = "closed at the market" if close_positions else "left to its exits"
        return (
            f"{place_of(call.desk)} Stop {from_strategy} from opening anything, and let {to_strategy} trade? "
            f"What {from_strategy} holds is {fate}:\n{rows or '- nothing'}"
        )

    return ask(call, context, question)


@tool(
    Toolset.STRATEGY,
    Permission.RISK_ADMIN,
    changes=True,
    is_destructive=True,
    is_open_world=True,
)
def switch_active_strategy(
    call: Caller,
    answer: Annotated[Answer, Resolve(ask_to_switch)],
    *,
    from_strategy: StrategyId,
    to_strategy: StrategyId,
    close_positions: bool = False,
) -> SwitchedStrategy:
    """Let one running strategy open nothing more (limit max_strategy_exposure.NAME) and lift that of another, when the person said yes."""
    _require_able(call, from_strategy, to_strategy, close_positions)
    desk = call.desk.trading
    reason = f"switched from {from_strategy} to {to_strategy}"
    stopped = desk.change_limit(_limit(from_strategy), NOTHING, call.by, reason)
    released = desk.change_limit(_limit(to_strategy), "", call.by, reason)
    snapshot = desk.snapshot()
    held = {name: units for name, units in holdings_of(snapshot, from_strategy).items() if units}
    receipts, refused = _closed(call, from_strategy, held) if close_positions else ([], [])
    return SwitchedStrategy(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        from_strategy=from_strategy,
        to_strategy=to_strategy,
        stopped_by=stopped,
        released=released,
        positions_affected={str(name): units for name, units in held.items()},
        closing_orders=receipts,
        not_closed=refused,
    )


def _require_able(call: Call, from_strategy: str, to_strategy: str, close_positions: bool) -> None:
    """Find out before anything is changed what would stop it half way."""
    if close_positions:
        call.by.require(trading_permission(call.desk.trading.mode))
    if from_strategy == to_strategy:
        raise UsageError(f"{from_strategy} cannot be switched with itself.")
    snapshot = call.desk.trading.snapshot()
    for name in (from_strategy, to_strategy):
        require_running(snapshot, name)


def _limit(strategy: str) -> str:
    return f"max_strategy_exposure.{strategy}"


def _closed(
    call: Call, strategy: str, held: Mapping[InstrumentId, Decimal]
) -> tuple[list[OrderReceipt], list[str]]:
    """Take back what it holds by market orders that only reduce."""
    receipts: list[OrderReceipt] = []
    refused: list[str] = []
    for name, units in held.items():
        order = NewOrder(
            symbol=str(name),
            side=OrderSide.SELL if units > 0 else OrderSide.BUY,
            quantity=abs(units),
            strategy=strategy,
            reduce_only=True,
        )
        try:
            key = call.key("", f"close-{name}")
            receipts.append(call.desk.trading.submit(order, call.by, key, call.correlation_id))
        except TradingError as error:
            refused.append(f"{symbol_of(name)}: {error} [{error.code}]")
    return receipts, refused

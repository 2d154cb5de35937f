"""Answers that only agents get: what the desk's own models say, put together for one tool."""

from decimal import Decimal
from typing import Any

from pydantic import Field

from serve.desk.answers import (
    Answer,
    Fill,
    KillReport,
    LimitUse,
    Money,
    Order,
    OrderReceipt,
    Portfolio,
    Position,
    Provenance,
)


class Pong(Provenance):
    status: str = "ok"
    version: str
    cluster: str
    mode: str
    reason: str = Field(default="", description="Why the cluster does not answer.")


class PortfolioAnalytics(Answer):
    """Of all accounts together; None where a ledger is down."""

    total_return: float | None
    drawdown: float | None = Field(description="Of the account that fell most.")
    max_drawdown: float | None
    gross_leverage: float | None
    net_leverage: float | None
    largest_position_share: float | None = Field(description="Of the equity.")


class PortfolioStatus(Portfolio):
    portfolio_value: Money | None
    cash: Money | None
    advanced_analytics: PortfolioAnalytics | None = None


class Positions(Provenance):
    strategy: str = Field(description="Empty: of all.")
    positions: list[Position]
    total_value: Money


class Orders(Provenance):
    orders: list[Order]
    fills: list[Fill]


class TradeSimulation(Provenance):
    """Nothing was sent."""

    strategy: str
    account_mode: str
    instrument_id: str
    side: str
    quantity: Money
    reference_price: Money | None
    estimated_value: Money | None
    estimated_cost: Money | None
    position_before: Money
    position_after: Money
    cash_after: Money | None
    is_allowed: bool
    objections: list[str]
    processing: dict[str, Any]


class ExecutedTrade(OrderReceipt):
    account_mode: str
    idempotency_key: str = Field(
        description="Send it again as client_order_id: nothing is sent twice."
    )
    what_next: str


class ExecutedTrades(Provenance):
    execution_mode: str
    results: list[ExecutedTrade]
    refused: list[str] = Field(description="One sentence for each that was not accepted.")
    total_value: Money
    risk_limit: Money | None


class Canceled(Provenance):
    asked_for: int = Field(description="Working orders whose end was asked for.")


class TradingSwitch(Provenance):
    trading_state: str
    is_killed: bool
    reason: str


class Killed(Provenance):
    accounts: list[KillReport]
    what_next: str = "Only a person can let trading go on: resume_trading."


class SwitchedStrategy(Provenance):
    from_strategy: str
    to_strategy: str
    stopped_by: LimitUse = Field(description="What keeps the first from opening anything.")
    released: LimitUse
    positions_affected: dict[str, Money]
    closing_orders: list[OrderReceipt]
    not_closed: list[str] = Field(description="One sentence for each order that was refused.")


class Limits(Provenance):
    limits: list[LimitUse]


class ChangedLimit(Provenance):
    limit: LimitUse


class SizedTrade(Answer):
    """One order of several, as the caller writes it."""

    symbol: str = Field(max_length=64)
    action: str = Field(description="buy or sell")
    quantity: Decimal = Field(gt=0)
    price: Decimal | None = Field(default=None, gt=0, description="Limit price; none: market.")

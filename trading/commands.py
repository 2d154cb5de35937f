"""Commands: imperative, addressed, may be refused. Money and quantities are Decimal."""

from decimal import Decimal

from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
    VenueOrderId,
)
from trading.messages import Message
from trading.values import OrderSide, OrderType, TimeInForce, TradingState


class Command(Message, frozen=True, kw_only=True):
    """Base of commands."""


class SubmitOrder(Command, frozen=True, kw_only=True):
    """Ask for an order.

    Attributes
    ----------
    quantity : Decimal
        Units (> 0), a whole number of lots.
    price : Decimal or None
        Limit price; required for LIMIT and STOP_LIMIT, else None.
    trigger_price : Decimal or None
        Required for the STOP types, else None.
    trailing_offset : Decimal or None
        Distance of a TRAILING_STOP_MARKET from the best price seen, in price units (> 0).
    reduce_only : bool
        The order may only make the strategy's position smaller.
    purpose : str
        `target`, `stop_loss`, `trailing_stop`, `flatten`, `manual`.
    ts_signal : int
        `ts_init` of the market data that led to the order (ns UTC): start of tick-to-order latency.
    expires_at : int
        Host time (ns UTC) after which risk must not approve the order any more; 0 is never.
    arrival_px : Decimal or None
        The market price that the order was decided on: slippage is measured from it.
    """

    client_order_id: ClientOrderId
    account_id: AccountId
    strategy_id: StrategyId
    instrument_id: InstrumentId
    side: OrderSide
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    trailing_offset: Decimal | None = None
    reduce_only: bool = False
    post_only: bool = False
    purpose: str = "target"
    ts_signal: int = 0
    expires_at: int = 0
    arrival_px: Decimal | None = None


class RiskPermit(Command, frozen=True, kw_only=True):
    """The risk manager's signature under one order.

    Attributes
    ----------
    order_hash : str
        Hash of the encoded `SubmitOrder` (hex).
    risk_epoch : int
        Lease epoch of the risk manager that signed.
    expires_at : int
        Host time (ns UTC), at most 2 s after signing.
    signature : str
        HMAC-SHA256 (hex) over the three fields above.
    """

    order_hash: str
    risk_epoch: int
    expires_at: int
    signature: str


class PermittedOrder(Command, frozen=True, kw_only=True):
    """An order with its permit: the only thing that a broker accepts."""

    order: SubmitOrder
    permit: RiskPermit


class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel one order. Needs no permit and always passes."""

    client_order_id: ClientOrderId
    account_id: AccountId
    venue_order_id: VenueOrderId | None = None
    reason: str = ""


class ReplaceOrder(Command, frozen=True, kw_only=True):
    """Change quantity, price or trigger of a working order; None leaves the field as it is."""

    client_order_id: ClientOrderId
    account_id: AccountId
    venue_order_id: VenueOrderId | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None


class PermittedReplace(Command, frozen=True, kw_only=True):
    """A replacement with its permit (it may raise exposure, so risk signs it too)."""

    replace: ReplaceOrder
    permit: RiskPermit


class CancelAllOrders(Command, frozen=True, kw_only=True):
    """Cancel every working order of an account, or of one strategy in it."""

    account_id: AccountId
    strategy_id: StrategyId | None = None
    reason: str = ""


class SetTradingState(Command, frozen=True, kw_only=True):
    """An operator changes the trading state; `actor` and `reason` go into the journal."""

    state: TradingState
    actor: str
    reason: str


class AnnounceRisk(Command, frozen=True, kw_only=True):
    """A risk manager that took over tells the broker: permits of older epochs are void."""

    risk_epoch: int
    reply_to: MachineName


class RiskAcknowledged(Command, frozen=True, kw_only=True):
    """The broker's answer: older permits are void, and the account journal ends at `account_seq`."""

    risk_epoch: int
    account_seq: int


class Watermark(Command, frozen=True, kw_only=True):
    """`sender` has done all that follows from the bar slice `sequence`; travels behind its orders."""

    sequence: int
    sender: MachineName


class RequestBars(Command, frozen=True, kw_only=True):
    """Ask for the last `count` bar slices up to now; answered with `BarsHistory`."""

    count: int
    reply_to: MachineName


class RequestBook(Command, frozen=True, kw_only=True):
    """Ask a venue or feed for a fresh book snapshot after a gap."""

    instrument_id: InstrumentId
    reply_to: MachineName


class QueryOrder(Command, frozen=True, kw_only=True):
    """Ask the venue what became of one order."""

    client_order_id: ClientOrderId
    account_id: AccountId


class QueryMassStatus(Command, frozen=True, kw_only=True):
    """Ask the venue for open orders, executions after `since_trade_id`/`since`, positions, cash.

    Attributes
    ----------
    since : int
        Market time (ns UTC) from which executions are wanted; 0 is all.
    """

    account_id: AccountId
    since: int = 0


class VenueRequest(Command, frozen=True, kw_only=True):
    """Envelope on the wire between a venue adapter and the simulated exchange."""

    request_id: str
    reply_to: str
    body: SubmitOrder | CancelOrder | ReplaceOrder | CancelAllOrders | QueryOrder | QueryMassStatus

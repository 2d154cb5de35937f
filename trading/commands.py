"""Commands: imperative, addressed, may be refused. Money and quantities are Decimal."""

from decimal import Decimal

from trading.algorithms.parameters import Algorithm, Listing
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
    VenueOrderId,
)
from trading.messages import Message
from trading.values import OrderListKind, OrderSide, OrderType, TimeInForce, TradingState


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
    extended_hours : bool
        The order may also trade before the open and after the close.
    parent_order_id : ClientOrderId or None
        The order that this one is a part of: an order of an execution algorithm, or the entry of a list.
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
    extended_hours: bool = False
    parent_order_id: ClientOrderId | None = None


class SubmitOrderList(Command, frozen=True, kw_only=True):
    """Ask for orders that depend on each other: all of them, or none.

    Attributes
    ----------
    orders : tuple of SubmitOrder
        BRACKET: entry, take profit (LIMIT), stop loss (a STOP type); OTO: entry, exit; OCO: take profit,
        stop loss; MULTI_LEG: the legs, as MARKET or LIMIT orders without a price of their own. Every order but the
        first has `parent_order_id` = id of the first, and the id `identifiers.derive_leg_id` gives it: venues
        that name the legs themselves are understood by that.
    net_price : Decimal or None
        Of a MULTI_LEG list with a limit: what one unit of all legs costs (> 0) or brings (< 0).
    """

    kind: OrderListKind
    account_id: AccountId
    orders: tuple[SubmitOrder, ...]
    net_price: Decimal | None = None


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


class PermittedOrderList(Command, frozen=True, kw_only=True):
    """A list with one permit for all of it: its hash is that of the `SubmitOrderList`."""

    order_list: SubmitOrderList
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


VenueCall = (
    SubmitOrder
    | CancelOrder
    | ReplaceOrder
    | CancelAllOrders
    | QueryOrder
    | QueryMassStatus
    | SubmitOrderList
)
"""What a venue can be asked."""


class VenueRequest(Command, frozen=True, kw_only=True):
    """Envelope on the wire between a venue adapter and the simulated exchange."""

    request_id: str
    reply_to: str
    body: VenueCall


class ExecuteOrder(Command, frozen=True, kw_only=True):
    """Ask an execution desk to work a parent order; the parent itself never goes to a venue.

    Attributes
    ----------
    client_order_id : ClientOrderId
        Of the parent: the same id is worked once. Its children carry it as `parent_order_id`.
    side, quantity
        What is to be traded in all (units, > 0); of an OCO the side of the exit.
    listings : tuple of Listing
        Where it may trade: one for a bracket or an OCO, any number that share one quote currency otherwise.
    limit_price : Decimal or None
        No part trades worse; required for an iceberg. The exits of a bracket have prices of their own.
    expires_at : int
        Host time (ns UTC) after which no part is sent and what works is cancelled; 0 is never.
    time_in_force : TimeInForce
        Of children that rest: DAY or GTC.
    """

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    side: OrderSide
    quantity: Decimal
    listings: tuple[Listing, ...]
    algorithm: Algorithm
    limit_price: Decimal | None = None
    expires_at: int = 0
    time_in_force: TimeInForce = TimeInForce.DAY


class CancelExecution(Command, frozen=True, kw_only=True):
    """Stop working a parent order and cancel its children; what was filled stays."""

    client_order_id: ClientOrderId
    reason: str = ""

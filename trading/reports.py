"""What a venue says: on enquiry, or of its own accord. A report may repeat a fact; an event may not."""

from decimal import Decimal

from trading.identifiers import AccountId, ClientOrderId, InstrumentId, TradeId, VenueOrderId
from trading.messages import Message
from trading.values import ZERO, LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce


class Report(Message, frozen=True, kw_only=True):
    """Base of venue reports."""


class OrderStatusReport(Report, frozen=True, kw_only=True):
    """State of one order as the venue knows it.

    Attributes
    ----------
    status : OrderStatus
        ACCEPTED, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED or REJECTED.
    filled_qty, leaves_qty : Decimal
        Units.
    venue_seq : int
        The venue's own counter of this account's execution messages; 0 when it has none.
    """

    account_id: AccountId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    instrument_id: InstrumentId
    side: OrderSide
    order_type: OrderType
    time_in_force: TimeInForce
    status: OrderStatus
    quantity: Decimal
    filled_qty: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    is_triggered: bool = False
    code: str = ""
    reason: str = ""
    venue_seq: int = 0

    @property
    def leaves_qty(self) -> Decimal:
        return self.quantity - self.filled_qty


class FillReport(Report, frozen=True, kw_only=True):
    """One execution. `commission` is a cost when positive, in `currency`.

    `commission_qty` and `is_margined` are those of `OrderFilled`. Quantities are units of what is
    priced: adapters turn contracts into units by the multiplier of the instrument.
    """

    account_id: AccountId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    trade_id: TradeId
    instrument_id: InstrumentId
    side: OrderSide
    last_qty: Decimal
    last_px: Decimal
    commission: Decimal
    currency: str = "USD"
    liquidity_side: LiquiditySide = LiquiditySide.TAKER
    venue_seq: int = 0
    commission_qty: Decimal = ZERO
    is_margined: bool = False


class PositionReport(Report, frozen=True, kw_only=True):
    """Signed quantity (units; short is negative) and average price."""

    account_id: AccountId
    instrument_id: InstrumentId
    quantity: Decimal
    avg_px: Decimal


class AccountReport(Report, frozen=True, kw_only=True):
    """Cash of the account, in `currency`.

    Attributes
    ----------
    equity, buying_power : Decimal or None
        As the venue counts them; None when it does not say.
    balances : tuple of (currency, amount)
        Every currency that the account holds, total amounts; for people to look at.
    """

    account_id: AccountId
    cash: Decimal
    currency: str = "USD"
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    balances: tuple[tuple[str, Decimal], ...] = ()


class MassStatus(Report, frozen=True, kw_only=True):
    """Everything that a broker needs to reconcile: one consistent answer of the venue.

    `positions` and `account` are None where the venue cannot tell them (FIX order routing): then they are not
    compared.
    """

    account_id: AccountId
    open_orders: tuple[OrderStatusReport, ...]
    fills: tuple[FillReport, ...]
    positions: tuple[PositionReport, ...] | None
    account: AccountReport | None

"""The shapes of what Alpaca says, as far as we read them. Numbers are strings on its wire, or null, or missing."""

import msgspec

Number = str | int | float | None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order; of a list, the first one holds the others in `legs` when it was asked for `nested`.

    A multi-leg order of options is a frame without symbol and side; its legs are the orders.
    """

    id: str
    status: str
    client_order_id: str = ""
    symbol: str | None = None
    asset_class: str | None = None
    order_class: str | None = None
    type: str | None = None
    side: str | None = None
    time_in_force: str | None = None
    qty: Number = None
    filled_qty: Number = None
    limit_price: Number = None
    stop_price: Number = None
    submitted_at: str | None = None
    updated_at: str | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    legs: list["Order"] | None = None


class Frame(msgspec.Struct, frozen=True):
    """One message of the trading stream."""

    stream: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What the trading stream says of itself: which streams it sends, or whether the keys are good."""

    streams: list[str] = []
    status: str = ""


class TradeUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to `order`; price and quantity are of this one execution."""

    event: str
    order: Order
    timestamp: str | None = None
    execution_id: str | None = None
    price: Number = None
    qty: Number = None


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """FILL: one execution, `id` is `<time>::<execution id>`. CFEE: a fee taken, in coins when `qty` is not zero."""

    id: str
    activity_type: str
    transaction_time: str | None = None
    date: str | None = None
    symbol: str | None = None
    side: str | None = None
    order_id: str | None = None
    price: Number = None
    qty: Number = None
    cum_qty: Number = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    qty: Number
    avg_entry_price: Number = None
    side: str = "long"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    cash: Number
    currency: str = "USD"
    equity: Number = None
    buying_power: Number = None


class Clock(msgspec.Struct, frozen=True):
    timestamp: str


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    asset_class: str = msgspec.field(name="class")
    exchange: str = ""
    tradable: bool = False
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False
    min_order_size: Number = None
    min_trade_increment: Number = None
    price_increment: Number = None


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """An option contract; `size` is in shares."""

    symbol: str
    underlying_symbol: str
    expiration_date: str
    strike_price: Number
    type: str
    size: Number = "100"
    tradable: bool = True


class CancelResult(msgspec.Struct, frozen=True):
    """One line of the answer to a cancel-all."""

    id: str
    status: int

"""What TWS says, in our types: exact numbers, no object of the client library."""

from decimal import Decimal

import msgspec

from actors.venues.ib.error_codes import ErrorKind, error_kind
from trading.values import ZERO


class IbContract(msgspec.Struct, frozen=True, kw_only=True):
    """IB's name of an instrument. `expiry` is `YYYYMMDD`, `right` is `C` or `P`."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: Decimal = ZERO
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""


class ContractListing(msgspec.Struct, frozen=True, kw_only=True):
    """What IB says of a contract.

    Attributes
    ----------
    min_tick, size_increment, min_size : Decimal
    price_magnifier : int
        Prices are so many times the contract's currency (grains in cents: 100).
    trading_hours, liquid_hours : str
        `20261121:0930-20261121:1600;20261122:CLOSED;...` in `time_zone`.
    """

    contract: IbContract
    min_tick: Decimal = ZERO
    size_increment: Decimal = ZERO
    min_size: Decimal = ZERO
    price_magnifier: int = 1
    industry: str = ""
    under_symbol: str = ""
    time_zone: str = ""
    trading_hours: str = ""
    liquid_hours: str = ""
    real_expiry: str = ""


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as TWS has it. Quantities are contracts.

    Attributes
    ----------
    order_id : int
        Number in the session of `client_id`; other orders had it in other sessions.
    perm_id : int
        IB's own number of the order, for ever; 0 while it has none.
    status : str
        `Submitted`, `Filled` ...
    filled : Decimal or None
        Only completed orders say so here.
    """

    contract: IbContract
    order_id: int = 0
    client_id: int = 0
    perm_id: int = 0
    parent_id: int = 0
    account: str = ""
    action: str = ""
    quantity: Decimal = ZERO
    order_type: str = ""
    limit_price: Decimal | None = None
    aux_price: Decimal | None = None
    trail_stop_price: Decimal | None = None
    tif: str = ""
    order_ref: str = ""
    oca_group: str = ""
    oca_type: int = 0
    outside_rth: bool = False
    status: str = ""
    reason: str = ""
    filled: Decimal | None = None


class StatusUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """`orderStatus`: may repeat and may be left out by TWS."""

    order_id: int
    client_id: int
    perm_id: int
    status: str
    filled: Decimal
    why_held: str = ""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, or a correction of one. `time_ns` has whole seconds; `shares` are contracts."""

    contract: IbContract
    exec_id: str
    time_ns: int
    account: str
    side: str
    shares: Decimal
    price: Decimal
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str = ""
    liquidity: int = 0


class Commission(msgspec.Struct, frozen=True, kw_only=True):
    """What one execution cost; `amount` is None when IB does not say."""

    exec_id: str
    amount: Decimal | None
    currency: str


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A position in contracts; `avg_cost` is of one contract."""

    contract: IbContract
    account: str
    quantity: Decimal
    avg_cost: Decimal


class TwsError(msgspec.Struct, frozen=True, kw_only=True):
    """An error; `request_id` is that of a request or an order, or -1."""

    request_id: int
    code: int
    text: str

    @property
    def kind(self) -> ErrorKind:
        return error_kind(self.code)

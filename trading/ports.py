"""What the outside must offer, as protocols: owned by the side that uses them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from trading.commands import CancelAllOrders, CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import AccountId, ClientOrderId, VenueOrderId
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import OrderType, TimeInForce

VenueMessage = OrderStatusReport | FillReport | VenueConnected | VenueDisconnected


class VenueCapabilities(Protocol):
    """What a venue can do; the rest is refused by name."""

    @property
    def order_types(self) -> frozenset[OrderType]: ...

    @property
    def time_in_force(self) -> frozenset[TimeInForce]: ...

    @property
    def can_replace(self) -> bool: ...

    @property
    def can_cancel_all(self) -> bool: ...


class VenuePort(Protocol):
    """One connection to one account at one venue.

    Every call raises `VenueUnreachable` (nothing was sent), `VenueRefused` (the venue said no) or
    `OutcomeUnknown` (sent, no usable answer), and nothing else.
    """

    @property
    def capabilities(self) -> VenueCapabilities: ...

    async def connect(self, on_message: Callable[[VenueMessage], None]) -> None:
        """Open the session; `on_message` gets reports of the venue's own accord, from then on."""

    async def disconnect(self) -> None: ...

    async def submit(self, order: SubmitOrder) -> VenueOrderId: ...

    async def cancel(self, cancel: CancelOrder) -> None: ...

    async def replace(self, replace: ReplaceOrder) -> OrderStatusReport: ...

    async def cancel_all(self, cancel: CancelAllOrders) -> tuple[ClientOrderId, ...]: ...

    async def order_status(
        self, account_id: AccountId, client_order_id: ClientOrderId
    ) -> OrderStatusReport | None:
        """None when the venue says that it does not know the order."""

    async def mass_status(self, account_id: AccountId, since: int) -> MassStatus: ...

    async def open_orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]: ...

    async def executions_since(
        self, account_id: AccountId, since: int
    ) -> tuple[FillReport, ...]: ...

    async def positions(self, account_id: AccountId) -> tuple[PositionReport, ...]: ...

    async def account(self, account_id: AccountId) -> AccountReport: ...


class FeeModel(Protocol):
    def commission(self, quantity: Decimal, price: Decimal, *, is_maker: bool) -> Decimal: ...

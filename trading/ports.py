"""What the outside must offer, as protocols: owned by the side that uses them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from trading.capabilities import VenueCapabilities
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, VenueOrderId
from trading.instruments import Instrument
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import DataKind

VenueMessage = OrderStatusReport | FillReport | VenueConnected | VenueDisconnected | VenueClockRead
FeedMessage = (
    QuoteTick | TradeTick | Bar | BookDelta | BookSnapshot | VenueConnected | VenueDisconnected
)


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

    async def submit_list(self, order_list: SubmitOrderList) -> tuple[VenueOrderId, ...]:
        """Submit all orders of the list or none; ids in the order of the list.

        Only for kinds that the capabilities name.
        """

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


class Subscription(msgspec.Struct, frozen=True):
    """What a feed shall stream; `interval_ns` is the length of bars."""

    instrument_id: InstrumentId
    kind: DataKind
    interval_ns: int = 0


class MarketDataPort(Protocol):
    """One connection for market data. Errors as of `VenuePort`; history that is not there is an empty tuple.

    The stream begins with `VenueConnected` and says `VenueDisconnected` when it breaks; nothing is replayed
    in between, and a book begins again with a `BookSnapshot`. `ts_event` is the venue's time, `ts_init` ours.
    """

    async def connect(self, on_message: Callable[[FeedMessage], None]) -> None:
        """Open the stream and keep it open; subscriptions are kept over a reconnect."""

    async def disconnect(self) -> None: ...

    async def subscribe(self, subscriptions: tuple[Subscription, ...]) -> None: ...

    async def unsubscribe(self, subscriptions: tuple[Subscription, ...]) -> None: ...

    async def instruments(self, symbols: tuple[str, ...]) -> tuple[Instrument, ...]:
        """Return what the venue says of these symbols.

        Raises
        ------
        VenueRefused
            If a symbol is unknown, or means more than one thing; the reason lists the candidates.
        """

    async def book(self, instrument_id: InstrumentId) -> BookSnapshot: ...

    async def bars(
        self, instrument_id: InstrumentId, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        """Return bars that closed in [start, end] (ns UTC), oldest first; `ts_event` is the close."""

    async def quotes(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[QuoteTick, ...]: ...

    async def trades(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[TradeTick, ...]: ...


class FeeModel(Protocol):
    def commission(self, quantity: Decimal, price: Decimal, *, is_maker: bool) -> Decimal: ...

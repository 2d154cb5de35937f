"""One account at Interactive Brokers behind the port that every venue offers."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from actors.venues.ib.capabilities import CAPABILITIES
from actors.venues.ib.config import IbOptions, check_options
from actors.venues.ib.connection import ACCOUNT_MESSAGES, Connection, Listener
from actors.venues.ib.contract_book import ContractBook
from actors.venues.ib.enquiries import Enquiries
from actors.venues.ib.link import Link, LinkUser
from actors.venues.ib.order_entry import OrderEntry
from actors.venues.ib.order_lists import OrderLists
from actors.venues.ib.reporting import Reporting
from actors.venues.profile import VenueSettings
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.errors import AuthError, ConfigError
from trading.identifiers import AccountId, ClientOrderId, VenueOrderId
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import VenueMessage, VenuePort
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)

log = logging.getLogger(__name__)

_PAPER_PREFIX = "D"


class IbExecution:
    """Talks to TWS or IB Gateway; used in one event loop.

    Our `client_order_id` travels as `orderRef`, IB's `permId` is the `venue_order_id`; order numbers of TWS
    count within one session alone.

    Parameters
    ----------
    account : str
        IB's code of the account.
    """

    def __init__(self, settings: VenueSettings, options: IbOptions, account: str) -> None:
        self.capabilities = CAPABILITIES
        self._options = options
        self._account = account
        self._on_message: Callable[[VenueMessage], None] | None = None
        self._contracts = ContractBook(settings.instruments, options.currency)
        self._reporting = Reporting(
            settings.account_id, account, options, self._contracts, self._tell
        )
        self._enquiries = Enquiries(settings.account_id, account, self._contracts, self._reporting)
        self._entry = OrderEntry(
            account, options, self._contracts, self._reporting, self._enquiries
        )
        self._lists = OrderLists(self._entry, self._reporting, self._enquiries)
        listener = Listener(self._reporting.on_order, self._reporting.on_error, self._on_unreadable)
        user = LinkUser(self._prepare, self._tell, listener)
        self._link = Link(options, options.client_id, user)

    # -- the session

    async def connect(self, on_message: Callable[[VenueMessage], None]) -> None:
        """Begin to connect, and go on trying; `VenueConnected` tells when IB is there."""
        self._on_message = on_message
        self._link.start()

    async def disconnect(self) -> None:
        """Close the session for good; open calls end as unknown."""
        await self._link.stop()
        await self._reporting.stop()
        self._on_message = None

    async def _prepare(self, connection: Connection, is_new: bool) -> None:
        """Check the account, and learn what TWS knows before anything is told or sent."""
        if self._account not in connection.accounts:
            known = ", ".join(connection.accounts)
            raise AuthError(f"TWS is logged in to {known}, not to account {self._account}")
        self._reporting.begin(connection)
        await self._contracts.load(connection)
        await self._enquiries.learn(connection)
        own = self._options.client_id
        connection.use_ids_above(
            max(
                self._reporting.orders.highest_order_id(own),
                self._reporting.fills.highest_order_id(own),
            )
        )

    def _tell(self, message: VenueMessage) -> None:
        if isinstance(message, VenueConnected):
            self._reporting.is_muted = False
        if isinstance(message, VenueDisconnected):
            self._reporting.lost(message.reason)
        if self._on_message is not None:
            self._on_message(message)

    def _on_unreadable(self, kind: str, reason: str) -> None:
        log.warning("a message of kind %s from TWS cannot be read: %s", kind[:20], reason)
        if kind in ACCOUNT_MESSAGES:
            self._reporting.missed()

    # -- orders

    async def submit(self, order: SubmitOrder) -> VenueOrderId:
        return await self._entry.submit(self._link.connection(), order)

    async def submit_list(self, order_list: SubmitOrderList) -> tuple[VenueOrderId, ...]:
        return await self._lists.submit(self._link.connection(), order_list)

    async def cancel(self, cancel: CancelOrder) -> None:
        await self._entry.cancel(self._link.connection(), cancel)

    async def replace(self, replace: ReplaceOrder) -> OrderStatusReport:
        return await self._entry.replace(self._link.connection(), replace)

    async def cancel_all(self, cancel: CancelAllOrders) -> tuple[ClientOrderId, ...]:
        return await self._entry.cancel_all(self._link.connection(), cancel)

    # -- questions

    async def order_status(
        self, account_id: AccountId, client_order_id: ClientOrderId
    ) -> OrderStatusReport | None:
        return await self._enquiries.order_status(self._link.connection(), client_order_id)

    async def mass_status(self, account_id: AccountId, since: int) -> MassStatus:
        return await self._enquiries.mass_status(self._link.connection(), since)

    async def open_orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]:
        return await self._enquiries.open_orders(self._link.connection())

    async def executions_since(self, account_id: AccountId, since: int) -> tuple[FillReport, ...]:
        return await self._enquiries.executions(self._link.connection(), since)

    async def positions(self, account_id: AccountId) -> tuple[PositionReport, ...]:
        return await self._enquiries.positions(self._link.connection())

    async def account(self, account_id: AccountId) -> AccountReport:
        return await self._enquiries.account(self._link.connection())


def open_execution(settings: VenueSettings) -> VenuePort:
    """Return the adapter for one account; not connected yet.

    Raises
    ------
    ConfigError
        If an option is wrong, or the account is one for real money and the cluster is not live, or the reverse.
    """
    options = check_options(settings.read_options(IbOptions))
    account = options.account or settings.account_id
    is_paper = account.upper().startswith(_PAPER_PREFIX)
    if settings.is_live and is_paper:
        raise ConfigError(
            f"{account} is a paper account of IB, and the cluster is set to live trading."
        )
    if not settings.is_live and not is_paper:
        raise ConfigError(
            f"{account} is not a paper account of IB (their codes begin with D); live trading is off."
        )
    return IbExecution(settings, options, account)


if TYPE_CHECKING:
    _port: type[VenuePort] = IbExecution

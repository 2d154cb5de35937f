"""Submit, cancel, replace: each sent once, and answered by what TWS says of that very order."""

import asyncio
import logging
from decimal import Decimal
from typing import Any

from ib_async.order import Order

from actors.venues.ib.capabilities import CAPABILITIES
from actors.venues.ib.config import IbOptions
from actors.venues.ib.connection import Connection
from actors.venues.ib.contract_book import ContractBook, to_library
from actors.venues.ib.enquiries import Enquiries
from actors.venues.ib.error_codes import ErrorKind
from actors.venues.ib.known_orders import KnownOrder
from actors.venues.ib.messages import ContractListing, Execution, OpenOrder, StatusUpdate, TwsError
from actors.venues.ib.order_terms import Terms, changed_terms, order_terms
from actors.venues.ib.parse import CANCELED_STATES, FILLED_STATE, INACTIVE_STATE
from actors.venues.ib.reporting import REJECTED_CODE, Reporting, Watched
from actors.venues.pacing import Priority
from trading.capabilities import unsupported
from trading.commands import CancelAllOrders, CancelOrder, ReplaceOrder, SubmitOrder
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.identifiers import ClientOrderId, InstrumentId, VenueOrderId
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.reports import OrderStatusReport

log = logging.getLogger(__name__)

REASON_WAIT_S = 0.5
"""For how long an order that is inactive waits for the error that says why."""
CANCEL_ALL_POLL_S = 0.1
_STATE_PENDING_CANCEL = "PendingCancel"
_UNCHANGED = frozenset({ErrorKind.WARNING, ErrorKind.FARM_DOWN, ErrorKind.FARM_UP})


class OrderEntry:
    """Orders of one account, sent by one client id.

    Parameters
    ----------
    account : str
        IB's code.
    """

    def __init__(
        self,
        account: str,
        options: IbOptions,
        contracts: ContractBook,
        reporting: Reporting,
        enquiries: Enquiries,
    ) -> None:
        self._account = account
        self._options = options
        self._contracts = contracts
        self._reporting = reporting
        self._enquiries = enquiries
        self._sent: set[ClientOrderId] = set()

    # -- new orders

    async def submit(self, connection: Connection, order: SubmitOrder) -> VenueOrderId:
        self.refuse_repeat(order.client_order_id)
        listing, instrument = await self.resolve(connection, order.instrument_id)
        terms = self.terms(order, instrument)
        order_id = connection.next_id()
        with self._reporting.watch(order_id) as events:
            await self.place(connection, order_id, listing, terms)
            return await self.acknowledged(connection, events, order.client_order_id)

    def refuse_repeat(self, key: ClientOrderId) -> None:
        """Refuse an id that TWS has seen, or that we have sent: TWS itself would take it again.

        Raises
        ------
        VenueRefused
            With `DUPLICATE_CLIENT_ORDER_ID`.
        """
        is_known = self._reporting.orders.find(key) is not None
        if is_known or key in self._sent or self._reporting.fills.has_order(key):
            reason = "IB has, or may have, an order with this id"
            raise VenueRefused(RefusalCode.DUPLICATE_CLIENT_ORDER_ID, reason)

    async def resolve(
        self, connection: Connection, key: InstrumentId
    ) -> tuple[ContractListing, Instrument]:
        """Return the contract to order; when it cannot be asked for, nothing was sent."""
        try:
            listing = await self._contracts.listing(connection, key)
            return listing, await self._contracts.instrument(connection, key)
        except OutcomeUnknown as error:
            raise VenueUnreachable(f"{key} cannot be looked up: {error}") from None

    def terms(self, order: SubmitOrder, instrument: Instrument) -> Terms:
        sentence = unsupported(order, instrument, CAPABILITIES)
        if sentence is not None:
            raise VenueRefused("UNSUPPORTED", sentence)
        return order_terms(order, instrument, self._account)

    async def place(
        self, connection: Connection, order_id: int, listing: ContractListing, terms: Terms
    ) -> None:
        """Send a new order, once: its id is used up unless nothing was sent."""
        key = ClientOrderId(terms["orderRef"])
        self.refuse_repeat(key)
        self._sent.add(key)
        contract = to_library(listing.contract)
        try:
            await connection.send(Priority.ORDER, "placeOrder", order_id, contract, _order(terms))
        except VenueUnreachable:
            self._sent.discard(key)
            raise

    async def acknowledged(
        self, connection: Connection, events: asyncio.Queue[Watched], key: ClientOrderId
    ) -> VenueOrderId:
        """Return IB's number of an order that was sent.

        Raises
        ------
        VenueRefused, VenueUnreachable
            If TWS said so, and lists no such order.
        OutcomeUnknown
            If nothing, or nothing that can be relied on, was said in time.
        """
        answer = await self._first_answer(events)
        if isinstance(answer, int):
            return VenueOrderId(str(answer))
        return await self._confirmed(connection, answer, key)

    async def _first_answer(self, events: asyncio.Queue[Watched]) -> int | TwsError:
        """Return the order's number, or the error that speaks against it."""
        deadline = asyncio.get_running_loop().time() + self._options.request_timeout_s
        inactive: TwsError | None = None
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    event = await events.get()
            except TimeoutError:
                if inactive is not None:
                    return inactive
                raise OutcomeUnknown("TWS did not acknowledge the order in time") from None
            match event:
                case OutcomeUnknown():
                    raise event
                case TwsError():
                    if event.kind not in _UNCHANGED and event.kind is not ErrorKind.CANCELED:
                        return event
                case Execution():
                    return event.perm_id
                case OpenOrder() | StatusUpdate() if event.status == INACTIVE_STATE:
                    inactive = _inactive(event)
                    deadline = asyncio.get_running_loop().time() + REASON_WAIT_S
                case OpenOrder() | StatusUpdate() if event.perm_id > 0:
                    return event.perm_id
                case _:
                    pass

    async def _confirmed(
        self, connection: Connection, error: TwsError, key: ClientOrderId
    ) -> VenueOrderId:
        """Believe an error only when TWS lists no such order."""
        text = f"{error.code}: {error.text}"
        if error.kind not in (ErrorKind.REFUSED, ErrorKind.PACING):
            raise OutcomeUnknown(text)
        try:
            listed = await self._enquiries.live_orders(connection)
        except VenueError as failure:
            raise OutcomeUnknown(f"{text}; then {failure}") from None
        working = next((known for known in listed if known.key == key), None)
        if working is not None:
            log.warning("TWS said %s, and order %s works all the same", text, key)
            return VenueOrderId(str(working.order.perm_id))
        if error.kind is ErrorKind.PACING:
            raise VenueUnreachable(f"TWS turned the order away: {text}")
        raise VenueRefused(str(error.code), error.text)

    # -- working orders

    async def cancel(self, connection: Connection, cancel: CancelOrder) -> None:
        known = await self._own_order(connection, cancel.client_order_id)
        if not known.is_live:
            raise VenueRefused("161", f"the order is {known.order.status}")
        order_id = known.order.order_id
        with self._reporting.watch(order_id) as events:
            await connection.send(Priority.CANCEL, "cancelOrder", order_id)
            await self._canceled(events)

    async def _canceled(self, events: asyncio.Queue[Watched]) -> None:
        while True:
            event = await self._next(events, "the cancel")
            match event:
                case TwsError(kind=ErrorKind.CANCELED):
                    return
                case TwsError():
                    _raise_refusal(event)
                case OpenOrder() | StatusUpdate():
                    if event.status in CANCELED_STATES or event.status == _STATE_PENDING_CANCEL:
                        return
                    if event.status == FILLED_STATE:
                        raise VenueRefused("10148", "the order is filled")
                case _:
                    pass

    async def replace(self, connection: Connection, replace: ReplaceOrder) -> OrderStatusReport:
        known = await self._own_order(connection, replace.client_order_id)
        if not known.is_live:
            raise VenueRefused("104", f"the order is {known.order.status}")
        order_id = known.order.order_id
        instrument = await self._contracts.of(connection, known.order.contract)
        terms = changed_terms(known.order, replace, instrument)
        contract = to_library(known.order.contract)
        with self._reporting.watch(order_id) as events:
            # The number of a working order makes this a change, here alone on purpose.
            await connection.send(Priority.ORDER, "placeOrder", order_id, contract, _order(terms))
            await self._changed(events, known, terms)
        report = await self._reporting.order_report(connection, known)
        if report is None:
            raise OutcomeUnknown("TWS does not say how the changed order is")
        return report

    async def _changed(
        self, events: asyncio.Queue[Watched], known: KnownOrder, terms: Terms
    ) -> None:
        while True:
            event = await self._next(events, "the change")
            match event:
                case TwsError():
                    _raise_refusal(event)
                case OpenOrder() if _has_terms(event, terms):
                    return
                case OpenOrder() | StatusUpdate() if not known.is_live:
                    raise VenueRefused("104", f"the order is {known.order.status}")
                case _:
                    pass

    async def cancel_all(
        self, connection: Connection, cancel: CancelAllOrders
    ) -> tuple[ClientOrderId, ...]:
        """Cancel all orders of the account, those of other clients of TWS too where the login has one account."""
        if cancel.strategy_id is not None:
            raise VenueRefused("UNSUPPORTED", "IB knows no strategies; cancel order by order")
        covered = await self._enquiries.live_orders(connection)
        if not covered:
            return ()
        if len(connection.accounts) == 1:
            await connection.send(Priority.CANCEL, "reqGlobalCancel")
        else:
            await self._cancel_each(connection, covered)
        try:
            async with asyncio.timeout(self._options.request_timeout_s):
                await self._until_gone(connection, covered)
        except TimeoutError:
            raise OutcomeUnknown("some orders still work after a cancel of all") from None
        return tuple(known.key for known in covered)

    async def _until_gone(self, connection: Connection, covered: list[KnownOrder]) -> None:
        """Ask until none of `covered` works: TWS does not answer a cancel of all."""
        while True:
            listed = await self._enquiries.live_orders(connection)
            working = [each for each in listed if each.order.status != _STATE_PENDING_CANCEL]
            if not any(each in covered for each in working):
                return
            await asyncio.sleep(CANCEL_ALL_POLL_S)

    async def _cancel_each(self, connection: Connection, covered: list[KnownOrder]) -> None:
        for known in covered:
            if known.order.client_id == self._options.client_id:
                await connection.send(Priority.CANCEL, "cancelOrder", known.order.order_id)

    async def _own_order(self, connection: Connection, key: ClientOrderId) -> KnownOrder:
        """Return an order that our client id can name in this session."""
        known = self._reporting.orders.find(key)
        if known is None or self._session_order(known) is not known:
            await self._enquiries.live_orders(connection)
            known = self._reporting.orders.find(key)
        if known is None:
            raise VenueRefused("135", f"IB lists no working order {key}")
        if not known.is_live or self._session_order(known) is known:
            return known
        owner = known.order.client_id
        raise VenueRefused("10147", f"the order belongs to client id {owner} of TWS, not to ours")

    def _session_order(self, known: KnownOrder) -> KnownOrder | None:
        return self._reporting.orders.in_session(known.order.order_id)

    async def _next(self, events: asyncio.Queue[Watched], what: str) -> Watched:
        try:
            async with asyncio.timeout(self._options.request_timeout_s):
                event = await events.get()
        except TimeoutError:
            raise OutcomeUnknown(f"TWS did not answer {what} in time") from None
        if isinstance(event, OutcomeUnknown):
            raise event
        return event


def _order(terms: Terms) -> Any:
    return Order(**terms)


def _inactive(event: OpenOrder | StatusUpdate) -> TwsError:
    """Return an order that is inactive, and nobody says why, as a refusal."""
    reason = event.reason if isinstance(event, OpenOrder) else event.why_held
    text = reason or "TWS took the order and made it inactive"
    return TwsError(request_id=event.order_id, code=REJECTED_CODE, text=text)


def _raise_refusal(error: TwsError) -> None:
    """Raise what an error means for a working order that was to be cancelled or changed."""
    if error.kind in _UNCHANGED:
        return
    if error.kind is ErrorKind.REFUSED:
        raise VenueRefused(str(error.code), error.text)
    raise OutcomeUnknown(f"{error.code}: {error.text}")


def _has_terms(order: OpenOrder, terms: Terms) -> bool:
    """Say whether TWS shows what was asked for."""
    shown = {
        "totalQuantity": order.quantity,
        "lmtPrice": order.limit_price,
        "auxPrice": order.aux_price,
    }
    return all(value == Decimal(terms[name]) for name, value in shown.items() if name in terms)

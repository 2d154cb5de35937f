"""PaperVenue: one account at the simulated exchange, behind the port that every venue offers."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

from actors.bus.curve import CurveKeys
from actors.bus.wire import Routes, request_frame
from actors.venues.paper.capabilities import CAPABILITIES
from actors.venues.paper.parse import failure, parse_reply, parse_report
from actors.venues.paper.session import Listener, Session
from actors.venues.profile import VenueSettings
from trading.codec import encode
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    QueryMassStatus,
    QueryOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
    VenueCall,
    VenueRequest,
)
from trading.errors import OutcomeUnknown, VenueUnreachable
from trading.identifiers import AccountId, ClientOrderId, Venue, VenueOrderId, machine_name
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    MassStatusReceived,
    OrderQueried,
    Outcome,
    ReplaceAcknowledged,
    SubmitAcknowledged,
    SubmitListAcknowledged,
    VenueConnected,
    VenueDisconnected,
)
from trading.ports import VenueMessage, VenuePort
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)

log = logging.getLogger(__name__)

PAPER = Venue("paper")


class PaperVenue:
    """Talks to `exchange:<venue>` wherever that machine lives; used in one event loop.

    `VenueConnected` means "reconcile": it comes whenever the session is up again, and also when the
    numbers of the execution reports show that one got lost on the way. Nothing is asked
    twice: a call whose answer is lost stays open until its caller gives up, or fails as unknown when
    the connection breaks.

    Parameters
    ----------
    secret : bytes or None
        The cluster secret; needed where the exchange's host listens on TCP with one.
    now : function
        The host's clock (ns UTC).
    """

    def __init__(
        self,
        account_id: AccountId,
        secret: bytes | None = None,
        *,
        venue: Venue = PAPER,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.capabilities = CAPABILITIES
        self._exchange = machine_name("exchange", venue)
        self._broker = machine_name("broker", venue, account_id)
        self._topic = f"exec.{venue}.{account_id}"
        self._keys = None if secret is None else CurveKeys.derive(secret)
        self._now = now
        self._name = secrets.token_hex(8)
        self._endpoints: tuple[str, str] | None = None
        self._on_message: Callable[[VenueMessage], None] | None = None
        self._session: Session | None = None
        self._pending: dict[int, asyncio.Future[Outcome]] = {}
        self._request_count = 0
        self._venue_seq: int | None = None

    # -- the session

    def set_routes(self, routes: Routes) -> None:
        """Follow the exchange to where it lives now. Without a route the last address stays."""
        address = routes.get(self._exchange)
        if address is not None:
            self.set_endpoint(address.router, address.pub)

    def set_endpoint(self, router: str, pub: str) -> None:
        """Talk to the exchange at these endpoints from now on."""
        self._endpoints = (router, pub)
        if self._on_message is not None:
            self._open()

    async def connect(self, on_message: Callable[[VenueMessage], None]) -> None:
        """Begin to connect, and go on trying; `VenueConnected` tells when the exchange is there."""
        self._on_message = on_message
        self._open()

    async def disconnect(self) -> None:
        """Close the session for good; open calls end as unknown."""
        self._on_message = None
        self._close("the session was closed")

    def _open(self) -> None:
        if self._endpoints is None:
            return
        if self._session is not None:
            if self._session.endpoints == self._endpoints:
                return
            self._close("the exchange moved")
        listener = Listener(self._session_changed, self._replied, self._reported)
        self._session = Session(*self._endpoints, self._topic, self._keys, listener)

    def _close(self, reason: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
            if session.is_up:
                self._lost(reason)

    def _session_changed(self, is_up: bool) -> None:
        if is_up:
            self._venue_seq = None
            self._tell(VenueConnected(ts_event=self._now(), ts_init=self._now()))
        else:
            self._lost("the connection to the exchange is lost")

    def _lost(self, reason: str) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(OutcomeUnknown(reason))
        self._tell(VenueDisconnected(ts_event=self._now(), ts_init=self._now(), reason=reason))

    def _tell(self, message: VenueMessage) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- what the exchange says

    def _replied(self, request_id: int, payload: bytes) -> None:
        future = self._pending.get(request_id)
        if future is None or future.done():
            return  # given up, or answered before
        try:
            future.set_result(parse_reply(payload))
        except OutcomeUnknown as error:
            future.set_exception(error)

    def _reported(self, payload: bytes) -> None:
        report = parse_report(payload)
        if report is not None:
            self._tell(report)
        else:
            log.warning("an execution report from %s cannot be read", self._exchange)
        if report is None or self._is_beyond_gap(report.venue_seq):
            self._tell(VenueConnected(ts_event=self._now(), ts_init=self._now()))

    def _is_beyond_gap(self, venue_seq: int) -> bool:
        """Say whether a report before this one is missing; repeats and latecomers are none."""
        last = self._venue_seq
        if venue_seq == 0:
            return False
        self._venue_seq = venue_seq if last is None else max(last, venue_seq)
        return last is not None and venue_seq > last + 1

    # -- calls

    async def submit(self, order: SubmitOrder) -> VenueOrderId:
        outcome = await self._ask(order)
        if isinstance(outcome, SubmitAcknowledged):
            return outcome.venue_order_id
        raise failure(outcome)

    async def submit_list(self, order_list: SubmitOrderList) -> tuple[VenueOrderId, ...]:
        outcome = await self._ask(order_list)
        if isinstance(outcome, SubmitListAcknowledged):
            return outcome.venue_order_ids
        raise failure(outcome)

    async def cancel(self, cancel: CancelOrder) -> None:
        outcome = await self._ask(cancel)
        if not isinstance(outcome, CancelAcknowledged):
            raise failure(outcome)

    async def replace(self, replace: ReplaceOrder) -> OrderStatusReport:
        outcome = await self._ask(replace)
        if isinstance(outcome, ReplaceAcknowledged):
            return outcome.report
        raise failure(outcome)

    async def cancel_all(self, cancel: CancelAllOrders) -> tuple[ClientOrderId, ...]:
        outcome = await self._ask(cancel)
        if isinstance(outcome, CancelAllAcknowledged):
            return outcome.client_order_ids
        raise failure(outcome)

    async def order_status(
        self, account_id: AccountId, client_order_id: ClientOrderId
    ) -> OrderStatusReport | None:
        query = QueryOrder(account_id=account_id, client_order_id=client_order_id)
        outcome = await self._ask(query)
        if isinstance(outcome, OrderQueried):
            return outcome.report
        raise failure(outcome)

    async def mass_status(self, account_id: AccountId, since: int) -> MassStatus:
        outcome = await self._ask(QueryMassStatus(account_id=account_id, since=since))
        if isinstance(outcome, MassStatusReceived):
            return outcome.mass_status
        raise failure(outcome)

    async def open_orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]:
        return (await self.mass_status(account_id, 0)).open_orders

    async def executions_since(self, account_id: AccountId, since: int) -> tuple[FillReport, ...]:
        return (await self.mass_status(account_id, since)).fills

    async def positions(self, account_id: AccountId) -> tuple[PositionReport, ...]:
        return (await self.mass_status(account_id, 0)).positions or ()

    async def account(self, account_id: AccountId) -> AccountReport:
        report = (await self.mass_status(account_id, 0)).account
        if report is None:
            raise OutcomeUnknown("the exchange did not tell the cash of the account")
        return report

    async def _ask(self, body: VenueCall) -> Outcome:
        session = self._session
        if session is None or not session.is_up:
            raise VenueUnreachable(f"{self._exchange} cannot be reached; nothing was sent")
        self._request_count += 1
        number = self._request_count
        request = VenueRequest(
            ts_event=body.ts_event,
            ts_init=self._now(),
            correlation_id=body.correlation_id,
            causation_id=body.causation_id,
            request_id=f"{self._name}/{number}",
            reply_to=self._broker,
            body=body,
        )
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            if not session.send(request_frame(number, self._exchange, encode(request))):
                raise VenueUnreachable(f"{self._exchange} has just gone; nothing was sent")
            return await answer
        finally:
            del self._pending[number]


def open_paper(settings: VenueSettings) -> VenuePort:
    """Return the adapter for one paper account."""
    return PaperVenue(settings.account_id, settings.secret)

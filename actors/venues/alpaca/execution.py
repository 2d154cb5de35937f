"""AlpacaVenue: one account at Alpaca, behind the port that every venue offers."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from alpaca.trading.client import TradingClient

from actors.venues.alpaca.capabilities import CAPABILITIES
from actors.venues.alpaca.config import AlpacaOptions
from actors.venues.alpaca.enquiries import Enquiries
from actors.venues.alpaca.entry import list_body, order_body, replace_body
from actors.venues.alpaca.executions import Executions
from actors.venues.alpaca.failures import AUTH_REFUSED
from actors.venues.alpaca.http import RestChannel, budget
from actors.venues.alpaca.identity import OrderNames, foreign_id, successor_id
from actors.venues.alpaca.instruments import InstrumentTable
from actors.venues.alpaca.messages import CancelResult, Order
from actors.venues.alpaca.orders import OrderLookup
from actors.venues.alpaca.parse import is_working
from actors.venues.alpaca.stream_session import SessionListener, StreamSession
from actors.venues.alpaca.trade_updates import TradeUpdates
from actors.venues.alpaca.updates import UpdateReader
from actors.venues.alpaca.wire import shaped
from actors.venues.pacing import Priority
from actors.venues.profile import VenueSettings
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, VenueOrderId
from trading.instruments import Instrument
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.ports import VenueMessage, VenuePort
from trading.refusals import RefusalCode
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)

log = logging.getLogger(__name__)


class AlpacaVenue:
    """Belongs to the event loop in which it is connected.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).
    """

    def __init__(self, settings: VenueSettings, *, now: Callable[[], int] = time.time_ns) -> None:
        self.capabilities = CAPABILITIES
        self._options = options = settings.read_options(AlpacaOptions)
        self._now = now
        key = settings.credential("ALPACA_API_KEY")
        secret = settings.credential("ALPACA_SECRET_KEY")
        is_live = settings.is_live
        url = options.trading_url(is_live=is_live)
        self._rest = RestChannel(
            TradingClient(key, secret, paper=not is_live, raw_data=True, url_override=url),
            pacing=budget(options.requests_per_min),
            timeout_s=options.request_timeout_s,
            on_auth_refused=self._auth_refused,
            now=now,
        )
        self._names = OrderNames()
        self._table = InstrumentTable(
            settings.instruments, self._rest, fractional=options.fractional
        )
        self._lookup = OrderLookup(self._rest, self._names)
        executions = Executions(self._rest)
        self._enquiries = Enquiries(
            settings.account_id, self._rest, self._table, self._lookup, executions, now
        )
        self._updates = UpdateReader(
            self._enquiries,
            self._lookup,
            executions,
            tell=self._tell,
            reconcile=self._reconcile,
            now=now,
        )
        self._session = StreamSession(
            TradeUpdates(
                url=options.updates_url(is_live=is_live),
                keys=(key, secret),
                timeout_s=options.request_timeout_s,
                on_update=self._updates.take,
                on_unreadable=self._updates.unreadable,
            ),
            SessionListener(self._came_up, self._went_down),
            timeout_s=options.stream_timeout_s,
            open_timeout_s=options.request_timeout_s,
            secrets=(key, secret),
        )
        self._on_message: Callable[[VenueMessage], None] | None = None
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock: asyncio.Task[None] | None = None

    # -- the session

    async def connect(self, on_message: Callable[[VenueMessage], None]) -> None:
        """Begin to open the stream, and go on trying; `VenueConnected` tells each time that it is confirmed."""
        self._on_message = on_message
        self._session.start()

    async def disconnect(self) -> None:
        """Close the stream and stop sending; nothing more is told."""
        self._on_message = None
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.stop()
        self._rest.close()

    def _came_up(self) -> None:
        self._tell(VenueConnected(ts_event=self._now(), ts_init=self._now()))
        if self._clock is None:
            self._clock = self._spawn(self._read_clock())

    def _went_down(self, reason: str, is_final: bool) -> None:
        if self._is_over:
            return
        self._is_over = is_final
        if is_final:
            self._rest.refuse(reason)
        now = self._now()
        self._tell(VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=is_final))

    def _auth_refused(self, reason: str) -> None:
        """A request was refused for its credentials: the stream ends too, and nothing is tried again."""
        if self._on_message is not None:
            self._went_down(reason, is_final=True)
            self._spawn(self._session.stop())

    def _reconcile(self, reason: str) -> None:
        log.warning("Alpaca: %s", reason)
        self._tell(VenueConnected(ts_event=self._now(), ts_init=self._now()))

    async def _read_clock(self) -> None:
        while True:
            try:
                skew_ns = await self._enquiries.clock_skew()
            except VenueError as error:
                log.info("the clock of Alpaca cannot be read: %s", error)
            else:
                now = self._now()
                self._tell(VenueClockRead(ts_event=now, ts_init=now, skew_ns=skew_ns))
            await asyncio.sleep(self._options.clock_interval_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _tell(self, message: VenueMessage) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- orders

    async def submit(self, order: SubmitOrder) -> VenueOrderId:
        body = order_body(order, await self._instrument(order.instrument_id))
        placed = shaped(await self._rest.post("/orders", body), Order)
        self._names.learn(placed)
        return VenueOrderId(placed.id)

    async def submit_list(self, order_list: SubmitOrderList) -> tuple[VenueOrderId, ...]:
        """Send a list as one request; ids in the order of the list.

        Raises
        ------
        OutcomeUnknown
            Also when the venue took the list and does not show all of its orders.
        """
        instruments = [await self._instrument(each.instrument_id) for each in order_list.orders]
        body = list_body(order_list, instruments)
        placed = shaped(await self._rest.post("/orders", body), Order)
        self._names.learn(placed)
        if not placed.legs:
            await self._learn_legs(placed)
        ids = [self._names.venue_id(each.client_order_id) for each in order_list.orders]
        known = tuple(VenueOrderId(each) for each in ids if each is not None)
        if len(known) < len(ids):
            raise OutcomeUnknown(f"Alpaca took the list {placed.id} and does not show all orders")
        return known

    async def cancel(self, cancel: CancelOrder) -> None:
        """Cancel what works for the order now, also when that took the place of another one."""
        key = cancel.client_order_id
        venue_id = self._names.venue_id(key) or cancel.venue_order_id
        if venue_id is None:
            venue_id = (await self._in_force(key, Priority.CANCEL)).id
        target = self._names.frame(venue_id) or venue_id
        try:
            await self._rest.delete(f"/orders/{target}")
        except VenueRefused as error:
            if error.venue_code == AUTH_REFUSED:
                raise
            order = await self._lookup.find(key, Priority.CANCEL)
            if order is None or not is_working(order):
                raise
            successor = self._names.frame(order.id) or order.id
            if successor == target:
                raise
            await self._rest.delete(f"/orders/{successor}")

    async def replace(self, replace: ReplaceOrder) -> OrderStatusReport:
        """Ask for an order in the place of ours; it goes by our id, whatever the venue calls it."""
        key = replace.client_order_id
        order = self._names.latest(key) or await self._in_force(key, Priority.ORDER)
        instrument = await self._table.of_symbol(order.symbol or "")
        body = replace_body(replace, instrument, successor_id(key, self._now()))
        new = shaped(await self._rest.patch(f"/orders/{order.id}", body), Order)
        self._names.learn(new)
        return await self._enquiries.report(new, key)

    async def cancel_all(self, cancel: CancelAllOrders) -> tuple[ClientOrderId, ...]:
        """Cancel every order of the account, whosever it is.

        Raises
        ------
        OutcomeUnknown
            Also when the venue failed to cancel some of them.
        """
        results = shaped(await self._rest.delete("/orders") or [], list[CancelResult])
        failed = [each.id for each in results if each.status >= 500]
        if failed:
            raise OutcomeUnknown(f"Alpaca failed to cancel {len(failed)} of {len(results)} orders")
        canceled = [each.id for each in results if each.status < 300]
        try:
            await self._lookup.name_all(canceled)
        except VenueError as error:
            log.warning("Alpaca canceled orders that cannot be named now: %s", error)
        names = [self._names.name(each) or foreign_id(each) for each in canceled]
        return tuple(dict.fromkeys(names))

    # -- enquiries

    async def order_status(
        self, account_id: AccountId, client_order_id: ClientOrderId
    ) -> OrderStatusReport | None:
        return await self._enquiries.order_status(client_order_id)

    async def mass_status(self, account_id: AccountId, since: int) -> MassStatus:
        return await self._enquiries.mass_status(since, lambda: self._updates.count)

    async def open_orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]:
        return await self._enquiries.open_orders()

    async def executions_since(self, account_id: AccountId, since: int) -> tuple[FillReport, ...]:
        return await self._enquiries.executions_since(since)

    async def positions(self, account_id: AccountId) -> tuple[PositionReport, ...]:
        return await self._enquiries.positions()

    async def account(self, account_id: AccountId) -> AccountReport:
        return await self._enquiries.account()

    # -- what comes before and after a request

    async def _instrument(self, key: InstrumentId) -> Instrument:
        try:
            return await self._table.of_id(key)
        except OutcomeUnknown as error:
            raise VenueUnreachable(
                f"{key} cannot be looked up ({error}); nothing was sent"
            ) from error

    async def _in_force(self, key: ClientOrderId, priority: Priority) -> Order:
        order = await self._lookup.find(key, priority)
        if order is None:
            raise VenueRefused(RefusalCode.UNKNOWN_ORDER, f"Alpaca knows no order {key}")
        return order

    async def _learn_legs(self, placed: Order) -> None:
        try:
            await self._lookup.by_venue_id(placed.id)
        except VenueError as error:
            raise OutcomeUnknown(f"Alpaca took the list {placed.id}: {error}") from error


def open_venue(settings: VenueSettings) -> VenuePort:
    """Return the adapter for one account; not connected yet."""
    return AlpacaVenue(settings)

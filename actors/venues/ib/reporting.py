"""From what TWS says to reports: remembers every order and execution, and tells what is news."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from actors.venues.ib.config import IbOptions
from actors.venues.ib.connection import OPEN_ORDERS, Connection, OrderEvent
from actors.venues.ib.contract_book import ContractBook
from actors.venues.ib.error_codes import ErrorKind
from actors.venues.ib.fills import Correction, Fill, Fills
from actors.venues.ib.known_orders import KnownOrder, KnownOrders
from actors.venues.ib.messages import Commission, Execution, OpenOrder, StatusUpdate, TwsError
from actors.venues.ib.parse import INACTIVE_STATE, fill_report, order_report
from trading.errors import OutcomeUnknown, VenueError
from trading.identifiers import AccountId
from trading.outcomes import VenueConnected
from trading.ports import VenueMessage
from trading.reports import FillReport, OrderStatusReport

log = logging.getLogger(__name__)

_CLOSING_CODES = frozenset({201, 202, 203})
RECONCILE_PAUSE_S = 2.0
REJECTED_CODE = 201
"""IB's "order rejected"; it stands for inactive orders that no error came for, too."""

Watched = OpenOrder | StatusUpdate | Execution | TwsError | OutcomeUnknown


class Reporting:
    """The record of one account, and the stream of reports that follows from it.

    Attributes
    ----------
    orders : KnownOrders
    fills : Fills
    version : int
        Rises with every change that TWS told of.
    is_muted : bool
        Nothing is told while a session is being prepared: what happened until then is asked for afterwards.
    """

    def __init__(
        self,
        account_id: AccountId,
        account: str,
        options: IbOptions,
        contracts: ContractBook,
        tell: Callable[[VenueMessage], None],
    ) -> None:
        self.orders = KnownOrders()
        self.fills = Fills()
        self.version = 0
        self.is_muted = True
        self._account_id = account_id
        self._account = account
        self._options = options
        self._contracts = contracts
        self._tell = tell
        self._connection: Connection | None = None
        self._news: asyncio.Queue[int | Fill] = asyncio.Queue()
        self._watchers: dict[int, list[asyncio.Queue[Watched]]] = {}
        self._closing: dict[int, TwsError] = {}
        self._commissioned = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked_to_reconcile_at = -RECONCILE_PAUSE_S

    # -- sessions

    def begin(self, connection: Connection) -> None:
        """A new session begins."""
        self._connection = connection
        self.orders.forget_session()
        self._closing.clear()
        if self._teller is None:
            self._teller = asyncio.get_running_loop().create_task(self._tell_news())

    def lost(self, reason: str) -> None:
        """The session is down: whoever waits for an answer learns that none will come."""
        self.is_muted = True
        for queue in [queue for queues in self._watchers.values() for queue in queues]:
            queue.put_nowait(OutcomeUnknown(reason))

    async def stop(self) -> None:
        for task in (self._teller, self._asking):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        self._teller = self._asking = None

    @contextmanager
    def watch(self, order_id: int) -> Iterator[asyncio.Queue[Watched]]:
        """Yield a queue of all that TWS says of the order with this number in this session."""
        queue: asyncio.Queue[Watched] = asyncio.Queue()
        queues = self._watchers.setdefault(order_id, [])
        queues.append(queue)
        try:
            yield queue
        finally:
            queues.remove(queue)
            if not queues:
                self._watchers.pop(order_id, None)
            known = self.orders.in_session(order_id)
            if known is not None and known.order.status == INACTIVE_STATE:
                self._queue(known.order.perm_id)  # it was held back, see `_is_being_refused`

    # -- what TWS says

    def on_order(self, event: OrderEvent) -> None:
        match event:
            case OpenOrder() | Execution() if event.account != self._account:
                pass  # another account of the same login
            case OpenOrder():
                is_own = self._is_own(event.client_id)
                is_news = self.orders.opened(event, is_own=is_own)
                if is_own:
                    self._explain(event.order_id)
                self._changed(event.perm_id, is_news)
                self._notify(event.order_id, event.client_id, event)
            case StatusUpdate():
                self._changed(event.perm_id, self.orders.updated(event))
                self._notify(event.order_id, event.client_id, event)
            case Execution():
                self._executed(event)
                self._notify(event.order_id, event.client_id, event)
            case Commission():
                self._commission_arrived(event)

    def on_error(self, error: TwsError) -> None:
        """Take an error; after one about an order that is no mere warning, look how the orders really are."""
        if error.request_id < 0:
            return
        is_watched = error.request_id in self._watchers
        for queue in self._watchers.get(error.request_id, ()):
            queue.put_nowait(error)
        if error.code in _CLOSING_CODES:
            self._closing[error.request_id] = error
            self._explain(error.request_id)
        known = self.orders.in_session(error.request_id)
        if known is None or error.kind is ErrorKind.WARNING:
            return
        if error.kind is not ErrorKind.CANCELED:
            log.warning("TWS on order %s: %d %s", known.key, error.code, error.text)
        if not is_watched:
            self._look_again()

    # -- reports

    async def order_report(
        self, connection: Connection | None, known: KnownOrder
    ) -> OrderStatusReport | None:
        """Return the newest state of an order."""
        instrument = await self._contracts.of(connection, known.order.contract)
        code = known.code
        if known.order.status == INACTIVE_STATE:
            code = code or str(REJECTED_CODE)
        return order_report(
            known.order,
            instrument,
            self._account_id,
            filled=known.filled,
            code=code,
            now=time.time_ns(),
        )

    async def fill_report(self, connection: Connection | None, fill: Fill) -> FillReport:
        """Return one execution, with what is known of its commission by now."""
        instrument = await self._contracts.of(connection, fill.execution.contract)
        commission = fill.commission
        if commission is None or commission.currency != instrument.currency:
            told = "IB did not tell it in time" if commission is None else commission
            log.warning("%s is told without its commission: %s", fill.execution.exec_id, told)
        return fill_report(fill.execution, commission, instrument, self._account_id, time.time_ns())

    async def commissions_of(self, fills: Iterable[Fill]) -> None:
        """Wait until the commissions of `fills` are known, but not for long."""
        waiting = [fill for fill in fills if not fill.is_told]  # the others have waited
        try:
            async with asyncio.timeout(self._options.commission_wait_s):
                while not all(fill.is_complete for fill in waiting):
                    self._commissioned.clear()
                    await self._commissioned.wait()
        except TimeoutError:
            return

    def _explain(self, order_id: int) -> None:
        """Put the error that closed an order, and its state, together, whichever came first."""
        error, known = self._closing.get(order_id), self.orders.in_session(order_id)
        if error is not None and known is not None:
            self.orders.closed(known, str(error.code), error.text)

    def _is_own(self, client_id: int) -> bool:
        return client_id == self._options.client_id

    def _changed(self, perm_id: int, is_news: bool) -> None:
        if is_news:
            self.version += 1
            self._queue(perm_id)

    def _notify(self, order_id: int, client_id: int, event: Watched) -> None:
        if self._is_own(client_id):
            for queue in self._watchers.get(order_id, ()):
                queue.put_nowait(event)

    def _executed(self, execution: Execution) -> None:
        found = self.fills.executed(execution)
        match found:
            case Fill():
                self.version += 1
                if found.is_complete:
                    self._queue(found)
                else:
                    wait = self._options.commission_wait_s
                    asyncio.get_running_loop().call_later(wait, self._queue_late, found)
            case Correction():
                log.warning("%s", found)
                self._ask_to_reconcile()
            case None:
                pass

    def _commission_arrived(self, commission: Commission) -> None:
        fill = self.fills.commissioned(commission)
        self._commissioned.set()
        if fill is None:
            return
        if fill.is_told:
            log.warning("the commission of %s came too late to be booked", commission.exec_id)
        else:
            self._queue(fill)

    def _queue_late(self, fill: Fill) -> None:
        if not fill.is_told:
            self._queue(fill)

    def _queue(self, news: int | Fill) -> None:
        if not self.is_muted:
            self._news.put_nowait(news)

    def missed(self) -> None:
        """A message about an order could not be read: what it said has to be asked for."""
        self._ask_to_reconcile()

    def _ask_to_reconcile(self) -> None:
        """`VenueConnected` means "reconcile" to the broker; not so often that the answer can cause the next."""
        loop_time = asyncio.get_running_loop().time()
        if not self.is_muted and loop_time - self._asked_to_reconcile_at >= RECONCILE_PAUSE_S:
            self._asked_to_reconcile_at = loop_time
            now = time.time_ns()
            self._tell(VenueConnected(ts_event=now, ts_init=now))

    async def _tell_news(self) -> None:
        while True:
            news = await self._news.get()
            try:
                report = await self._report_of(news)
            except VenueError as error:
                log.warning("a message of TWS cannot be told: %s", error)
                self._ask_to_reconcile()
                continue
            if report is not None and not self.is_muted:
                self._tell(report)

    async def _report_of(self, news: int | Fill) -> OrderStatusReport | FillReport | None:
        if isinstance(news, Fill):
            news.is_told = True
            return await self.fill_report(self._connection, news)
        known = self.orders.numbered(news)
        if known is None or self._is_being_refused(known):
            return None
        return await self.order_report(self._connection, known)

    def _is_being_refused(self, known: KnownOrder) -> bool:
        """True while the answer to the submission will say so, with the reason."""
        order = known.order
        is_watched = self._is_own(order.client_id) and order.order_id in self._watchers
        return order.status == INACTIVE_STATE and is_watched

    def _look_again(self) -> None:
        connection = self._connection
        if connection is not None and (self._asking is None or self._asking.done()):
            work = self._ask_open_orders(connection)
            self._asking = asyncio.get_running_loop().create_task(work)

    async def _ask_open_orders(self, connection: Connection) -> None:
        try:
            await connection.ask_kind(OPEN_ORDERS, "reqAllOpenOrders")
        except VenueError as error:
            log.warning("TWS did not list its orders after an error: %s", error)

"""CcxtVenue: one account at one exchange, behind the port that every venue offers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from actors.venues.ccxt.capabilities import capabilities_of
from actors.venues.ccxt.enquiries import Enquiries
from actors.venues.ccxt.failures import CredentialsRefused
from actors.venues.ccxt.hooks import Tap
from actors.venues.ccxt.instruments import Markets
from actors.venues.ccxt.memory import OrderMemory
from actors.venues.ccxt.orders import Orders
from actors.venues.ccxt.parse import clock_reading
from actors.venues.ccxt.reading import Reader
from actors.venues.ccxt.session import CcxtSession
from actors.venues.ccxt.stream import StreamKeeper, forever
from actors.venues.clock import clock_skew
from actors.venues.pacing import Priority
from actors.venues.profile import VenueSettings
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.errors import ConfigError, OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.identifiers import AccountId, ClientOrderId, VenueOrderId
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.ports import VenueMessage, VenuePort
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)

log = logging.getLogger(__name__)

CLOCK_INTERVAL_S = 60.0
SETTLE_S = 0.5
"""Where an exchange does not confirm a subscription: how long a connection must be open to count."""
REPEAT_S = 1.0
"""Everything is asked for at most this often because of messages that cannot be read."""
DEFAULT_CASH = "USDT"
_WATCHES = {"watch_orders": "watchOrders", "watch_my_trades": "watchMyTrades"}
_T = TypeVar("_T")


class CcxtVenue:
    """Orders by REST, news of them by the private stream; used in one event loop.

    Raises
    ------
    ConfigError
        When made: if the exchange is unknown, cannot hold our ids, or has no side to talk to.
    """

    def __init__(self, settings: VenueSettings) -> None:
        self._session = CcxtSession(settings, with_key=True)
        dialect, exchange = self._session.dialect, self._session.exchange
        if not dialect.takes_our_ids:
            raise ConfigError(
                f"{self._session.name} takes numbers only as client order ids, "
                "so an order whose answer is lost could not be found again; trade elsewhere."
            )
        if not dialect.is_deeply_tested:
            log.warning(
                "orders at %s were never tested against a simulator of it; begin small",
                self._session.name,
            )
        options = self._session.options
        self.capabilities = capabilities_of(
            exchange.has, exchange.features or {}, options.default_type, dialect
        )
        self._markets = Markets(settings.venue, settings.instruments)
        currencies = [each.currency for each in settings.instruments]
        self._cash = options.quote_currency or next(iter(currencies), DEFAULT_CASH)
        memory = OrderMemory()
        self._reader = Reader(
            settings.account_id, dialect, self._markets, memory, options.default_type
        )
        parts = (settings.account_id, self._session, self._markets, memory, self._reader)
        self._enquiries = Enquiries(*parts)
        self._orders = Orders(self._session, self._markets, memory, self._enquiries)
        self._keeper = StreamKeeper(self._session, self, options.stream_timeout_s)
        self._session.hooks.on_text = self._heard_text
        self._session.hooks.on_unreadable = self._unreadable
        self._on_message: Callable[[VenueMessage], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams = [name for name in dialect.watches if self._session.has(_WATCHES[name])]
        is_confirmed = options.default_type == "spot" or dialect.confirms_swaps
        self._acks = dialect.acks if is_confirmed else ()
        self._missing_acks: list[tuple[str, ...]] = []
        self._reports_heard = 0
        self._mass_cost = 0.0
        self._missed_at = -REPEAT_S
        self._asking: asyncio.TimerHandle | None = None
        self._refused = ""

    # -- the session

    async def connect(self, on_message: Callable[[VenueMessage], None]) -> None:
        """Begin to connect, and go on trying; `VenueConnected` tells when the streams are subscribed."""
        self._on_message = on_message
        self._keeper.start()

    async def disconnect(self) -> None:
        """Close everything; nothing is told any more."""
        self._on_message = None
        if self._asking is not None:
            self._asking.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._keeper.stop()
        await self._session.close()

    # -- for the keeper of the streams

    async def prepare(self) -> None:
        """Load the markets, read the clock, prove the key, and get ready to hear what the streams will say."""
        await self._session.load_markets()
        self._markets.load(self._session.exchange)
        if self._session.has("fetchTime"):
            await self._read_clock()
        # Streams do not say so clearly when a key is refused; this does.
        await self._session.call("fetch_balance", priority=Priority.QUERY)
        exchange = self._session.exchange
        exchange.orders, exchange.myTrades = Tap(self._heard_order), Tap(self._heard_trade)
        exchange.triggerOrders = Tap(self._heard_order)
        self._missing_acks = list(self._acks)

    def watching(self) -> list[Awaitable[Any]]:
        """Watch what this exchange has streams of; without any, the regular questions of the broker do."""
        exchange = self._session.exchange
        work = [forever(getattr(exchange, name), self._watched) for name in self._streams]
        if self._session.has("fetchTime"):
            work.append(self._keep_reading_clock())
        return work

    def is_up(self) -> bool:
        if not self._streams:
            return True
        if self._acks:
            return not self._missing_acks
        clients = [c for c in (self._session.exchange.clients or {}).values() if c.isConnected]
        settled = time.time() * 1000 - SETTLE_S * 1000
        return bool(clients) and all(c.connectionEstablished < settled for c in clients)

    def came_up(self) -> None:
        self._tell(VenueConnected(ts_event=time.time_ns(), ts_init=time.time_ns()))

    def went_down(self, reason: str, *, is_final: bool) -> None:
        if is_final:
            self._refused = reason
        self._tell(
            VenueDisconnected(
                ts_event=time.time_ns(), ts_init=time.time_ns(), reason=reason, is_final=is_final
            )
        )

    async def _keep_reading_clock(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_INTERVAL_S)
            try:
                await self._read_clock()
            except VenueError as error:
                log.warning("the clock of %s cannot be read: %s", self._session.name, error)

    async def _read_clock(self) -> None:
        sent = time.time_ns()
        venue_ms = await self._session.call("fetch_time", priority=Priority.DATA)
        received = time.time_ns()
        if isinstance(venue_ms, int):
            skew = clock_skew(clock_reading(venue_ms), sent, received)
            self._tell(VenueClockRead(ts_event=received, ts_init=received, skew_ns=skew))

    # -- what the streams say

    def _watched(self, answer: Any) -> None:
        """Take what the taps cannot have heard: some exchanges replace the caches of ccxt."""
        exchange = self._session.exchange
        if isinstance(exchange.orders, Tap) and isinstance(exchange.myTrades, Tap):
            return
        try:
            for raw in answer:
                (self._heard_trade if "takerOrMaker" in raw else self._heard_order)(raw)
        except OutcomeUnknown as error:
            self._missed(str(error))

    def _heard_order(self, raw: Mapping[str, Any]) -> None:
        report = self._reader.order(raw)
        if report is not None:
            self._report(report)
        elif raw.get("id") and not raw.get("symbol"):
            self._missed("an order changed that was not known")

    def _heard_trade(self, raw: Mapping[str, Any]) -> None:
        if not self._reader.is_traded(raw):
            return
        key = self._reader.client_id(raw)
        if key is None:
            self._begin(self._find_out(raw))
            return
        report = self._reader.fill(raw, key)
        if report is not None:
            self._report(report)

    async def _find_out(self, trade: Mapping[str, Any]) -> None:
        """Tell an execution once it is known whose it is."""
        try:
            await self._enquiries.learn([trade])
            report = self._enquiries.fill(trade)
        except VenueError as error:
            self._missed(f"it is not known whose an execution is: {error}")
            return
        if report is not None:
            self._report(report)

    def _heard_text(self, client: Any, text: str) -> None:
        if not self._missing_acks:
            return
        compact = text.replace(" ", "")
        for ack in self._missing_acks:
            if all(part in compact for part in ack):
                self._missing_acks.remove(ack)
                return

    def _unreadable(self, client: Any, error: Exception) -> None:
        self._missed(f"a message of {self._session.name} cannot be read: {error}")

    def _missed(self, reason: str) -> None:
        """Something went by that we could not take: let the broker ask for everything."""
        log.warning("%s; asking for everything", reason)
        self._reports_heard += 1
        if self._asking is None:
            delay = max(0.0, self._missed_at + REPEAT_S - time.monotonic())
            self._asking = asyncio.get_running_loop().call_later(delay, self._ask_again)

    def _ask_again(self) -> None:
        self._asking, self._missed_at = None, time.monotonic()
        self.came_up()

    def _report(self, report: OrderStatusReport | FillReport) -> None:
        self._reports_heard += 1
        self._tell(report)

    def _tell(self, message: VenueMessage) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- calls

    async def submit(self, order: SubmitOrder) -> VenueOrderId:
        self._require_markets()
        return await self._guarded(self._orders.submit(order, self.capabilities))

    async def submit_list(self, order_list: SubmitOrderList) -> tuple[VenueOrderId, ...]:
        raise VenueRefused("UNSUPPORTED", f"no {order_list.kind} lists there")

    async def cancel(self, cancel: CancelOrder) -> None:
        self._require_markets()
        await self._guarded(self._orders.cancel(cancel))

    async def replace(self, replace: ReplaceOrder) -> OrderStatusReport:
        self._require_markets()
        return await self._guarded(self._orders.replace(replace, self.capabilities))

    async def cancel_all(self, cancel: CancelAllOrders) -> tuple[ClientOrderId, ...]:
        self._require_markets()
        return await self._guarded(self._orders.cancel_all())

    async def order_status(
        self, account_id: AccountId, client_order_id: ClientOrderId
    ) -> OrderStatusReport | None:
        self._require_markets()
        return await self._guarded(self._enquiries.order(client_order_id))

    async def mass_status(self, account_id: AccountId, since: int) -> MassStatus:
        """Ask for everything; at once or not at all, so that a tight rate limit is not spent on half answers."""
        self._require_markets()
        pacing, before = self._session.hooks.pacing, self._session.hooks.spent
        wait = pacing.room_in(self._mass_cost)
        if wait > 0:
            raise VenueUnreachable(f"the rate limit leaves no room before {wait:.0f} s have passed")
        status = None
        for _ in range(2):
            heard = self._reports_heard
            status = await self._mass_status(account_id, since)
            if heard == self._reports_heard:
                break
        assert status is not None
        self._mass_cost = min(self._session.hooks.spent - before, pacing.amount)
        return status

    async def _mass_status(self, account_id: AccountId, since: int) -> MassStatus:
        orders = await self.open_orders(account_id)
        fills = await self.executions_since(account_id, since)
        positions, account = await self._holdings()
        return MassStatus(
            ts_event=time.time_ns(),
            ts_init=time.time_ns(),
            account_id=account_id,
            open_orders=orders,
            fills=fills,
            positions=positions,
            account=account,
        )

    async def open_orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]:
        self._require_markets()
        return await self._guarded(self._enquiries.open_orders())

    async def executions_since(self, account_id: AccountId, since: int) -> tuple[FillReport, ...]:
        self._require_markets()
        return await self._guarded(self._enquiries.fills(since))

    async def positions(self, account_id: AccountId) -> tuple[PositionReport, ...]:
        return (await self._holdings())[0]

    async def account(self, account_id: AccountId) -> AccountReport:
        return (await self._holdings())[1]

    async def _holdings(self) -> tuple[tuple[PositionReport, ...], AccountReport]:
        self._require_markets()
        return await self._guarded(self._enquiries.holdings(self._cash))

    def _require_markets(self) -> None:
        if self._refused:
            raise VenueUnreachable(f"nothing was sent: {self._refused}")
        if not self._markets.is_loaded:
            raise VenueUnreachable(
                f"{self._session.name} has not been reached yet; nothing was sent"
            )

    async def _guarded(self, work: Awaitable[_T]) -> _T:
        """Let `VenueError`s out and nothing else; refused credentials end the session for good."""
        try:
            return await work
        except CredentialsRefused as error:
            self._refused = str(error)
            self._keeper.end(error)
            raise
        except VenueError:
            raise
        except Exception as error:
            log.exception("%s: an answer could not be handled", self._session.name)
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def open_execution(settings: VenueSettings) -> VenuePort:
    """Return the adapter for one account; not connected yet."""
    return CcxtVenue(settings)

"""One socket to TWS or IB Gateway, from its opening to its end; it is never opened again."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ib_async.client import Client

from actors.venues.ib import decode
from actors.venues.ib.config import IbOptions
from actors.venues.ib.decoder import ExactDecoder
from actors.venues.ib.error_codes import ErrorKind
from actors.venues.ib.messages import Commission, Execution, OpenOrder, StatusUpdate, TwsError
from actors.venues.ib.wrapper import ENDS, ROWS, STREAMED, Wrapper, named
from actors.venues.pacing import Pacing, Priority
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable

log = logging.getLogger(__name__)

PACING_PAUSE_S = 1.0
"""After error 100: its window is one second."""
PACING_SLICE_S = 0.5
PACING_SLICES = 3
"""So many slices fit into a second that some messages reach half a second late: together they keep the limit."""

OPEN_ORDERS = "open orders"
COMPLETED_ORDERS = "completed orders"
CURRENT_TIME = "current time"
NEWS_PROVIDERS = "news providers"
"""Requests that have no number: TWS answers them by kind, so one at a time is under way."""

ACCOUNT_MESSAGES = frozenset({"3", "5", "11", "59", "71", "101"})
"""Kinds of messages about orders, executions and positions: none of them may be missed."""

OrderEvent = OpenOrder | StatusUpdate | Execution | Commission
Row = tuple[Any, ...]


class ClientIdInUse(VenueUnreachable):
    """Another session holds our client id."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a connection tells what it was not asked for; called in the event loop.

    Attributes
    ----------
    on_order : function of OpenOrder, StatusUpdate, Execution or Commission
        Also of those that answer a request.
    on_error : function of TwsError
        Errors that no request waits for: of orders, streams and the session.
    on_unreadable : function of message number, reason
    """

    on_order: Callable[[OrderEvent], None]
    on_error: Callable[[TwsError], None]
    on_unreadable: Callable[[str, str], None]


@dataclass(slots=True)
class _Request:
    answer: asyncio.Future[list[Row]]
    rows: list[Row] = field(default_factory=list)


class Connection:
    """Requests and answers over one socket.

    Attributes
    ----------
    accounts : tuple of str
        Codes of the accounts behind this login.
    closed : Future of str
        Done, with the reason, when the socket is gone.
    broken_farms : set of str
        Data farms of IB that are out of order.
    """

    def __init__(self, options: IbOptions, client_id: int, listener: Listener) -> None:
        self.client_id = client_id
        self.accounts: tuple[str, ...] = ()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.broken_farms: set[str] = set()
        self._options = options
        self._listener = listener
        self._pacing = Pacing(max(options.messages_per_s // PACING_SLICES, 1), PACING_SLICE_S)
        self._requests: dict[int | str, _Request] = {}
        self._streams: dict[int, Callable[[str, Row], None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._unreadable_count = 0
        self._is_id_in_use = False
        self._is_open = False
        self._client = Client(Wrapper(self._handlers()))
        self._client.MaxRequests = 0  # `Pacing` waits, and lets cancels go first
        self._client.decoder = ExactDecoder(self._client.wrapper, self._unreadable)
        self._client.conn.disconnected += self._socket_closed

    # -- life

    async def open(self) -> None:
        """Connect and log in.

        Raises
        ------
        ClientIdInUse
            If TWS says so.
        VenueUnreachable
            If TWS cannot be reached, or does not complete the greeting.
        """
        options = self._options
        opening = asyncio.ensure_future(
            self._client.connectAsync(
                options.host, options.port, self.client_id, options.connect_timeout_s
            )
        )
        try:
            await asyncio.wait({opening, self.closed}, return_when=asyncio.FIRST_COMPLETED)
            opening.cancel()
            await asyncio.wait({opening})
        except asyncio.CancelledError:
            opening.cancel()
            raise
        if opening.cancelled():
            self._raise_unopened(self.closed.result() if self.closed.done() else "no answer")
        error = opening.exception()
        if error is not None:
            self._raise_unopened(str(error) or "no answer")
        self.accounts = tuple(self._client.getAccounts())
        self._is_open = True

    def close(self, reason: str) -> None:
        """Close the socket; requests that wait end as unknown."""
        self._end(reason)
        self._client.disconnect()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def next_id(self) -> int:
        """Return a number for an order or a request, never used in this session."""
        if not self._is_open:
            raise VenueUnreachable("TWS is not connected; nothing was sent")
        found: int = self._client.getReqId()
        return found

    def use_ids_above(self, number: int) -> None:
        """Never give out `number` or one below: an order with it may exist."""
        self._client.updateReqId(number + 1)

    # -- requests

    async def send(self, priority: Priority, method: str, *args: Any) -> None:
        """Send one message, when it is its turn.

        Parameters
        ----------
        method : str
            Of `ib_async.Client`.

        Raises
        ------
        VenueUnreachable
            If nothing was sent.
        """
        await self._pacing.turn(priority)
        if not self._is_open:
            raise VenueUnreachable("TWS is not connected; nothing was sent")
        try:
            getattr(self._client, method)(*args)
        except (ConnectionError, UnicodeEncodeError) as error:
            raise VenueUnreachable(f"nothing was sent: {error}") from None

    async def ask(
        self, method: str, *args: Any, cancel: str = "", timeout_s: float = 0.0
    ) -> list[Row]:
        """Send a request with a number of its own and return its rows.

        Parameters
        ----------
        cancel : str
            Method of the library that ends what TWS would go on sending.
        timeout_s : float
            How long to wait for the end; 0 is `request_timeout_s`.

        Raises
        ------
        VenueRefused
            If TWS answered with an error.
        OutcomeUnknown
            If it did not answer, or in words that cannot be read.
        """
        number = self.next_id()
        count = self._unreadable_count
        try:
            rows = await self._asked(number, timeout_s, method, number, *args)
            self._check_complete(count, method)
            return rows
        finally:
            if cancel and self._is_open:  # at once: whoever asked may have been cancelled
                getattr(self._client, cancel)(number)

    async def ask_kind(self, kind: str, method: str, *args: Any) -> list[Row]:
        """Send a request that TWS answers by kind alone, and return its rows.

        A caller that gives up leaves the request under way: its end must not be taken for that of the next one.
        """
        asking = asyncio.ensure_future(self._ask_kind(kind, method, *args))
        asking.add_done_callback(_look_at)
        return await asyncio.shield(asking)

    def follow(self, number: int, handler: Callable[[str, Row], None]) -> None:
        """Hand what TWS streams under `number` to `handler`, with the library's name of each message."""
        self._streams[number] = handler

    def unfollow(self, number: int) -> None:
        self._streams.pop(number, None)

    async def _ask_kind(self, kind: str, method: str, *args: Any) -> list[Row]:
        async with self._locks.setdefault(kind, asyncio.Lock()):
            count = self._unreadable_count
            try:
                rows = await self._asked(kind, 0.0, method, *args)
            except OutcomeUnknown:
                self.close(f"TWS does not tell its {kind}")
                raise
            self._check_complete(count, method)
            return rows

    def _check_complete(self, count: int, method: str) -> None:
        """Refuse an answer of which a part could not be read: what is missing must not count as not there."""
        if self._unreadable_count != count:
            raise OutcomeUnknown(f"a message of TWS in or beside its answer to {method} is broken")

    async def _asked(self, key: int | str, timeout_s: float, method: str, *args: Any) -> list[Row]:
        request = _Request(asyncio.get_running_loop().create_future())
        self._requests[key] = request
        patience = timeout_s or self._options.request_timeout_s
        try:
            await self.send(Priority.QUERY, method, *args)
            async with asyncio.timeout(patience):
                return await request.answer
        except TimeoutError:
            farms = f"; broken: {', '.join(self.broken_farms)}" if self.broken_farms else ""
            reason = f"TWS did not answer {method} in {patience:g} s{farms}"
            raise OutcomeUnknown(reason) from None
        finally:
            del self._requests[key]

    # -- what TWS says

    def _handlers(self) -> dict[str, Callable[..., None]]:
        rows = dict.fromkeys(ROWS, self._row)
        ends = dict.fromkeys(ENDS, self._finish)
        streams = {name: named(name, self._streamed) for name in STREAMED}
        return {
            **rows,
            **ends,
            **streams,
            "historicalTicksBidAsk": self._ticks,
            "historicalTicksLast": self._ticks,
            "error": self._error,
            "statusUpdate": self._status,
            "commission": self._listener.on_order,
            "execution": self._execution,
            "openOrder": self._open_order,
            "openOrderEnd": lambda: self._finish(OPEN_ORDERS),
            "completedOrder": self._completed_order,
            "completedOrdersEnd": lambda: self._finish(COMPLETED_ORDERS),
            "currentTime": lambda time: self._single(CURRENT_TIME, time),
            "newsProviders": lambda providers: self._single(NEWS_PROVIDERS, providers),
        }

    def _row(self, key: int | str, *values: Any) -> None:
        request = self._requests.get(key)
        if request is not None:
            request.rows.append(values)

    def _finish(self, key: int | str, *_: Any) -> None:
        request = self._requests.get(key)
        if request is not None and not request.answer.done():
            request.answer.set_result(request.rows)

    def _single(self, key: int | str, *values: Any) -> None:
        self._row(key, *values)
        self._finish(key)

    def _ticks(self, key: int, ticks: list[Any], is_last: bool) -> None:
        self._row(key, ticks)
        if is_last:
            self._finish(key)

    def _streamed(self, name: str, number: int, *values: Any) -> None:
        handler = self._streams.get(number)
        if handler is not None:
            handler(name, values)
        elif name == "tickOptionComputation":
            self._single(number, *values)

    def _status(self, update: StatusUpdate) -> None:
        self._row(OPEN_ORDERS, update.perm_id)
        self._listener.on_order(update)

    def _execution(self, number: int, execution: Execution) -> None:
        self._row(number, execution)
        self._listener.on_order(execution)

    def _open_order(self, _number: int, contract: Any, order: Any, state: Any) -> None:
        found = decode.open_order(contract, order, state)
        self._row(OPEN_ORDERS, found.perm_id)
        self._listener.on_order(found)

    def _completed_order(self, contract: Any, order: Any, state: Any) -> None:
        found = decode.open_order(contract, order, state)
        self._row(COMPLETED_ORDERS, found)
        self._listener.on_order(found)

    def _error(self, number: int, code: int, text: str, *_: Any) -> None:
        error = TwsError(request_id=number, code=code, text=text.strip())
        self._note(error)
        request = self._requests.get(number)
        if request is None or number < 0:
            self._listener.on_error(error)
        elif error.kind is not ErrorKind.WARNING and not request.answer.done():
            request.answer.set_exception(_failure(error))

    def _note(self, error: TwsError) -> None:
        """Remember what an error says of the connection itself."""
        farm = error.text.rpartition(":")[2].strip()
        match error.kind:
            case ErrorKind.IN_USE:
                self._is_id_in_use = True
            case ErrorKind.PACING:
                self._pacing.pause(PACING_PAUSE_S)
            case ErrorKind.FARM_DOWN:
                self.broken_farms.add(farm)
            case ErrorKind.FARM_UP:
                self.broken_farms.discard(farm)
            case _:
                pass

    def _unreadable(self, kind: str, reason: str) -> None:
        self._unreadable_count += kind in ACCOUNT_MESSAGES
        self._listener.on_unreadable(kind, reason)

    # -- the end

    def _socket_closed(self, message: str) -> None:
        self._end(message or "TWS closed the connection")

    def _end(self, reason: str) -> None:
        self._is_open = False
        if not self.closed.done():
            self.closed.set_result(reason)
        for request in self._requests.values():
            if not request.answer.done():
                request.answer.set_exception(OutcomeUnknown(reason))

    def _raise_unopened(self, reason: str) -> None:
        self._end(reason)
        address = f"{self._options.host}:{self._options.port}"
        if self._is_id_in_use:
            raise ClientIdInUse(f"client id {self.client_id} is in use at {address}") from None
        raise VenueUnreachable(f"TWS at {address} cannot be reached: {reason}") from None


def _failure(error: TwsError) -> Exception:
    if error.kind is ErrorKind.UNKNOWN:
        return OutcomeUnknown(f"{error.code}: {error.text}")
    return VenueRefused(str(error.code), error.text)


def _look_at(task: asyncio.Task[list[Row]]) -> None:
    """Take note of a failure that nobody may be waiting for any more."""
    if not task.cancelled() and task.exception() is not None:
        log.debug("a request to TWS failed: %s", task.exception())

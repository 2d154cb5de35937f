"""A small real venue of our own, for tests: a server in front of the desk, and the adapter that talks to it.

`tests.cluster.remote_desk:REMOTE_DESK` is what `[venues.<name>] adapter` names. The wire is msgpack over TCP.
"""

import asyncio
import math
import struct
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from actors.venues.backoff import reconnect_delays
from actors.venues.profile import VenueProfile, VenueSettings
from tests.venues.desk import ACCOUNT, Desk
from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.codec import decode, encode
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    QueryMassStatus,
    QueryOrder,
    ReplaceOrder,
    SubmitOrder,
)
from trading.data import Bar, BookSnapshot, QuoteTick
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import AccountId, InstrumentId
from trading.instruments import Instrument
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    MassStatusReceived,
    OrderQueried,
    ReplaceAcknowledged,
    SubmitAcknowledged,
    VenueClockRead,
    VenueConnected,
    VenueDisconnected,
)
from trading.values import NANOS_PER_SECOND, AssetClass, DataKind, OrderType, TimeInForce

SYMBOLS = ("AAPL", "KO")
LISTED = tuple(Instrument(instrument_id=InstrumentId(f"{symbol}.XNAS")) for symbol in SYMBOLS)
KEY, SECRET = "key-of-the-remote-desk", "canary-5d1c-secret"
_LENGTH = struct.Struct(">I")


SWING = 3.0


def price_at(index: int, ts: int, swing: float = SWING) -> float:
    """A price that swings around 100, so that a strategy that waits for that has something to do."""
    return 100.0 + swing * math.sin(ts / NANOS_PER_SECOND + index)


class DeskServer:
    """Serves the desk on 127.0.0.1 in a thread of its own; moves the market ten times a second.

    Two servers that swing differ by what the price moves between their clocks; without a swing they agree.
    """

    def __init__(
        self,
        key: str = KEY,
        secret: str = SECRET,
        *,
        account_id: AccountId = ACCOUNT,
        size: float = 1e4,
        swing: float = SWING,
    ) -> None:
        prices = {each.instrument_id: 100.0 for each in LISTED}
        self.desk = Desk(LISTED, prices, account_id=account_id)
        self._size = size
        self._swing = swing
        self.desk.on_report(self._reported)
        self.logins = 0
        self.refused = 0
        self.port = 0
        self._expected = [key, secret]
        self._writers: set[asyncio.StreamWriter] = set()
        self._feeds: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk server", daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)

    def withdraw(self, secret: str) -> None:
        """Take no other secret than this one from now on, and break every session."""
        self._expected = [self._expected[0], secret]
        self.cut()

    def books(self) -> tuple[dict[InstrumentId, Decimal], Decimal]:
        """Return positions and cash as they are at one moment, while the market goes on."""
        with self.desk._lock:
            return {
                key: units for key, units in self.desk.positions.items() if units
            }, self.desk.cash

    def cut(self) -> None:
        """Break every session."""
        self._loop.call_soon_threadsafe(lambda: [each.close() for each in self._writers])

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        market = asyncio.create_task(self._market())
        self._ready.set()
        await self._stop.wait()
        market.cancel()
        server.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0.05)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                number, kind, body = await _receive(reader)
                status, answer = self._answer(kind, body, writer)
                _send(writer, [number, status, answer])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            self._feeds.discard(writer)
            writer.close()

    def _answer(self, kind: str, body: Any, writer: asyncio.StreamWriter) -> tuple[str, Any]:
        match kind:
            case "login" if body == self._expected:
                self.logins += 1
                return "ok", time.time_ns()
            case "login":
                self.refused += 1
                return "refused", f"the key {body[0]} with the secret {body[1]} is not known"
            case "request":
                return "ok", encode(self.desk.request(decode(body)))
            case "instruments":
                known = {each.instrument_id.partition(".")[0]: each for each in LISTED}
                unknown = [symbol for symbol in body if symbol not in known]
                if unknown:
                    return "refused", f"unknown symbols: {', '.join(unknown)}"
                return "ok", msgspec.to_builtins([known[symbol] for symbol in body], str_keys=True)
            case "subscribe":
                self._feeds.add(writer)
                return "ok", None
            case "bars":
                return "ok", [encode(bar) for bar in _bars(*body)]
            case _:
                return "refused", f"unknown question {kind}"

    async def _market(self) -> None:
        closed = time.time_ns() // NANOS_PER_SECOND
        while True:
            await asyncio.sleep(0.1)
            now = time.time_ns()
            prices = {e.instrument_id: price_at(i, now, self._swing) for i, e in enumerate(LISTED)}
            self.desk.move(prices)
            messages = [
                QuoteTick(
                    ts_event=now, instrument_id=key,
                    bid_px=px - 0.01, ask_px=px + 0.01, bid_size=self._size, ask_size=self._size,
                )
                for key, px in prices.items()
            ]  # fmt: skip
            if now // NANOS_PER_SECOND > closed:
                closed = now // NANOS_PER_SECOND
                end = closed * NANOS_PER_SECOND
                messages += [bar for e in LISTED for bar in _bars(e.instrument_id, 1, end, end)]
            for writer in list(self._feeds):
                for message in messages:
                    _send(writer, [0, "data", encode(message)])

    def _reported(self, report: Any) -> None:
        for writer in self._writers - self._feeds:
            _send(writer, [0, "report", encode(report)])


def _bars(key: str, seconds: int, start: int, end: int) -> list[Bar]:
    step = seconds * NANOS_PER_SECOND
    index = [each.instrument_id for each in LISTED].index(InstrumentId(key))
    closes = range(-(-start // step) * step, end + 1, step)
    pairs = ((ts, price_at(index, ts)) for ts in closes)
    return [
        Bar(ts_event=ts, instrument_id=InstrumentId(key), open=px, high=px, low=px, close=px)
        for ts, px in pairs
    ]


def _send(writer: asyncio.StreamWriter, frame: Any) -> None:
    payload = msgspec.msgpack.encode(frame)
    writer.write(_LENGTH.pack(len(payload)) + payload)


async def _receive(reader: asyncio.StreamReader) -> Any:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return msgspec.msgpack.decode(await reader.readexactly(length))


class RemoteDeskOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the desk is.

    Attributes
    ----------
    port : int
        On this machine.
    first_delay_s : float
        Mean pause before the first attempt to reconnect.
    """

    port: int = 0
    first_delay_s: float = 0.2


class _Session:
    """One connection that comes back by itself; base of both ports."""

    def __init__(self, settings: VenueSettings) -> None:
        self.options = settings.read_options(RemoteDeskOptions)
        self._login = [settings.credential("DESK_KEY"), settings.credential("{VENUE}_SECRET")]
        self._tell: Callable[[Any], None] = lambda message: None
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def connect(self, on_message: Callable[[Any], None]) -> None:
        self._tell = on_message
        self._task = asyncio.create_task(self._keep())

    async def disconnect(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ask(self, kind: str, body: Any) -> Any:
        if self._writer is None:
            raise VenueUnreachable("there is no session; nothing was sent")
        self._number += 1
        number = self._number
        answer = self._pending[number] = asyncio.get_running_loop().create_future()
        _send(self._writer, [number, kind, body])
        try:
            status, found = await answer
        finally:
            del self._pending[number]
        if status == "refused":
            raise VenueRefused("REFUSED", found)
        return found

    async def _keep(self) -> None:
        delays = reconnect_delays(np.random.default_rng(), self.options.first_delay_s, 1.0)
        while True:
            reading = None
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self.options.port)
                reading = asyncio.create_task(self._read(reader))
                await self._enter()
                await reading
            except (OSError, asyncio.IncompleteReadError, OutcomeUnknown) as error:
                self._lost(f"the session is lost: {error}")
            except VenueRefused as error:
                self._lost(str(error), is_final=True)
                return
            finally:
                if reading is not None:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            await asyncio.sleep(next(delays))

    async def _enter(self) -> None:
        sent = time.time_ns()
        clock = await self.ask("login", self._login)
        now = time.time_ns()
        # The server read its clock between the two: how long the answer took is no skew.
        skew = min(clock - sent, 0) + max(clock - now, 0)
        self._tell(VenueClockRead(ts_init=now, skew_ns=skew))
        self._tell(VenueConnected(ts_event=now, ts_init=now))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            await self._take_all(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(OutcomeUnknown(f"the session is lost: {error}"))
            raise

    async def _take_all(self, reader: asyncio.StreamReader) -> None:
        while True:
            number, status, body = await _receive(reader)
            if number in self._pending:
                self._pending[number].set_result((status, body))
            elif number == 0:
                self._tell(decode(body))

    def _lost(self, reason: str, *, is_final: bool = False) -> None:
        now = time.time_ns()
        self._tell(VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=is_final))


_ANSWERS = {
    SubmitOrder: SubmitAcknowledged,
    CancelOrder: CancelAcknowledged,
    CancelAllOrders: CancelAllAcknowledged,
    ReplaceOrder: ReplaceAcknowledged,
    QueryOrder: OrderQueried,
    QueryMassStatus: MassStatusReceived,
}


class RemoteDesk(_Session):
    capabilities = VenueCapabilities(
        orders={
            AssetClass.EQUITY: OrderCapabilities(
                pairs=dict.fromkeys(OrderType, frozenset({TimeInForce.DAY, TimeInForce.GTC}))
            )
        },
        streams=frozenset({DataKind.QUOTES, DataKind.BARS}),
        histories=frozenset({DataKind.BARS}),
    )

    async def _request(self, body: Any) -> Any:
        outcome = decode(await self.ask("request", encode(body)))
        if not isinstance(outcome, _ANSWERS[type(body)]):
            raise VenueRefused(getattr(outcome, "code", "REFUSED"), getattr(outcome, "reason", ""))
        return outcome

    async def submit(self, order: SubmitOrder) -> Any:
        return (await self._request(order)).venue_order_id

    async def cancel(self, cancel: CancelOrder) -> None:
        await self._request(cancel)

    async def cancel_all(self, cancel: CancelAllOrders) -> Any:
        return (await self._request(cancel)).client_order_ids

    async def replace(self, replace: ReplaceOrder) -> Any:
        return (await self._request(replace)).report

    async def order_status(self, account_id: Any, client_order_id: Any) -> Any:
        query = QueryOrder(account_id=account_id, client_order_id=client_order_id)
        return (await self._request(query)).report

    async def mass_status(self, account_id: Any, since: int) -> Any:
        return (
            await self._request(QueryMassStatus(account_id=account_id, since=since))
        ).mass_status

    async def open_orders(self, account_id: Any) -> Any:
        return (await self.mass_status(account_id, 0)).open_orders

    async def executions_since(self, account_id: Any, since: int) -> Any:
        return (await self.mass_status(account_id, since)).fills

    async def positions(self, account_id: Any) -> Any:
        return (await self.mass_status(account_id, 0)).positions

    async def account(self, account_id: Any) -> Any:
        return (await self.mass_status(account_id, 0)).account


class RemoteDeskData(_Session):
    async def subscribe(self, subscriptions: Any) -> None:
        await self.ask("subscribe", None)

    async def unsubscribe(self, subscriptions: Any) -> None:
        return None

    async def instruments(self, symbols: tuple[str, ...]) -> tuple[Instrument, ...]:
        found = await self.ask("instruments", list(symbols))
        return tuple(msgspec.convert(found, list[Instrument], strict=False))

    async def book(self, instrument_id: InstrumentId) -> BookSnapshot:
        raise VenueRefused("NO_BOOKS", "there are no books")

    async def bars(
        self, instrument_id: InstrumentId, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        body = [instrument_id, interval_ns // NANOS_PER_SECOND, start, end]
        return tuple(decode(each) for each in await self.ask("bars", body))

    async def quotes(self, instrument_id: InstrumentId, start: int, end: int) -> tuple[()]:
        return ()

    async def trades(self, instrument_id: InstrumentId, start: int, end: int) -> tuple[()]:
        return ()


REMOTE_DESK = VenueProfile(
    name="remote desk",
    title="The remote desk",
    capabilities=RemoteDesk.capabilities,
    open_execution=RemoteDesk,
    open_market_data=RemoteDeskData,
    credentials=("DESK_KEY", "{VENUE}_SECRET"),
    optional_credentials=("DESK_PASSPHRASE",),
    options=RemoteDeskOptions,
)

"""What the simulated exchanges share: a server thread, faults, streams, and the orders as an exchange numbers them.

Hosts are the first part of the path: `/api.binance.com/api/v3/order` is what a proxy in front of
`https://api.binance.com` would be asked for.
"""

import asyncio
import contextlib
import itertools
import json
import threading
import time

from aiohttp import WSMsgType, web

from tests.venues.ccxt.placed import Orders, Placed
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from trading.reports import FillReport
from trading.values import OrderStatus

SKEW_MS = 30_000


class Stream:
    """One websocket: what it is subscribed to, and a way to talk."""

    def __init__(self, ws, path):
        self.ws = ws
        self.path = path
        self.topics = set()
        self.is_private = False

    async def send(self, message):
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.ws.send_str(message if isinstance(message, str) else dumps(message))


class Simulator(Orders):
    """One exchange on 127.0.0.1, in a thread of its own. Subclasses speak the dialect.

    `key` and `secret` are the only credentials that it knows.
    """

    name = ""
    is_garbled = False
    """Every answer is cut off, and says 200."""
    key = "simulated-key-0123456789"
    secret = "c2ltdWxhdGVkLXNlY3JldC0wMTIzNDU2Nzg5"

    def __init__(self, desk: Desk, faults: Faults):
        self.desk = desk
        self.faults = faults
        self.asked = []
        self.sockets_opened = 0
        self._orders = {}
        self._by_key = {}
        self._numbers = itertools.count(7_000_001)
        self._trade_numbers = itertools.count(501)
        self._streams = set()
        self._held = []
        self._background = set()
        self._lock = threading.RLock()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._serve, name=f"{self.name} simulator")
        self._thread.start()
        assert self._started.wait(60)
        desk.on_report(self._reported)

    # -- the thread

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start_server())
        self._started.set()
        self._loop.run_forever()
        self._loop.close()

    async def _start_server(self):
        self._stopped = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{host}/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]

    async def _stop_server(self):
        self._stopped.set()
        for stream in list(self._streams):
            self._abort(stream)
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._runner.cleanup()

    def close(self):
        self.run(self._stop_server())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)

    def run(self, work):
        """Perform a coroutine in the thread of the server; return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def now_ms(self):
        ahead = SKEW_MS if self.faults.planned.get(Fault.CLOCK_SKEW) else 0
        return int(time.time() * 1000) + ahead

    # -- requests

    async def _handle(self, request):
        host, path = request.match_info["host"], request.match_info["path"]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._talk(request, host, path)
        body = (await request.read()).decode()
        self.asked.append((request.method, path))
        if self.is_garbled:
            return web.Response(text='{"result":{"list":[', content_type="application/json")
        return await self.answer(request, path, body)

    async def answer(self, request, path, body):
        raise NotImplementedError

    async def with_faults(self, request, act, error):
        """Perform `act` (a new order) with whatever goes wrong now; `error` makes an error answer of a status."""
        happens = self.faults.happens
        if happens(Fault.DROP_REQUEST):
            await self._never()
        if happens(Fault.ERROR_5XX):
            return error(504)
        if happens(Fault.RATE_LIMIT):
            return error(429)
        is_early = happens(Fault.FILL_BEFORE_ACK)
        answer = act()
        if is_early:
            await asyncio.sleep(0.05)
        if happens(Fault.DROP_RESPONSE):
            await self._never()
        if happens(Fault.ERROR_5XX_EXECUTED):
            return error(504)
        if happens(Fault.RESET_EXECUTED):
            request.transport.abort()
            await self._never()
        if happens(Fault.HALF_ANSWER):
            return await self._half(request, answer)
        return answer

    async def _never(self):
        await self._stopped.wait()
        raise web.HTTPServiceUnavailable

    async def _half(self, request, answer):
        text = answer.text
        if request.headers.get("X-Half", "") or self.faults.happened[Fault.HALF_ANSWER] % 2:
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        whole = web.StreamResponse(headers={"Content-Type": "application/json"})
        whole.content_length = len(text)
        await whole.prepare(request)
        await whole.write(text[: len(text) // 2].encode())
        request.transport.close()
        return whole

    # -- what the desk reports

    def _reported(self, report):
        if getattr(report, "status", None) is OrderStatus.REJECTED:
            return  # refused in the answer; no stream tells of it
        placed = self._by_key.get(report.client_order_id) or self._placed_by_hand(report)
        if isinstance(report, FillReport):
            placed.filled += report.last_qty
            number = next(self._trade_numbers)
            placed.fills.append((report, number))
            messages = self.fill_messages(placed, report, number, placed.filled)
            self._loop.call_soon_threadsafe(self._publish, messages, True)
        else:
            messages = self.status_messages(placed, report)
            self._loop.call_soon_threadsafe(self._publish, messages, False)

    def _placed_by_hand(self, report):
        """Somebody traded through the web page: the desk knows the order, and nobody sent it here."""
        state = self.desk.order(report.client_order_id)
        number = next(self._numbers)
        placed = Placed(
            number,
            self.venue_id(number),
            f"web_{number}",
            report.client_order_id,
            report.instrument_id,
            self.request_of(state),
            self.now_ms,
        )
        self._by_key[placed.key] = self._orders[placed.id] = placed
        return placed

    def request_of(self, state):
        """Return the request that would have made an order, for one that was made by hand."""
        raise NotImplementedError

    def fill_messages(self, placed, report, number, cumulated):
        raise NotImplementedError

    def status_messages(self, placed, report):
        raise NotImplementedError

    def tell_rejected(self, placed):
        raise NotImplementedError

    def _later(self, delay, call, *args):
        self._loop.call_soon_threadsafe(self._loop.call_later, delay, call, *args)

    def _publish(self, messages, is_fill):
        """Tell private streams; runs in the thread of the server."""
        if self.faults.planned.get(Fault.MUTE_STREAM):
            self.faults.happens(Fault.MUTE_STREAM)
            return
        private = [stream for stream in self._streams if stream.is_private]
        if messages and self.faults.happens(Fault.DROP_STREAM):
            for stream in private:
                self._abort(stream)
            return
        if is_fill and self.faults.happens(Fault.REORDER_FILLS):
            self._held.append(messages)
            return
        if messages and self.faults.happens(Fault.MALFORMED):
            messages = ['{"e":"executionReport","q":', self.unknown_message(), *messages]
        copies = 3 if is_fill and self.faults.happens(Fault.DUPLICATE_FILLS) else 1
        for _ in range(copies):
            for message in messages:
                self._broadcast(private, message)

    def release(self):
        held, self._held = self._held, []
        for messages in reversed(held):
            self._loop.call_soon_threadsafe(self._tell_all, messages)

    def _tell_all(self, messages):
        for message in messages:
            self._broadcast([s for s in self._streams if s.is_private], message)

    def _broadcast(self, streams, message):
        for stream in streams:
            self.spawn(stream.send(message))

    def unknown_message(self):
        return {"kind": "of tomorrow", "data": [1, 2, 3]}

    # -- streams

    async def _talk(self, request, host, path):
        ws = web.WebSocketResponse(autoping=False, timeout=0.1)
        await ws.prepare(request)
        self.sockets_opened += 1
        stream = Stream(ws, path)
        self._streams.add(stream)
        try:
            async for message in ws:
                if message.type is WSMsgType.PING:
                    if not self._is_mute(stream):
                        await ws.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    await self.heard(stream, json.loads(message.data))
        finally:
            self._streams.discard(stream)
        return ws

    async def heard(self, stream, message):
        raise NotImplementedError

    def _is_mute(self, stream):
        return bool(self.faults.planned.get(Fault.MUTE_STREAM))

    def _abort(self, stream):
        self._streams.discard(stream)
        transport = stream.ws._req.transport if stream.ws._req is not None else None
        if transport is not None:
            transport.abort()

    def cut(self):
        """Break every stream, as a network failure does."""

        async def cut():
            for stream in list(self._streams):
                self._abort(stream)

        self.run(cut())

    def tell(self, topic, message):
        """Tell everyone who subscribed to a topic of market data."""

        self.run(self.tell_now(topic, message))

    async def tell_now(self, topic, message):
        """The same, in the thread of the server."""
        for stream in list(self._streams):
            if topic in stream.topics and not self._is_mute(stream):
                await stream.send(message)

    def book(self, *, bids=(), asks=(), is_lost=False):
        """Change the book (prices and sizes as text) and tell of it, unless that message is lost.

        In the thread of the server: a snapshot never has the number of a change without the change.
        """
        self.run(self._change_book(bids, asks, is_lost=is_lost))

    async def _change_book(self, bids, asks, *, is_lost):
        raise NotImplementedError

    def spawn(self, work):
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def dumps(message):
    return json.dumps(message, separators=(",", ":"))


def answer(message, status=200, headers=None):
    return web.Response(
        text=dumps(message), status=status, content_type="application/json", headers=headers
    )

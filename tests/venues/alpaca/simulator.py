"""Alpaca's trading API on 127.0.0.1: REST and the stream of trade updates, in front of the desk."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from tests.venues.alpaca.ledger import Ledger
from tests.venues.alpaca.listings import EXCHANGES, Listings
from tests.venues.alpaca.market import MarketServer
from tests.venues.alpaca.records import OPEN, Record, Refused, rfc3339
from tests.venues.alpaca.update_stream import UpdateStream
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults

KEY, SECRET = "PKTESTKEY0123456789", "s3cr3tCanaryDoNotLeak0123456789abcdef"
_SKEW_NS = 3_000_000_000
_TICK_S = 0.02


class AlpacaSimulator:
    """Runs in a thread of its own, with its own event loop.

    Attributes
    ----------
    limit_per_min : int
        Requests of one minute before 429.
    requests : list of (method, path, monotonic time)
    held : set of str
        Requests ("GET /v2/account") that are admitted and then wait until they are taken out again.
    held_answers : set of str
        Order requests that are performed and told of; their answers wait until they are taken out again.
    now : function
        The clock (ns UTC) that `/v2/clock` tells.
    """

    def __init__(
        self, desk: Desk, faults: Faults | None = None, *, limit_per_min: int = 100_000
    ) -> None:
        self.desk = desk
        self.faults = faults or Faults()
        self.limit_per_min = limit_per_min
        self.rate_headers = True
        self.requests: list[tuple[str, str, float]] = []
        self.bodies: list[dict[str, Any]] = []
        self.refused: Counter[int] = Counter()
        self.held: set[str] = set()
        self.held_answers: set[str] = set()
        self.now: Callable[[], int] = time.time_ns
        self.hidden_legs = False
        self._times: deque[float] = deque()
        self._loop = asyncio.new_event_loop()
        self.stream = UpdateStream(self.faults, self.knows)
        self.ledger = Ledger(desk, self.stream.tell)
        self.ledger.on_heard = self._heard
        self.listings = Listings(self.ledger)
        self.market = MarketServer(self)
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._main, name="alpaca-simulator", daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    @property
    def options(self) -> dict[str, Any]:
        """What points an adapter here."""
        http, ws = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        return {
            "api_url": http,
            "trading_stream_url": f"{ws}/stream",
            "data_url": http,
            "stock_stream_url": f"{ws}/v2/iex",
            "crypto_stream_url": f"{ws}/v1beta3/crypto/us",
            "option_stream_url": f"{ws}/v1beta1/indicative",
        }

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in the simulator's thread and return its result."""

        async def run() -> Any:
            result = function()
            return await result if isinstance(result, Awaitable) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def count(self, request: str) -> int:
        """How many of one request ("GET /v2/account") have come."""
        return sum(f"{method} {path}" == request for method, path, _ in list(self.requests))

    def cut(self) -> None:
        self.call(lambda: self._abort([*self.stream.sockets, *self.market.sockets]))

    def release(self) -> None:
        self.call(self.stream.release)

    def say(self, raw: bytes) -> None:
        """Send a frame as it is to every listener of the trading stream."""
        self.call(lambda: self.stream.say(raw))

    # -- the thread

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(middlewares=[self._middleware])
        app.add_routes(self._routes())
        app.add_routes(self.market.routes())
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self._ready.set()
        ticker = asyncio.create_task(self._watch_faults())
        await self._stop.wait()
        ticker.cancel()
        self._abort([*self.stream.sockets, *self.market.sockets])
        await runner.cleanup()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _watch_faults(self) -> None:
        was_bad = False
        while True:
            await asyncio.sleep(_TICK_S)
            if self.faults.happens(Fault.DROP_STREAM):
                self._abort(self.stream.sockets)
            is_bad = Fault.BAD_CREDENTIALS in self.faults.planned
            if is_bad and not was_bad:
                self._abort([*self.stream.sockets, *self.market.sockets])
            was_bad = is_bad

    def _abort(self, sockets: list[web.WebSocketResponse]) -> None:
        for socket in sockets:
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()

    def _heard(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.ledger.drain)

    # -- REST

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/orders", self._submit),
            web.get("/v2/orders", self._orders),
            web.delete("/v2/orders", self._cancel_all),
            web.get("/v2/orders:by_client_order_id", self._by_client_id),
            web.get("/v2/orders/{id}", self._order),
            web.patch("/v2/orders/{id}", self._replace),
            web.delete("/v2/orders/{id}", self._cancel),
            web.get("/v2/positions", self._positions),
            web.get("/v2/account", self._account),
            web.get("/v2/account/activities/{kind}", self._activities),
            web.get("/v2/clock", self._clock),
            web.get("/v2/assets/{symbol}", self.listings.asset),
            web.get("/v2/options/contracts/{symbol}", self.listings.contract),
            web.get("/stream", self.stream.serve),
        ]

    async def _let_go(self, request: web.Request, held: set[str]) -> None:
        while f"{request.method} {request.path}" in held:  # noqa: ASYNC110 - other thread
            await asyncio.sleep(0.005)

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await handler(request)
        now = time.monotonic()
        self.requests.append((request.method, request.path, now))
        try:
            self._admit(request, now)
            await self._let_go(request, self.held)
            answer = await handler(request)
        except Refused as refusal:
            self.refused[refusal.status] += 1
            body: dict[str, Any] = {"message": refusal.message}
            if refusal.code:
                body["code"] = refusal.code
            answer = web.json_response(body, status=refusal.status)
        if self.rate_headers and not answer.prepared:
            answer.headers["X-RateLimit-Limit"] = str(self.limit_per_min)
            answer.headers["X-RateLimit-Remaining"] = str(self.limit_per_min - len(self._times))
            is_full = len(self._times) >= self.limit_per_min
            reset = self._times[0] + 60 - now if is_full else 0
            answer.headers["X-RateLimit-Reset"] = str(int(time.time() + reset) + 1)
            answer.headers["Date"] = formatdate((time.time_ns() + self.skew_ns) / 1e9, usegmt=True)
        return answer

    def _admit(self, request: web.Request, now: float) -> None:
        keys = (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY"))
        if None in keys:
            raise Refused(401, 0, "unauthorized.")
        if not self.knows(keys):
            raise Refused(403, 0, "forbidden.")
        while self._times and self._times[0] <= now - 60:
            self._times.popleft()
        is_order = request.method != "GET"
        if len(self._times) >= self.limit_per_min or (
            is_order and self.faults.happens(Fault.RATE_LIMIT)
        ):
            raise Refused(429, 0, "too many requests.")
        self._times.append(now)

    def knows(self, keys: tuple[Any, Any]) -> bool:
        return keys == (KEY, SECRET) and not self.faults.happens(Fault.BAD_CREDENTIALS)

    @property
    def skew_ns(self) -> int:
        return _SKEW_NS if self.faults.happens(Fault.CLOCK_SKEW) else 0

    async def _change(
        self, request: web.Request, act: Callable[[], web.Response]
    ) -> web.StreamResponse:
        """Perform an order request, with whatever is planned to go wrong."""
        faults = self.faults
        if faults.happens(Fault.DROP_REQUEST):
            await self._never()
        if faults.happens(Fault.ERROR_5XX):
            return web.Response(status=504, text="<html>504 Gateway Time-out</html>")
        is_early = faults.happens(Fault.FILL_BEFORE_ACK)
        self.stream.is_holding = not is_early
        try:
            answer = act()
            self.ledger.drain()
        finally:
            self.stream.is_holding = False
        try:
            if is_early:
                await asyncio.sleep(0.1)
            await self._let_go(request, self.held_answers)
            if faults.happens(Fault.DROP_RESPONSE):
                self.stream.flush()
                await self._never()
            if faults.happens(Fault.ERROR_5XX_EXECUTED):
                return web.Response(status=504, text="<html>504 Gateway Time-out</html>")
            if faults.happens(Fault.RESET_EXECUTED):
                assert request.transport is not None
                request.transport.abort()
            if faults.happens(Fault.HALF_ANSWER):
                return await self._half(request, answer)
            return answer
        finally:
            self._loop.call_later(_TICK_S, self.stream.flush)

    async def _never(self) -> None:
        await asyncio.Event().wait()

    async def _half(self, request: web.Request, answer: web.Response) -> web.StreamResponse:
        body = answer.body if isinstance(answer.body, bytes) else b'{"id":'
        half = web.StreamResponse(headers={"Content-Type": "application/json"})
        half.content_length = max(len(body), 20)
        await half.prepare(request)
        await half.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
        return half

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)

        def act() -> web.Response:
            is_doomed = self.faults.happens(Fault.REJECT_AFTER_ACK)
            record = self.ledger.submit(body, reach_desk=not is_doomed)
            if is_doomed:
                self._loop.call_later(3 * _TICK_S, self._reject, record)
            view = record.view()
            if self.hidden_legs:
                view["legs"] = None
            return web.json_response(view)

        return await self._change(request, act)

    def _reject(self, record: Record) -> None:
        record.status, record.updated_at = "rejected", time.time_ns()
        self.ledger.tell("rejected", record)

    async def _replace(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)

        def act() -> web.Response:
            return web.json_response(self.ledger.replace(request.match_info["id"], body).view())

        return await self._change(request, act)

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        def act() -> web.Response:
            self.ledger.cancel(request.match_info["id"])
            return web.Response(status=204)

        return await self._change(request, act)

    async def _cancel_all(self, request: web.Request) -> web.StreamResponse:
        def act() -> web.Response:
            results = []
            for record in [r for r in self.ledger.records.values() if r.status in OPEN]:
                if record.parent is not None and record.order_class == "mleg":
                    continue
                self.ledger.drain()
                if record.status in OPEN:
                    self.ledger.cancel(record.id)
                results.append({"id": record.id, "status": 200, "body": None})
            return web.json_response(results, status=207)

        return await self._change(request, act)

    async def _orders(self, request: web.Request) -> web.Response:
        self.ledger.drain()
        query = request.query
        wanted, nested = query.get("status", "open"), query.get("nested") == "true"
        records = [
            r
            for r in self.ledger.records.values()
            if wanted == "all" or (r.status in OPEN) == (wanted == "open")
        ]
        if nested:  # the legs of a parent that is not in the answer stand for themselves
            listed = {r.id for r in records}
            records = [r for r in records if r.parent is None or r.parent.id not in listed]
        if "after" in query:
            records = [r for r in records if rfc3339(r.submitted_at) > query["after"]]
        records.sort(key=lambda r: r.submitted_at, reverse=query.get("direction", "desc") == "desc")
        limit = min(int(query.get("limit", "50")), 500)
        return web.json_response([r.view(nested) for r in records[:limit]])

    async def _by_client_id(self, request: web.Request) -> web.Response:
        self.ledger.drain()
        record = self.ledger.by_client.get(request.query["client_order_id"])
        if record is None:
            raise Refused(404, 40410000, f"order not found for {request.query['client_order_id']}")
        return web.json_response(record.view(nested=False))

    async def _order(self, request: web.Request) -> web.Response:
        self.ledger.drain()
        record = self.ledger.find(request.match_info["id"])
        return web.json_response(record.view(request.query.get("nested") == "true"))

    async def _positions(self, request: web.Request) -> web.Response:
        self.ledger.drain()
        views = []
        for report in self.desk.mass_status().positions:
            held = self.desk.instruments[report.instrument_id]
            symbol = held.venue_symbol or report.instrument_id.rpartition(".")[0]
            quantity = report.quantity / held.multiplier - self.ledger.activities.fees_taken.get(
                symbol, 0
            )
            views.append(
                {
                    "symbol": symbol.replace("/", ""),
                    "exchange": EXCHANGES.get(report.instrument_id.rpartition(".")[2], ""),
                    "qty": f"{quantity:f}",
                    "side": "long" if quantity > 0 else "short",
                    "avg_entry_price": f"{report.avg_px:f}",
                }
            )
        return web.json_response(views)

    async def _account(self, request: web.Request) -> web.Response:
        cash = f"{self.desk.cash:f}"
        return web.json_response(
            {
                "cash": cash,
                "currency": "USD",
                "equity": cash,
                "buying_power": cash,
                "status": "ACTIVE",
            }
        )

    async def _activities(self, request: web.Request) -> web.Response:
        self.ledger.drain()
        query, kind = request.query, request.match_info["kind"]
        found = [a for a in self.ledger.activities.rows if a["activity_type"] == kind]
        if "after" in query:
            found = [a for a in found if rfc3339(a["_ts"]) > query["after"]]
        if query.get("direction", "desc") == "desc":
            found.reverse()
        if "page_token" in query:
            ids = [a["id"] for a in found]
            found = found[ids.index(query["page_token"]) + 1 :]
        page = found[: int(query.get("page_size", "100"))]
        return web.json_response([{k: v for k, v in a.items() if k != "_ts"} for a in page])

    async def _clock(self, request: web.Request) -> web.Response:
        now = rfc3339(self.now() + self.skew_ns)
        return web.json_response(
            {"timestamp": now, "is_open": True, "next_open": now, "next_close": now}
        )

"""Kraken spot: REST with nonces and signatures over the path, and websockets v2 with checksums."""

import asyncio
import base64
import hashlib
import hmac
import json
from decimal import Decimal
from urllib.parse import parse_qsl

from aiohttp import web

from tests.venues.ccxt.kraken_market import (
    ALTNAME,
    COINS,
    ERRORS,
    PAIR,
    SYMBOL,
    KrakenMarket,
    raw,
    stamp,
    words,
)
from tests.venues.ccxt.placed import Refusal
from tests.venues.ccxt.simulator import Simulator, answer
from tests.venues.faults import Fault
from trading.commands import SubmitOrder
from trading.identifiers import StrategyId
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce

STATUSES = {
    OrderStatus.ACCEPTED: "open",
    OrderStatus.PARTIALLY_FILLED: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
}
TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP_MARKET,
    "stop-loss-limit": OrderType.STOP_LIMIT,
}
PAGE = 50


class Kraken(KrakenMarket, Simulator):
    """One pair, BTC/USD, under the four names that Kraken has for it."""

    name = "kraken"
    cash = "USD"
    heartbeat_s = 0.5

    def __init__(self, desk, faults):
        (self._key,) = desk.instruments
        self._nonce = 0
        self._tokens = set()
        self._book = {"bids": {}, "asks": {}}
        super().__init__(desk, faults)

    def venue_id(self, number):
        return f"O{number:06d}-SIMUL-ATED00"

    # -- requests

    async def answer(self, request, path, body):
        try:
            if path.startswith("0/public/"):
                return _good(self._public(path.rpartition("/")[2], request.query))
            values = self._signed(request, path, body)
            if path == "0/private/AddOrder":
                return await self.with_faults(request, lambda: self._add(values), self._error)
            return _good(self._private(path.rpartition("/")[2], values))
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal):
        return answer({"error": [ERRORS.get(refusal.what, f"EOrder:{refusal.reason}")]})

    def _error(self, status):
        if status == 429:
            return answer({"error": ["EOrder:Rate limit exceeded"]})
        return web.Response(text="<html>504 Gateway Time-out</html>", status=status)

    def _signed(self, request, path, body):
        if request.headers.get("API-Key") != self.key or self.faults.happens(Fault.BAD_CREDENTIALS):
            raise Refusal("BAD_KEY")
        is_json = body.startswith("{")
        values = json.loads(body) if is_json else dict(parse_qsl(body, keep_blank_values=True))
        digest = hashlib.sha256((values["nonce"] + body).encode()).digest()
        secret = base64.b64decode(self.secret)
        signature = hmac.new(secret, f"/{path}".encode() + digest, hashlib.sha512).digest()
        if base64.b64encode(signature).decode() != request.headers.get("API-Sign"):
            raise Refusal("BAD_SIGNATURE")
        if int(values["nonce"]) <= self._nonce:
            raise Refusal("BAD_NONCE")
        self._nonce = int(values["nonce"])
        return values

    def _private(self, method, values):
        match method:
            case "CancelOrder":
                self.cancel(self._named(values))
                return {"count": 1}
            case "AmendOrder":
                return self._amend(values)
            case "OpenOrders":
                found = self._wanted(self.open_orders(), values)
                return {"open": {each.id: self._describe(each) for each in found}}
            case "ClosedOrders":
                working = {each.id for each in self.open_orders()}
                closed = [each for each in self.placed() if each.id not in working]
                found = self._wanted(closed, values)
                return {"closed": {each.id: self._describe(each) for each in found}, "count": 1}
            case "QueryOrders":
                found = [self.find(order_id=each) for each in values["txid"].split(",")]
                return {each.id: self._describe(each) for each in found if each is not None}
            case "TradesHistory":
                return self._trades(values)
            case "BalanceEx":
                return self._balances()
            case "GetWebSocketsToken":
                token = f"token-{len(self._tokens)}-{self.key[:6]}"
                self._tokens.add(token)
                return {"token": token, "expires": 900}
            case _:
                raise Refusal("NO_METHOD")

    # -- orders

    def _add(self, values):
        try:
            if values["pair"] != PAIR:
                raise Refusal("UNKNOWN_INSTRUMENT")
            placed = self.place(values.get("cl_ord_id", ""), self._order_of(values), values)
        except Refusal as refusal:
            return self._refused(refusal)
        text = f"{values['type']} {values['volume']} {ALTNAME} @ {words(values)}"
        return _good({"descr": {"order": text}, "txid": [placed.id]})

    def _order_of(self, values):
        kind = TYPES[values["ordertype"]]
        price, price2 = values.get("price"), values.get("price2")
        is_stop = kind in {OrderType.STOP_MARKET, OrderType.STOP_LIMIT}
        limit = price2 if is_stop else price
        return SubmitOrder(
            client_order_id="",
            account_id=self.desk.account_id,
            strategy_id=StrategyId("venue"),
            instrument_id=self._key,
            side=OrderSide(values["type"].upper()),
            quantity=Decimal(values["volume"]),
            order_type=kind,
            time_in_force=TimeInForce(values.get("timeinforce", "GTC").upper()),
            price=Decimal(limit) if limit and "limit" in values["ordertype"] else None,
            trigger_price=Decimal(price) if is_stop else None,
            post_only="post" in values.get("oflags", ""),
        )

    def request_of(self, state):
        kind = next(name for name, each in TYPES.items() if each is state.order_type)
        request = {"type": state.side.lower(), "ordertype": kind, "volume": str(state.quantity)}
        return request if state.price is None else {**request, "price": str(state.price)}

    def _amend(self, values):
        placed = self._named(values)
        changes = {
            "quantity": _decimal(values.get("order_qty")),
            "price": _decimal(values.get("limit_price")),
            "trigger_price": _decimal(values.get("trigger_price")),
        }
        self.replace(placed, **changes)
        return {"amend_id": "TSIMUL-AMEND-000001"}

    def _named(self, values):
        if "cl_ord_id" in values:
            placed = self.find(client_id=values["cl_ord_id"])
        else:
            placed = self.find(order_id=values["txid"])
        if placed is None or placed.rejected:
            raise Refusal("UNKNOWN_ORDER")
        return placed

    def _wanted(self, orders, values):
        wanted = values.get("cl_ord_id")
        return [each for each in orders if wanted in {None, each.client_id}][-PAGE:]

    def _describe(self, placed):
        request = placed.request
        report = None if placed.rejected else self.state(placed)
        quantity = Decimal(request["volume"]) if report is None else report.quantity
        price = request.get("price", "0") if report is None else _or_zero(report)
        return {
            "refid": None,
            "userref": 0,
            "cl_ord_id": placed.client_id,
            "status": "canceled" if report is None else STATUSES[report.status],
            "reason": "Cannot settle" if report is None else None,
            "opentm": placed.created_ms / 1000,
            "starttm": 0,
            "expiretm": 0,
            "descr": {
                "pair": ALTNAME,
                "type": request["type"],
                "ordertype": request["ordertype"],
                "price": price,
                "price2": request.get("price2", "0"),
                "leverage": "none",
                "order": f"{request['type']} {quantity} {ALTNAME} @ {words(request)}",
                "close": "",
            },
            "vol": f"{quantity:.8f}",
            "vol_exec": f"{placed.filled:.8f}",
            "cost": "0.00000",
            "fee": "0.00000",
            "price": "0.00000",
            "stopprice": "0.00000",
            "limitprice": "0.00000",
            "misc": "",
            "oflags": "fciq",
        }

    def _trades(self, values):
        start, offset = int(values.get("start", 0)), int(values.get("ofs", 0))
        found = [
            (number, placed, fill)
            for placed, (fill, number) in reversed(self.executed())
            if fill.ts_event / 1e9 > start
        ]
        trades = {
            _execution_id(number): {
                "ordertxid": placed.id,
                "postxid": "TKH2SE-M7IF5-CFI7LT",
                "pair": PAIR,
                "time": fill.ts_event / 1e9,
                "type": fill.side.lower(),
                "ordertype": placed.request["ordertype"],
                "price": f"{fill.last_px:.5f}",
                "cost": f"{fill.last_px * fill.last_qty:.5f}",
                "fee": str(fill.commission),
                "vol": f"{fill.last_qty:.8f}",
                "margin": "0.00000",
                "misc": "",
                "trade_id": number,
                "maker": fill.liquidity_side is LiquiditySide.MAKER,
            }
            for number, placed, fill in found[offset : offset + PAGE]
        }
        return {"trades": trades, "count": len(found)}

    def _balances(self):
        return {
            COINS[coin]: {"balance": str(self.balance(coin)), "hold_trade": "0.0000"}
            for coin in ("BTC", "USD")
        }

    # -- streams

    async def heard(self, stream, message):
        method, number = message.get("method"), message.get("req_id")
        if method == "ping":
            if not self._is_mute(stream):
                await stream.send({"method": "pong", "req_id": number})
        elif method == "subscribe":
            await self._subscribe(stream, message["params"], number)

    async def _subscribe(self, stream, params, number):
        channel = params["channel"]
        if channel in {"executions", "balances"} and params.get("token") not in self._tokens:
            error = {"error": "ESession:Invalid session", "method": "subscribe", "success": False}
            await stream.send({**error, "req_id": number})
            return
        if not stream.topics:
            self.spawn(self._beat(stream))
        result = {"channel": channel, "symbol": SYMBOL}
        await stream.send(
            {"method": "subscribe", "req_id": number, "result": result, "success": True}
        )
        stream.topics.add(channel)
        if channel == "executions":
            await self._snapshot_of_orders(stream)
        if channel == "book":
            levels = [[[p, q] for p, q, _ in self._levels(side)] for side in ("bids", "asks")]
            await stream.send(raw(self._book_message("snapshot", *levels)))

    async def _snapshot_of_orders(self, stream):
        stream.is_private = True
        data = [self._event(each, self.state(each), "new") for each in self.open_orders()]
        await stream.send(
            raw({"channel": "executions", "type": "snapshot", "data": data, "sequence": 1})
        )

    async def _beat(self, stream):
        while stream in self._streams:
            await asyncio.sleep(self.heartbeat_s)
            if not self._is_mute(stream):
                await stream.send({"channel": "heartbeat"})

    def fill_messages(self, placed, report, number, cumulated):
        state = self.state(placed)
        is_done = cumulated >= state.quantity
        trade = {
            **self._event(placed, state, "filled" if is_done else "partially_filled"),
            "exec_type": "trade",
            "exec_id": _execution_id(number),
            "trade_id": number,
            "last_qty": report.last_qty,
            "last_price": report.last_px,
            "liquidity_ind": "m" if report.liquidity_side is LiquiditySide.MAKER else "t",
            "cost": report.last_px * report.last_qty,
            "fees": [{"asset": "USD", "qty": report.commission}],
            "cum_qty": cumulated,
            "timestamp": stamp(report.ts_event // 1_000_000),
        }
        messages = [_executions([trade])]
        if is_done:
            done = {"order_id": placed.id, "cl_ord_id": placed.client_id, "exec_type": "filled"}
            done |= {
                "order_status": "filled",
                "cum_qty": cumulated,
                "timestamp": trade["timestamp"],
            }
            messages.append(_executions([done]))
        return messages

    def status_messages(self, placed, report):
        if report.status in {OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED}:
            return []
        if report.status is OrderStatus.ACCEPTED:
            event = {**self._event(placed, report, "new"), "exec_type": "new"}
            return [_executions([event])]
        return [self._ended(placed, STATUSES[report.status], report.filled_qty)]

    def tell_rejected(self, placed):
        self._publish([self._ended(placed, "canceled", Decimal(0))], False)

    def _ended(self, placed, status, filled):
        """The end of an order; Kraken names neither the pair nor the quantity then."""
        event = {
            "timestamp": stamp(self.now_ms),
            "order_status": status,
            "exec_type": status,
            "order_userref": 0,
            "order_id": placed.id,
            "cl_ord_id": placed.client_id,
            "cum_qty": filled,
            "cum_cost": 0,
            "fee_usd_equiv": 0,
            "avg_price": 0,
            "reason": "User requested",
        }
        return _executions([event])

    def _event(self, placed, report, status):
        event = {
            "order_id": placed.id,
            "cl_ord_id": placed.client_id,
            "symbol": SYMBOL,
            "order_qty": report.quantity,
            "cum_qty": placed.filled,
            "cum_cost": 0,
            "time_in_force": "GTC",
            "exec_type": "pending_new",
            "side": placed.request["type"],
            "order_type": placed.request["ordertype"],
            "order_status": status,
            "fee_usd_equiv": 0,
            "timestamp": stamp(self.now_ms),
        }
        return event if report.price is None else {**event, "limit_price": report.price}

    def unknown_message(self):
        return {"channel": "of_tomorrow", "type": "update", "data": [{"x": 1}]}


def _executions(data):
    return raw({"channel": "executions", "type": "update", "data": data, "sequence": 2})


def _good(result):
    return answer({"error": [], "result": result})


def _decimal(text):
    return None if text in {None, ""} else Decimal(text)


def _or_zero(report):
    price = report.price if report.trigger_price is None else report.trigger_price
    return "0" if price is None else str(price)


def _execution_id(number):
    return f"T{number:05d}-SIMUL-ATEDTR"

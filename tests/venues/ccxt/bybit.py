"""Bybit v5, unified account: spot or linear perpetuals, REST and websockets."""

import hashlib
import hmac
import json
from decimal import Decimal
from urllib.parse import parse_qsl

from aiohttp import web

from tests.venues.ccxt.bybit_market import MARKET_ID, BybitMarket
from tests.venues.ccxt.placed import WORKING, Refusal
from tests.venues.ccxt.simulator import Simulator, answer
from tests.venues.faults import Fault
from trading.commands import SubmitOrder
from trading.identifiers import StrategyId
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce

ERRORS = {
    "DUPLICATE_CLIENT_ORDER_ID": {"spot": (170141, "Duplicate clientOrderId.")},
    "INSUFFICIENT_CASH": {"spot": (170131, "Insufficient balance.")},
    "UNKNOWN_ORDER": {"spot": (170213, "Order does not exist.")},
    "ORDER_CLOSED": {"spot": (170213, "Order does not exist.")},
    "BAD_QUANTITY": {"spot": (170137, "Order volume decimal too long.")},
    "BAD_PRICE": {"spot": (170134, "Order price decimal too long.")},
    "POST_ONLY_WOULD_TRADE": {"spot": (170218, "The LIMIT-MAKER order is rejected.")},
}
LINEAR = {
    "DUPLICATE_CLIENT_ORDER_ID": (110072, "OrderLinkedID is duplicate"),
    "INSUFFICIENT_CASH": (110007, "ab not enough for new order"),
    "UNKNOWN_ORDER": (110001, "order not exists or too late to cancel"),
    "ORDER_CLOSED": (110001, "order not exists or too late to cancel"),
}
GENERAL = {
    "BAD_KEY": (10003, "API key is invalid."),
    "BAD_SIGNATURE": (10004, "error sign! please check your signature generation algorithm."),
    "BAD_TIME": (
        10002,
        "invalid request, please check your server timestamp or recv_window param.",
    ),
    "BAD_PARAMETER": (10001, "params error"),
}
STATUSES = {
    OrderStatus.ACCEPTED: "New",
    OrderStatus.PARTIALLY_FILLED: "PartiallyFilled",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
}


class Bybit(BybitMarket, Simulator):
    """One market, BTCUSDT; `category` says whether it is the pair or the perpetual."""

    name = "bybit"
    cash = "USDT"
    category = "spot"
    page = 100

    def __init__(self, desk, faults):
        (self._key,) = desk.instruments
        self._update = 100
        self._book = {"bids": {}, "asks": {}}
        super().__init__(desk, faults)

    def venue_id(self, number):
        return f"{number:08d}-aaaa-bbbb-cccc-000000000000"

    # -- requests

    async def answer(self, request, path, body):
        try:
            if path.startswith("v5/market/"):
                return self._good(self._market(path.rpartition("/")[2], request.query))
            values = self._signed(request, body)
            if path == "v5/order/create":
                return await self.with_faults(request, lambda: self._create(values), self._error)
            return self._good(self._private(path, values))
        except Refusal as refusal:
            return self._refused(refusal)

    def _good(self, result):
        return answer(
            {
                "retCode": 0,
                "retMsg": "OK",
                "result": result,
                "retExtInfo": {},
                "time": self.now_ms,
            }
        )

    def _refused(self, refusal):
        code, text = GENERAL.get(refusal.what, (170210, refusal.reason or "New order rejected."))
        if self.category == "linear" and refusal.what in LINEAR:
            code, text = LINEAR[refusal.what]
        elif refusal.what in ERRORS:
            code, text = ERRORS[refusal.what]["spot"]
        return answer({"retCode": code, "retMsg": text, "result": {}, "time": self.now_ms})

    def _error(self, status):
        if status == 429:
            return answer({"retCode": 10006, "retMsg": "Too many visits!", "result": {}})
        return web.Response(text="<html>504 Gateway Time-out</html>", status=status)

    def _signed(self, request, body):
        headers = request.headers
        if headers.get("X-BAPI-API-KEY") != self.key or self.faults.happens(Fault.BAD_CREDENTIALS):
            raise Refusal("BAD_KEY")
        payload = body if request.method == "POST" else request.query_string
        stamp, window = headers["X-BAPI-TIMESTAMP"], headers["X-BAPI-RECV-WINDOW"]
        if headers["X-BAPI-SIGN"] != self._sign(stamp + self.key + window + payload):
            raise Refusal("BAD_SIGNATURE")
        if not -1000 < self.now_ms - int(stamp) <= int(window):
            raise Refusal("BAD_TIME")
        values = json.loads(body) if body else dict(parse_qsl(request.query_string))
        if values.get("category", self.category) != self.category:
            raise Refusal("BAD_PARAMETER")
        return values

    def _sign(self, text):
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _private(self, path, values):
        match path:
            case "v5/order/cancel":
                placed = self._named(values)
                self.cancel(placed)
                return {"orderId": placed.id, "orderLinkId": placed.client_id}
            case "v5/order/amend":
                return self._amend(values)
            case "v5/order/realtime":
                return self._list([self._describe(e) for e in self._wanted(values, is_open=True)])
            case "v5/order/history":
                return self._list([self._describe(e) for e in self._wanted(values, is_open=False)])
            case "v5/execution/list":
                return self._executions(values)
            case "v5/account/wallet-balance":
                return self._wallet()
            case "v5/position/list":
                return self._list(self._positions())
            case _:
                raise Refusal("BAD_PARAMETER")

    def _list(self, items, cursor=""):
        return {"category": self.category, "nextPageCursor": cursor, "list": items}

    # -- orders

    def _create(self, values):
        try:
            placed = self.place(values.get("orderLinkId", ""), self._order_of(values), values)
        except Refusal as refusal:
            return self._refused(refusal)
        return self._good({"orderId": placed.id, "orderLinkId": placed.client_id})

    def _order_of(self, values):
        is_stop, is_limit = "triggerPrice" in values, values["orderType"] == "Limit"
        kinds = {
            (False, False): OrderType.MARKET,
            (False, True): OrderType.LIMIT,
            (True, False): OrderType.STOP_MARKET,
            (True, True): OrderType.STOP_LIMIT,
        }
        is_market_pair = values["orderType"] == "Market" and self.category == "spot"
        if is_market_pair and values.get("marketUnit") != "baseCoin":
            raise Refusal("BAD_PARAMETER")  # it would be measured in quote currency
        time = values.get("timeInForce", "GTC")
        return SubmitOrder(
            client_order_id="",
            account_id=self.desk.account_id,
            strategy_id=StrategyId("venue"),
            instrument_id=self._key,
            side=OrderSide(values["side"].upper()),
            quantity=Decimal(values["qty"]),
            order_type=kinds[is_stop, is_limit],
            time_in_force=TimeInForce("GTC" if time == "PostOnly" else time),
            price=Decimal(values["price"]) if is_limit else None,
            trigger_price=Decimal(values["triggerPrice"]) if is_stop else None,
            post_only=time == "PostOnly",
        )

    def request_of(self, state):
        is_limit = state.price is not None
        request = {"side": state.side.capitalize(), "orderType": "Limit" if is_limit else "Market"}
        request |= {"qty": str(state.quantity), "timeInForce": "GTC"}
        return {**request, "price": str(state.price)} if is_limit else request

    def _amend(self, values):
        placed = self._named(values)
        names = {"quantity": "qty", "price": "price", "trigger_price": "triggerPrice"}
        changes = {ours: Decimal(values[name]) for ours, name in names.items() if name in values}
        self.replace(placed, **changes)
        return {"orderId": placed.id, "orderLinkId": placed.client_id}

    def _named(self, values):
        if "orderId" in values:
            placed = self.find(order_id=values["orderId"])
        else:
            placed = self.find(client_id=values["orderLinkId"])
        if placed is None or placed.rejected:
            raise Refusal("UNKNOWN_ORDER")
        is_stop = "triggerPrice" in placed.request and not self.state(placed).is_triggered
        wanted = values.get("orderFilter", "StopOrder" if is_stop else "Order")
        if self.category == "spot" and (wanted == "StopOrder") != is_stop:
            raise Refusal("UNKNOWN_ORDER")
        return placed

    def _wanted(self, values, *, is_open):
        found = []
        for each in self.placed():
            is_working = not each.rejected and self.state(each).status in WORKING
            is_stop = "triggerPrice" in each.request
            if is_working is not is_open or is_stop != (values.get("orderFilter") == "StopOrder"):
                continue
            names = (values.get("orderLinkId"), values.get("orderId"))
            if names[0] in {None, each.client_id} and names[1] in {None, each.id}:
                found.append(each)
        return found

    def _describe(self, placed):
        request = placed.request
        report = None if placed.rejected else self.state(placed)
        quantity = Decimal(request["qty"]) if report is None else report.quantity
        filled = placed.filled if report is None else report.filled_qty
        status = "Rejected" if report is None else STATUSES[report.status]
        is_waiting = "triggerPrice" in request and status == "New" and not report.is_triggered
        price = (
            request.get("price", "0") if report is None or report.price is None else report.price
        )
        found = {
            "category": self.category,
            "symbol": MARKET_ID,
            "orderId": placed.id,
            "orderLinkId": placed.client_id,
            "side": request["side"],
            "orderType": request["orderType"],
            "price": str(price),
            "qty": str(quantity),
            "marketUnit": "baseCoin" if request["orderType"] == "Market" else "",
            "orderStatus": "Untriggered" if is_waiting else status,
            "timeInForce": request.get("timeInForce", "GTC"),
            "cumExecQty": str(filled),
            "leavesQty": str(quantity - filled),
            "cumExecValue": "0",
            "avgPrice": "",
            "cumExecFee": "0",
            "rejectReason": "EC_CannotSettle" if report is None else "EC_NoError",
            "triggerPrice": request.get("triggerPrice", "0.000"),
            "stopOrderType": "Stop" if "triggerPrice" in request else "",
            "reduceOnly": request.get("reduceOnly", False),
            "createdTime": str(placed.created_ms),
            "updatedTime": str(self.now_ms),
        }
        return found if self.category == "spot" else {**found, "tpslMode": "Full"}

    def _executions(self, values):
        start, end = int(values.get("startTime", 0)), int(values.get("endTime", 2**62))
        found = [
            self._execution(placed, fill, number)
            for placed, (fill, number) in reversed(self.executed())
            if start <= fill.ts_event // 1_000_000 <= end
        ]
        limit = min(int(values.get("limit", 50)), self.page)
        first = int(values.get("cursor", 0))
        rest = found[first + limit :]
        return self._list(found[first : first + limit], str(first + limit) if rest else "")

    def _execution(self, placed, fill, number):
        return {
            "category": self.category,
            "symbol": MARKET_ID,
            "execId": f"{number:08d}-exec",
            "execType": "Trade",
            "execPrice": str(fill.last_px),
            "execQty": str(fill.last_qty),
            "execValue": str(fill.last_px * fill.last_qty),
            "execFee": str(fill.commission),
            "execTime": str(fill.ts_event // 1_000_000),
            "feeRate": "0",
            "isMaker": fill.liquidity_side is LiquiditySide.MAKER,
            "orderId": placed.id,
            "orderLinkId": placed.client_id,
            "orderQty": placed.request["qty"],
            "orderType": placed.request["orderType"],
            "side": placed.request["side"],
        }

    def _wallet(self):
        coins = [
            {"coin": coin, "walletBalance": str(self.balance(coin)), "locked": "0", "equity": "0"}
            for coin in ("BTC", "USDT")
            if self.category == "spot" or coin == "USDT"
        ]
        return {"list": [{"accountType": "UNIFIED", "coin": coins}]}

    def _positions(self):
        held = self.desk.positions.get(self._key, Decimal(0))
        side = "Buy" if held > 0 else "Sell" if held < 0 else ""
        position = {"symbol": MARKET_ID, "side": side, "size": str(abs(held)), "positionIdx": 0}
        position |= {
            "avgPrice": "100.5",
            "leverage": "10",
            "positionValue": "0",
            "markPrice": "100",
        }
        return [position]

    # -- streams

    async def heard(self, stream, message):
        number = message.get("req_id", "")
        match message.get("op"):
            case "ping" if not self._is_mute(stream):
                await stream.send(
                    {"success": True, "ret_msg": "pong", "op": "ping", "req_id": number}
                )
            case "auth":
                await self._authenticate(stream, message["args"])
            case "subscribe":
                await self._subscribe(stream, message["args"], number)

    async def _authenticate(self, stream, args):
        key, expires, signature = args
        is_good = key == self.key and signature == self._sign(f"GET/realtime{expires}")
        is_good = is_good and not self.faults.happens(Fault.BAD_CREDENTIALS)
        text = "" if is_good else "Params Error, the API key is invalid"
        stream.is_private = is_good
        await stream.send({"success": is_good, "ret_msg": text, "op": "auth", "conn_id": "c1"})

    async def _subscribe(self, stream, topics, number):
        done = {
            "success": True,
            "ret_msg": "",
            "conn_id": "c1",
            "req_id": number,
            "op": "subscribe",
        }
        await stream.send(done)
        for topic in topics:
            stream.topics.add(topic)
            if topic.startswith("orderbook.50."):
                await stream.send(self._book_message(topic, "snapshot", self._levels()))

    def fill_messages(self, placed, report, number, cumulated):
        execution = self._topic("execution", self._execution(placed, report, number))
        return [execution, self._topic("order", self._describe(placed))]

    def status_messages(self, placed, report):
        if report.status in {OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED}:
            return []
        return [self._topic("order", self._describe(placed))]

    def tell_rejected(self, placed):
        self._publish([self._topic("order", self._describe(placed))], False)

    def _topic(self, topic, data):
        return {"id": "m1", "topic": topic, "creationTime": self.now_ms, "data": [data]}


class BybitLinear(Bybit):
    """The same market as a perpetual."""

    category = "linear"

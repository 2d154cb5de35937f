"""Binance spot: REST v3, the websocket API with the user data stream, and market streams."""

import hashlib
import hmac
from decimal import Decimal
from urllib.parse import parse_qsl

from tests.venues.ccxt.binance_market import BinanceMarket
from tests.venues.ccxt.placed import Refusal
from tests.venues.ccxt.simulator import Simulator, answer
from tests.venues.faults import Fault
from trading.commands import SubmitOrder
from trading.identifiers import StrategyId
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce

ERRORS = {
    "DUPLICATE_CLIENT_ORDER_ID": (-2010, "Duplicate order sent."),
    "INSUFFICIENT_CASH": (-2010, "Account has insufficient balance for requested action."),
    "SHORT_NOT_ALLOWED": (-2010, "Account has insufficient balance for requested action."),
    "POST_ONLY_WOULD_TRADE": (-2010, "Order would immediately match and take."),
    "BAD_QUANTITY": (-1013, "Filter failure: LOT_SIZE"),
    "BAD_PRICE": (-1013, "Filter failure: PRICE_FILTER"),
    "BAD_TRIGGER_PRICE": (-1013, "Filter failure: PRICE_FILTER"),
    "UNKNOWN_INSTRUMENT": (-1121, "Invalid symbol."),
    "UNKNOWN_ORDER": (-2011, "Unknown order sent."),
    "ORDER_CLOSED": (-2011, "Unknown order sent."),
    "NO_SUCH_ORDER": (-2013, "Order does not exist."),
    "BAD_SIGNATURE": (-1022, "Signature for this request is not valid."),
    "BAD_KEY": (-2015, "Invalid API-key, IP, or permissions for action."),
    "BAD_TIME": (-1021, "Timestamp for this request is outside of the recvWindow."),
}
STATUSES = {
    OrderStatus.ACCEPTED: "NEW",
    OrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELED: "CANCELED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.REJECTED: "REJECTED",
}
TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "STOP_LOSS": OrderType.STOP_MARKET,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
}


class Binance(BinanceMarket, Simulator):
    """`instruments` of the desk are `BASE/QUOTE.<VENUE>`; their ids here are `BASEQUOTE`."""

    name = "binance"
    cash = "USDT"
    fee_coin = None
    """Coin that fees are told in; None: the quote currency, which is what the desk takes."""

    def __init__(self, desk, faults):
        self._symbols = {self._symbol(key): key for key in desk.instruments}
        self._last_update = 1_000
        self._book = {"bids": {}, "asks": {}}
        self._subscriptions = 0
        super().__init__(desk, faults)

    # -- requests

    async def answer(self, request, path, body):
        try:
            if path == "api/v3/order" and request.method == "POST":
                values = self._signed(request, body)
                return await self.with_faults(
                    request, lambda: self._new_order(values), self._error_answer
                )
            return answer(self._answer(request, path, body))
        except Refusal as refusal:
            return self._refused(refusal)

    def _answer(self, request, path, body):
        open_paths = {
            "api/v3/time": lambda: {"serverTime": self.now_ms},
            "api/v3/exchangeInfo": self._exchange_info,
            "api/v3/depth": lambda: self._depth(request),
            "api/v3/klines": lambda: self._klines(request),
            "api/v3/aggTrades": lambda: self._agg_trades(request),
        }
        if path in open_paths:
            return open_paths[path]()
        values = self._signed(request, body)
        signed = {
            ("GET", "api/v3/order"): self._get_order,
            ("DELETE", "api/v3/order"): self._delete_order,
            ("GET", "api/v3/openOrders"): self._open,
            ("GET", "api/v3/account"): self._account,
            ("GET", "api/v3/myTrades"): self._my_trades,
        }
        return signed[request.method, path](values)

    def _signed(self, request, body):
        """Check key, signature and time as the exchange does; return the parameters."""
        if request.headers.get("X-MBX-APIKEY") != self.key or self.faults.happens(
            Fault.BAD_CREDENTIALS
        ):
            raise Refusal("BAD_KEY")
        query = request.query_string or body
        signed, _, signature = query.rpartition("&signature=")
        if not hmac.compare_digest(signature, self._sign(signed)):
            raise Refusal("BAD_SIGNATURE")
        values = dict(parse_qsl(signed, keep_blank_values=True))
        late = self.now_ms - int(values["timestamp"])
        if not -1000 < late <= int(values.get("recvWindow", 5000)):
            raise Refusal("BAD_TIME")
        return values

    def _sign(self, text):
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _error_answer(self, status):
        if status == 429:
            body = {"code": -1003, "msg": "Too much request weight used; please use WebSocket."}
            return answer(body, 429, {"Retry-After": "1"})
        return answer({"code": -1007, "msg": "Timeout waiting for response."}, status)

    def _refused(self, refusal):
        code, text = ERRORS.get(refusal.what, (-2010, refusal.reason or refusal.what))
        status = 401 if refusal.what == "BAD_KEY" else 400
        return answer({"code": code, "msg": text}, status)

    # -- orders

    def _new_order(self, values):
        try:
            placed = self.place(values["newClientOrderId"], self._order_of(values), values)
        except Refusal as refusal:
            return self._refused(refusal)
        described = self._describe(placed)
        fills = [
            {
                "price": str(fill.last_px),
                "qty": str(fill.last_qty),
                "commission": str(fill.commission),
                "commissionAsset": self.fee_coin or self.cash,
                "tradeId": number,
            }
            for fill, number in placed.fills
        ]
        return answer({**described, "transactTime": self.now_ms, "fills": fills})

    def _order_of(self, values):
        key = self._symbols.get(values["symbol"])
        if key is None:
            raise Refusal("UNKNOWN_INSTRUMENT")
        kind = TYPES[values["type"]]
        time = TimeInForce(values.get("timeInForce", "GTC"))
        return SubmitOrder(
            client_order_id="",
            account_id=self.desk.account_id,
            strategy_id=StrategyId("venue"),
            instrument_id=key,
            side=OrderSide(values["side"]),
            quantity=Decimal(values["quantity"]),
            order_type=kind,
            time_in_force=time,
            price=_decimal(values.get("price")),
            trigger_price=_decimal(values.get("stopPrice")),
            post_only=values["type"] == "LIMIT_MAKER",
        )

    def request_of(self, state):
        kind = next(name for name, each in TYPES.items() if each is state.order_type)
        request = {"symbol": self._symbol(state.instrument_id), "side": str(state.side)}
        request |= {"type": kind, "quantity": str(state.quantity), "timeInForce": "GTC"}
        return request if state.price is None else {**request, "price": str(state.price)}

    def _get_order(self, values):
        placed = self._named(values)
        if placed is None:
            raise Refusal("NO_SUCH_ORDER")
        return self._describe(placed)

    def _delete_order(self, values):
        placed = self._named(values)
        if placed is None or placed.rejected:
            raise Refusal("UNKNOWN_ORDER")
        self.cancel(placed)
        return self._describe(placed)

    def _named(self, values):
        if "origClientOrderId" in values:
            placed = self.find(client_id=values["origClientOrderId"])
        else:
            placed = self.find(order_id=values["orderId"])
        is_there = placed is not None and self._symbol(placed.instrument_id) == values["symbol"]
        return placed if is_there else None

    def _open(self, values):
        return [
            self._describe(each)
            for each in self.open_orders()
            if values.get("symbol") in {None, self._symbol(each.instrument_id)}
        ]

    def _describe(self, placed):
        request = placed.request
        report = None if placed.rejected else self.state(placed)
        quantity = Decimal(request["quantity"]) if report is None else report.quantity
        return {
            "symbol": self._symbol(placed.instrument_id),
            "orderId": placed.number,
            "orderListId": -1,
            "clientOrderId": placed.client_id,
            "price": request.get("price", "0.00000000"),
            "origQty": _eight(quantity),
            "executedQty": _eight(placed.filled if report is None else report.filled_qty),
            "cummulativeQuoteQty": _eight(
                sum((f.last_qty * f.last_px for f, _ in placed.fills), Decimal(0))
            ),
            "status": "REJECTED" if report is None else STATUSES[report.status],
            "timeInForce": request.get("timeInForce", "GTC"),
            "type": request["type"],
            "side": request["side"],
            "stopPrice": request.get("stopPrice", "0.00000000"),
            "time": placed.created_ms,
            "updateTime": self.now_ms,
            "isWorking": True,
        }

    def _account(self, values):
        coins = {self.cash, *(key.partition("/")[0] for key in self.desk.instruments)}
        balances = [
            {"asset": coin, "free": _eight(self.balance(coin)), "locked": "0.00000000"}
            for coin in sorted(coins)
        ]
        return {"canTrade": True, "updateTime": self.now_ms, "balances": balances}

    def _my_trades(self, values):
        start, first = int(values.get("startTime", 0)), int(values.get("fromId", 0))
        found = [
            {
                "symbol": values["symbol"],
                "id": number,
                "orderId": placed.number,
                "orderListId": -1,
                "price": str(fill.last_px),
                "qty": str(fill.last_qty),
                "quoteQty": str(fill.last_px * fill.last_qty),
                "commission": str(fill.commission),
                "commissionAsset": self.fee_coin or self.cash,
                "time": fill.ts_event // 1_000_000,
                "isBuyer": fill.side is OrderSide.BUY,
                "isMaker": fill.liquidity_side is LiquiditySide.MAKER,
                "isBestMatch": True,
            }
            for placed, (fill, number) in self.executed()
            if self._symbol(placed.instrument_id) == values["symbol"]
            and fill.ts_event // 1_000_000 >= start
            and number >= first
        ]
        return found[: int(values.get("limit", 500))]

    # -- streams

    async def heard(self, stream, message):
        match message.get("method"):
            case "SUBSCRIBE":
                stream.topics.update(message["params"])
                await stream.send({"result": None, "id": message["id"]})
            case "UNSUBSCRIBE":
                stream.topics.difference_update(message["params"])
                await stream.send({"result": None, "id": message["id"]})
            case "userDataStream.subscribe.signature":
                await self._subscribe(stream, message)

    async def _subscribe(self, stream, message):
        params = dict(message["params"])
        signature = params.pop("signature")
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        is_good = params["apiKey"] == self.key and hmac.compare_digest(signature, self._sign(text))
        if not is_good or self.faults.happens(Fault.BAD_CREDENTIALS):
            code, text = ERRORS["BAD_KEY"]
            error = {"code": code, "msg": text}
            await stream.send({"id": message["id"], "status": 401, "error": error})
            return
        stream.is_private = True
        self._subscriptions += 1
        result = {"subscriptionId": self._subscriptions}
        await stream.send({"id": message["id"], "status": 200, "result": result})

    def fill_messages(self, placed, report, number, cumulated):
        state = self.state(placed)
        status = "FILLED" if cumulated >= state.quantity else "PARTIALLY_FILLED"
        more = {
            "x": "TRADE",
            "X": status,
            "l": str(report.last_qty),
            "L": str(report.last_px),
            "z": _eight(cumulated),
            "n": str(report.commission),
            "N": self.fee_coin or self.cash,
            "t": number,
            "T": report.ts_event // 1_000_000,
            "m": report.liquidity_side is LiquiditySide.MAKER,
        }
        return [self._event(placed, state.quantity, more)]

    def status_messages(self, placed, report):
        if report.status in {OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED}:
            return []  # the executions tell
        status = STATUSES[report.status]
        more = {"x": status, "X": status, "z": _eight(report.filled_qty), "t": -1}
        if report.status is OrderStatus.CANCELED:
            more |= {"c": "of-the-cancel-request", "C": placed.client_id}
        return [self._event(placed, report.quantity, more)]

    def tell_rejected(self, placed):
        quantity = Decimal(placed.request["quantity"])
        more = {"x": "REJECTED", "X": "REJECTED", "r": "ACCOUNT_CANNOT_SETTLE", "z": "0"}
        self._publish([self._event(placed, quantity, more)], False)

    def _event(self, placed, quantity, more):
        request = placed.request
        event = {
            "e": "executionReport",
            "E": self.now_ms,
            "s": self._symbol(placed.instrument_id),
            "c": placed.client_id,
            "S": request["side"],
            "o": request["type"],
            "f": request.get("timeInForce", "GTC"),
            "q": _eight(quantity),
            "p": request.get("price", "0.00000000"),
            "P": request.get("stopPrice", "0.00000000"),
            "g": -1,
            "C": "",
            "r": "NONE",
            "i": placed.number,
            "l": "0",
            "L": "0",
            "n": "0",
            "N": None,
            "T": self.now_ms,
            "w": True,
            "m": False,
            "M": False,
            "O": placed.created_ms,
            "Z": "0",
            "Y": "0",
            "Q": "0",
        }
        return {"subscriptionId": 1, "event": {**event, **more}}


def _decimal(text):
    return None if text in {None, ""} else Decimal(text)


def _eight(number):
    return f"{Decimal(number):.8f}"

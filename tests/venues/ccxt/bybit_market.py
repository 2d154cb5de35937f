"""What Bybit publishes: one market, its book with numbers, trades, candles."""

from decimal import Decimal

from tests.venues.ccxt.placed import Refusal

MARKET_ID = "BTCUSDT"


class BybitMarket:
    """Mixed into the simulator."""

    def _market(self, what, query):
        match what:
            case "time":
                return {"timeSecond": str(self.now_ms // 1000)}
            case "instruments-info":
                return self._list([self._instrument()])
            case "orderbook":
                return {"s": MARKET_ID, "ts": self.now_ms, "u": self._update, **self._levels()}
            case "kline":
                return self._klines(query)
            case _:
                raise Refusal("BAD_PARAMETER")

    def _instrument(self):
        each = self.desk.instruments[self._key]
        found = {
            "symbol": MARKET_ID,
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "status": "Trading",
            "priceFilter": {"tickSize": str(each.tick_size)},
        }
        if self.category == "spot":
            lots = {"basePrecision": str(each.lot_size), "quotePrecision": "0.0000001"}
            lots |= {"minOrderQty": str(each.min_quantity), "maxOrderQty": "70", "minOrderAmt": "5"}
            return {**found, "marginTrading": "none", "lotSizeFilter": lots}
        lots = {"qtyStep": str(each.lot_size), "minOrderQty": str(each.min_quantity)}
        lots |= {"maxOrderQty": "1000", "minNotionalValue": "5"}
        return {
            **found,
            "contractType": "LinearPerpetual",
            "settleCoin": "USDT",
            "launchTime": "1585526400000",
            "deliveryTime": "0",
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100"},
            "lotSizeFilter": lots,
        }

    def _klines(self, query):
        start = int(query.get("start", self.now_ms - 3_600_000))
        end = int(query.get("end", self.now_ms))
        first = -(-start // 60_000) * 60_000
        opens = list(range(first, min(end, self.now_ms) + 1, 60_000))[
            : int(query.get("limit", 200))
        ]
        rows = [[str(o), "100", "101", "99", "100.5", "12.5", "1250"] for o in reversed(opens)]
        return {"category": self.category, "symbol": MARKET_ID, "list": rows}

    def _levels(self):
        def side(name):
            ordered = sorted(
                self._book[name].items(), key=lambda e: Decimal(e[0]), reverse=name == "bids"
            )
            return [list(each) for each in ordered]

        return {"b": side("bids"), "a": side("asks")}

    async def _change_book(self, bids, asks, *, is_lost):
        """A lost message leaves a gap in the numbers."""
        self._update += 1
        for name, changes in (("bids", bids), ("asks", asks)):
            for price, size in changes:
                if Decimal(size):
                    self._book[name][price] = size
                else:
                    self._book[name].pop(price, None)
        if not is_lost:
            levels = {"b": [list(e) for e in bids], "a": [list(e) for e in asks]}
            topic = f"orderbook.50.{MARKET_ID}"
            await self.tell_now(topic, self._book_message(topic, "delta", levels))

    def _book_message(self, topic, kind, levels):
        data = {"s": MARKET_ID, **levels, "u": self._update, "seq": self._update * 7}
        return {"topic": topic, "ts": self.now_ms, "type": kind, "data": data, "cts": self.now_ms}

    def quote(self, bid, ask):
        """Make these the best prices of the book."""
        changes = {"bids": [], "asks": []}
        for side, price in (("bids", bid), ("asks", ask)):
            changes[side] = [(old, "0") for old in self._book[side]] + [(str(price), "3.5")]
        self.book(**changes)

    def trade(self, price, size, *, number=1):
        topic = f"publicTrade.{MARKET_ID}"
        data = {"T": self.now_ms, "s": MARKET_ID, "S": "Buy", "v": str(size), "p": str(price)}
        data |= {"i": f"trade-{number}", "BT": False}
        self.tell(topic, {"topic": topic, "type": "snapshot", "ts": self.now_ms, "data": [data]})

"""What Binance publishes: symbols with filters, candles, and the market streams."""

from decimal import Decimal

ORDER_TYPES = ["MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT"]
WEIGHT_LIMIT = 6000


class BinanceMarket:
    """Mixed into the simulator."""

    def _symbol(self, key):
        return key.rpartition(".")[0].replace("/", "")

    def _exchange_info(self):
        symbols = []
        for key, each in self.desk.instruments.items():
            base, _, quote = key.rpartition(".")[0].partition("/")
            symbols.append(
                {
                    "symbol": self._symbol(key),
                    "status": "TRADING",
                    "baseAsset": base,
                    "baseAssetPrecision": 8,
                    "quoteAsset": quote,
                    "quotePrecision": 8,
                    "quoteAssetPrecision": 8,
                    "orderTypes": ORDER_TYPES,
                    "isSpotTradingAllowed": True,
                    "permissions": [],
                    "permissionSets": [["SPOT"]],
                    "filters": [
                        {"filterType": "PRICE_FILTER", "tickSize": str(each.tick_size)},
                        {
                            "filterType": "LOT_SIZE",
                            "stepSize": str(each.lot_size),
                            "minQty": str(each.min_quantity),
                            "maxQty": "9000.0",
                        },
                        {"filterType": "NOTIONAL", "minNotional": str(each.min_notional)},
                    ],
                }
            )
        limits = [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": WEIGHT_LIMIT,
            }
        ]
        return {
            "timezone": "UTC",
            "serverTime": self.now_ms,
            "rateLimits": limits,
            "symbols": symbols,
        }

    def _klines(self, request):
        start, end = int(request.query["startTime"]), int(request.query.get("endTime", self.now_ms))
        first = -(-start // 60_000) * 60_000
        limit = int(request.query.get("limit", 500))
        opens = list(range(first, min(end, self.now_ms) + 1, 60_000))[:limit]
        return [
            [o, "100.0", "101.0", "99.0", "100.5", "12.5", o + 59_999, "1250", 10, "6", "600", "0"]
            for o in opens
        ]

    def _agg_trades(self, request):
        start = int(request.query.get("startTime", self.now_ms - 1000))
        return [
            {"a": n, "p": "100.5", "q": "0.5", "f": n, "l": n, "T": start + n, "m": n % 2 == 1}
            for n in range(5)
        ]

    # -- market data

    def _depth(self, request):
        return {
            "lastUpdateId": self._last_update,
            "bids": [
                [p, q] for p, q in sorted(self._book["bids"].items(), key=_price, reverse=True)
            ],
            "asks": [[p, q] for p, q in sorted(self._book["asks"].items(), key=_price)],
        }

    async def _change_book(self, bids, asks, *, is_lost):
        """A lost message leaves a gap in the numbers."""
        first = self._last_update + 1
        self._last_update = first + 1
        for side, changes in (("bids", bids), ("asks", asks)):
            for price, size in changes:
                if Decimal(size):
                    self._book[side][price] = size
                else:
                    self._book[side].pop(price, None)
        if not is_lost:
            symbol = next(iter(self._symbols))
            message = {
                "e": "depthUpdate",
                "E": self.now_ms,
                "s": symbol,
                "U": first,
                "u": self._last_update,
                "b": [list(each) for each in bids],
                "a": [list(each) for each in asks],
            }
            await self.tell_now(f"{symbol.lower()}@depth@100ms", message)

    def quote(self, bid, ask):
        message = self.quoted(bid, ask)
        self.tell(f"{message['s'].lower()}@bookTicker", message)

    def quoted(self, bid, ask):
        symbol = next(iter(self._symbols))
        return {"u": 1, "s": symbol, "b": str(bid), "B": "3.5", "a": str(ask), "A": "2.5"}

    def trade(self, price, size, *, number=1):
        symbol = next(iter(self._symbols))
        message = {
            "e": "trade",
            "E": self.now_ms,
            "s": symbol,
            "t": number,
            "p": str(price),
            "q": str(size),
            "T": self.now_ms,
            "m": False,
            "M": True,
        }
        self.tell(f"{symbol.lower()}@trade", message)

    def candle(self, opened_ms, close):
        symbol = next(iter(self._symbols))
        k = {"t": opened_ms, "T": opened_ms + 59_999, "s": symbol, "i": "1m"}
        k |= {"o": "100", "c": str(close), "h": "110", "l": "90", "v": "7", "x": False}
        message = {"e": "kline", "E": self.now_ms, "s": symbol, "k": k}
        self.tell(f"{symbol.lower()}@kline_1m", message)


def _price(level):
    return Decimal(level[0])

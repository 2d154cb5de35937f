"""What Kraken publishes: its one pair under four names, the book with checksums, quotes, trades."""

import zlib
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from tests.venues.ccxt.placed import Refusal

PAIR, ALTNAME, WSNAME, SYMBOL = "XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD"
COINS = {"BTC": "XXBT", "USD": "ZUSD"}

ERRORS = {
    "DUPLICATE_CLIENT_ORDER_ID": "EOrder:Duplicate cl_ord_id",
    "INSUFFICIENT_CASH": "EOrder:Insufficient funds",
    "POST_ONLY_WOULD_TRADE": "EOrder:Post only order",
    "BAD_QUANTITY": "EGeneral:Invalid arguments:volume",
    "BAD_PRICE": "EOrder:Invalid price",
    "UNKNOWN_INSTRUMENT": "EQuery:Unknown asset pair",
    "UNKNOWN_ORDER": "EOrder:Unknown order",
    "ORDER_CLOSED": "EOrder:Unknown order",
    "BAD_KEY": "EAPI:Invalid key",
    "BAD_SIGNATURE": "EAPI:Invalid signature",
    "BAD_NONCE": "EAPI:Invalid nonce",
    "NO_METHOD": "EGeneral:Unknown method",
}


class KrakenMarket:
    """Mixed into the simulator."""

    def _public(self, method, query):
        match method:
            case "Time":
                return {"unixtime": self.now_ms // 1000}
            case "AssetPairs":
                return {PAIR: self._pair()}
            case "OHLC":
                start = int(query.get("since", 0))
                now = self.now_ms // 1000
                first = max(start, now - 720 * 60) // 60 * 60 + 60
                opens = range(first, now, 60)
                candle = ["100.0", "101.0", "99.0", "100.5", "100.2", "12.5", 10]
                return {PAIR: [[each, *candle] for each in opens], "last": now}
            case "Depth":
                return {PAIR: {side: self._levels(side) for side in ("bids", "asks")}}
            case _:
                raise Refusal("NO_METHOD")

    def _pair(self):
        each = self.desk.instruments[self._key]
        return {
            "altname": ALTNAME,
            "wsname": WSNAME,
            "aclass_base": "currency",
            "base": COINS["BTC"],
            "aclass_quote": "currency",
            "quote": COINS["USD"],
            "lot": "unit",
            "pair_decimals": places(each.tick_size),
            "lot_decimals": places(each.lot_size),
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, 0.26]],
            "fees_maker": [[0, 0.16]],
            "fee_volume_currency": "ZUSD",
            "ordermin": str(each.min_quantity),
            "costmin": "0.5",
            "tick_size": str(each.tick_size),
            "status": "online",
        }

    def _levels(self, side):
        is_bid = side == "bids"
        levels = sorted(self._book[side].items(), key=lambda each: Decimal(each[0]), reverse=is_bid)
        return [[price, size, self.now_ms // 1000] for price, size in levels]

    def checksum(self):
        """As the exchange defines it: digits of the ten best levels, asks first."""
        text = "".join(
            part.replace(".", "").lstrip("0")
            for side in ("asks", "bids")
            for price, size, _ in self._levels(side)[:10]
            for part in (price, size)
        )
        return zlib.crc32(text.encode())

    async def _change_book(self, bids, asks, *, is_lost):
        """Prices and sizes have all their digits: the checksum is made of them."""
        for side, changes in (("bids", bids), ("asks", asks)):
            for price, size in changes:
                if Decimal(size):
                    self._book[side][price] = size
                else:
                    self._book[side].pop(price, None)
        if not is_lost:
            await self.tell_now("book", raw(self._book_message("update", bids, asks)))

    def _book_message(self, kind, bids, asks):
        data = {
            "symbol": SYMBOL,
            "bids": [{"price": Decimal(p), "qty": Decimal(q)} for p, q in bids],
            "asks": [{"price": Decimal(p), "qty": Decimal(q)} for p, q in asks],
            "checksum": self.checksum(),
            "timestamp": stamp(self.now_ms),
        }
        return {"channel": "book", "type": kind, "data": [data]}

    def quote(self, bid, ask):
        data = {"symbol": SYMBOL, "bid": bid, "bid_qty": 3.5, "ask": ask, "ask_qty": 2.5}
        data |= {"last": bid, "volume": 1.0, "vwap": bid, "low": bid, "high": ask}
        data |= {"change": 0.0, "change_pct": 0.0, "timestamp": stamp(self.now_ms)}
        self.tell("ticker", {"channel": "ticker", "type": "update", "data": [data]})

    def trade(self, price, size, *, number=1):
        data = {"symbol": SYMBOL, "side": "buy", "price": price, "qty": size, "ord_type": "market"}
        data |= {"trade_id": number, "timestamp": stamp(self.now_ms)}
        self.tell("trade", {"channel": "trade", "type": "update", "data": [data]})


def raw(message):
    """Write decimals as numbers with all their digits, as the exchange does."""
    return msgspec.json.Encoder(decimal_format="number").encode(message).decode()


def places(step):
    return max(0, -step.normalize().as_tuple().exponent)


def stamp(ms):
    return (
        datetime.fromtimestamp(ms / 1000, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )


def words(request):
    """Describe the terms of an order as the exchange does."""
    price, price2 = request.get("price"), request.get("price2")
    match request["ordertype"]:
        case "limit":
            return f"limit {price}"
        case "stop-loss":
            return f"stop loss {price}"
        case "stop-loss-limit":
            return f"stop loss {price} -> limit {price2}"
        case kind:
            return kind

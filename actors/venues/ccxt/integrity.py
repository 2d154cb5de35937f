"""Whether an order book is what the exchange says: gaps and checksums that ccxt does not look at.

Binance numbers its changes and ccxt checks them. Bybit numbers them too, and ccxt does not look; Kraken sends
a checksum that ccxt 4.5 cannot verify in Python.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

Check = Callable[[Any, Any], str]
CHECKED_LEVELS = 10


def book_check(exchange: Any, name: str) -> Check | None:
    """Return what finds a wrong book after a message of an exchange; None where ccxt does it."""
    if name == "kraken":
        return KrakenChecksums(exchange)
    if name.startswith("bybit"):
        return BybitSequences()
    return None


class KrakenChecksums:
    """Compares the ten best levels of each side with the checksum of the message."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange

    def __call__(self, client: Any, message: Any) -> str:
        if not isinstance(message, dict) or message.get("channel") != "book":
            return ""
        for data in message.get("data") or ():
            symbol, told = data.get("symbol"), data.get("checksum")
            book = self._exchange.orderbooks.get(symbol)
            if told is not None and book is not None and self._sum(symbol, book) != told:
                return f"the checksum of {symbol} is wrong"
        return ""

    def _sum(self, symbol: str, book: Mapping[str, Any]) -> int:
        precision = self._exchange.markets[symbol]["precision"]
        return kraken_checksum(
            book["asks"], book["bids"], _places(precision["price"]), _places(precision["amount"])
        )


class BybitSequences:
    """Follows the numbers of each topic: a change must carry the number after the last."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def __call__(self, client: Any, message: Any) -> str:
        if not isinstance(message, dict):
            return ""
        topic = str(message.get("topic") or "")
        if not topic.startswith("orderbook."):
            return ""
        number = int(message["data"]["u"])
        key = (str(client.url), topic)
        last, self._last[key] = self._last.get(key), number
        is_gap = message.get("type") == "delta" and last is not None and number != last + 1
        return f"{topic} jumped from {last} to {number}" if is_gap else ""


def kraken_checksum(
    asks: Iterable[Sequence[float]],
    bids: Iterable[Sequence[float]],
    price_places: int,
    size_places: int,
) -> int:
    """Return the CRC32 that Kraken defines: digits of price and size, no point, no leading zeros."""
    text = "".join(
        _digits(level[0], price_places) + _digits(level[1], size_places)
        for side in (asks, bids)
        for level in islice(side, CHECKED_LEVELS)
    )
    return zlib.crc32(text.encode())


def _digits(number: float, places: int) -> str:
    return f"{number:.{places}f}".replace(".", "").lstrip("0")


def _places(step: Any) -> int:
    exponent = Decimal(str(step)).normalize().as_tuple().exponent
    return max(0, -int(exponent))

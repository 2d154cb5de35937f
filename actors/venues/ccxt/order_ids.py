"""Our client order id as each exchange can hold it, and back. Pure."""

import re

from actors.venues.ccxt.dialects import Dialect, IdStyle
from trading.identifiers import ClientOrderId

_OURS = re.compile(r"[0-9a-f]{32}\Z")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHORT_LENGTH = 25  # 36 ** 25 > 2 ** 128
EXTERNAL_PREFIX = "ext-"
LONGEST_ID = 64


def written(client_order_id: ClientOrderId, dialect: Dialect) -> str:
    """Return the id as it is sent to the exchange."""
    if dialect.id_style is IdStyle.SHORT and _OURS.match(client_order_id):
        return dialect.id_prefix + _base36(int(client_order_id, 16))
    if dialect.id_style is IdStyle.HEX:
        return client_order_id
    return dialect.id_prefix + client_order_id


def read(text: str | None, venue_order_id: str, dialect: Dialect) -> ClientOrderId:
    """Return our id from what the exchange calls it; that of an order of somebody else is made of `venue_order_id`."""
    ours = _ours(text or "", dialect)
    return ClientOrderId(ours or f"{EXTERNAL_PREFIX}{venue_order_id}"[:LONGEST_ID])


def _ours(text: str, dialect: Dialect) -> str:
    if not text.startswith(dialect.id_prefix):
        return ""
    body = text[len(dialect.id_prefix) :]
    if dialect.id_style is IdStyle.SHORT:
        if len(body) != _SHORT_LENGTH or not set(body) <= set(_DIGITS):
            return ""
        body = f"{int(body, 36):032x}"
    return body if _OURS.match(body) else ""


def _base36(number: int) -> str:
    digits = []
    for _ in range(_SHORT_LENGTH):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))

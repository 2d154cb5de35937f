"""ClOrdID (11): every cancel and replacement needs a new one, and all of them must go on meaning one order.

Where the venue takes long ids, an order's own id is ours, and a request about it has that id, a dash and a
number that only rises: what a report speaks of can be read from its id, by a process that remembers nothing.
Where it does not, ids are hashes of that text, and ours travels in a tag that the venue repeats in every
report (`ids.echo_tag` of the dialect).
"""

import re
import time
from collections.abc import Mapping
from hashlib import blake2b

from actors.venues.fix.dialect import ID_LENGTH, IdRules
from trading.identifiers import ClientOrderId

_OURS = re.compile(r"([0-9a-f]{32})(-[0-9a-z]{1,9})?")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class RisingNumbers:
    """Numbers that no request had before, in earlier processes either: the time in ms, or the next one."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        return self._last


def order_id(ours: ClientOrderId, rules: IdRules) -> str:
    """Return the ClOrdID of a new order: ours, or its hash where that is too long."""
    return _fitted(ours, rules)


def request_id(ours: ClientOrderId, number: int, rules: IdRules) -> str:
    """Return the ClOrdID of a cancel or a replacement.

    Parameters
    ----------
    number : int
        Never used before for this order (>= 0), see `RisingNumbers`.
    """
    return _fitted(f"{ours}-{_base36(number)}", rules)


def ours_of(fields: Mapping[int, str], rules: IdRules) -> ClientOrderId | None:
    """Return our id of the order that a message speaks of; None when it is not one of ours."""
    for tag in (rules.echo_tag, 11, 41):
        found = _OURS.fullmatch(fields.get(tag, "")) if tag else None
        if found is not None:
            return ClientOrderId(found[1])
    return None


def foreign_id(venue_order_id: str) -> ClientOrderId:
    """Return the id under which an order that is not ours is known here."""
    return ClientOrderId(f"ext-{venue_order_id}"[:64])


def _fitted(text: str, rules: IdRules) -> str:
    is_short = rules.length_max < ID_LENGTH
    if len(text) <= rules.length_max and not is_short:
        return text
    digest = blake2b(text.encode(), digest_size=20).digest()
    return _base36(int.from_bytes(digest))[: rules.length_max].upper()


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits

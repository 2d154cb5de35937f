"""What TWS has said of orders: by IB's permanent number, and by our id that the order carries.

Numbers of one session (`order_id`) are kept apart and forgotten with it: TWS gives them out again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from actors.venues.ib.messages import OpenOrder, StatusUpdate
from actors.venues.ib.parse import LIVE_STATES, client_order_id
from trading.identifiers import ClientOrderId
from trading.values import ZERO


@dataclass(slots=True)
class KnownOrder:
    """One order: the newest that TWS said of it.

    Attributes
    ----------
    order : OpenOrder
        With its newest state.
    filled : Decimal
        Contracts, as TWS counts them.
    code : str
        Number of the error that closed it, or empty.
    """

    order: OpenOrder
    filled: Decimal = ZERO
    code: str = ""

    @property
    def is_live(self) -> bool:
        return self.order.status in LIVE_STATES

    @property
    def key(self) -> ClientOrderId:
        return client_order_id(self.order.order_ref, self.order.perm_id)


class KnownOrders:
    """Orders of one account."""

    def __init__(self) -> None:
        self._by_number: dict[int, KnownOrder] = {}
        self._by_key: dict[ClientOrderId, KnownOrder] = {}
        self._session: dict[int, int] = {}

    def forget_session(self) -> None:
        """Another session begins: its order numbers mean other orders."""
        self._session.clear()

    def find(self, key: ClientOrderId) -> KnownOrder | None:
        return self._by_key.get(key)

    def numbered(self, perm_id: int) -> KnownOrder | None:
        return self._by_number.get(perm_id)

    def in_session(self, order_id: int) -> KnownOrder | None:
        """Return the order that our client id calls `order_id` in this session."""
        return self._by_number.get(self._session.get(order_id, 0))

    def highest_order_id(self, client_id: int) -> int:
        """Return the highest order number of `client_id` that we know of; 0 when there is none."""
        orders = (known.order for known in self._by_number.values())
        return max((each.order_id for each in orders if each.client_id == client_id), default=0)

    def of(self, perm_ids: Iterable[int]) -> list[KnownOrder]:
        found = (self._by_number.get(perm_id) for perm_id in dict.fromkeys(perm_ids))
        return [known for known in found if known is not None]

    def opened(self, order: OpenOrder, *, is_own: bool) -> bool:
        """Take an open or completed order; return whether that is news.

        Parameters
        ----------
        is_own : bool
            It belongs to our client id, so its `order_id` is one of this session.
        """
        if order.perm_id <= 0:
            return False
        if is_own and order.order_id > 0:
            self._session[order.order_id] = order.perm_id
        known = self._by_number.get(order.perm_id)
        if known is None:
            known = KnownOrder(order, order.filled or ZERO)
            self._by_number[order.perm_id] = known
            self._by_key.setdefault(known.key, known)
            return True
        if order.order_id == 0:  # completed orders have lost their session
            order = msgspec.structs.replace(
                order, order_id=known.order.order_id, client_id=known.order.client_id
            )
        before = (known.order, known.filled)
        known.order = msgspec.structs.replace(order, reason=order.reason or known.order.reason)
        known.filled = max(known.filled, order.filled or ZERO)
        return before != (known.order, known.filled)

    def updated(self, update: StatusUpdate) -> bool:
        """Take a state; return whether that is news. Of unknown orders it says too little."""
        known = self._by_number.get(update.perm_id)
        if known is None:
            return False
        before = (known.order.status, known.filled)
        known.order = msgspec.structs.replace(known.order, status=update.status)
        known.filled = max(known.filled, update.filled)
        return before != (known.order.status, known.filled)

    def closed(self, known: KnownOrder, code: str, reason: str) -> None:
        """Keep why an order was closed: the state that tells of it says nothing about that."""
        known.code = code
        known.order = msgspec.structs.replace(known.order, reason=reason)

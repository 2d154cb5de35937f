"""What became of the last orders at the venue: how many it refused, and what fills cost. A fold over the account."""

from collections import deque
from decimal import Decimal

from trading.events import OrderAccepted, OrderFilled, OrderRejected
from trading.identifiers import ClientOrderId
from trading.position import EXACT
from trading.values import ZERO

BASIS_POINTS = Decimal(10_000)
KEPT_MAX = 1_000
"""The largest window that can be asked for; what is older is forgotten."""


class OrderOutcomes:
    """The newest outcomes of one account, each with its market time (ns UTC)."""

    def __init__(self) -> None:
        self._refused: deque[tuple[int, bool]] = deque(maxlen=KEPT_MAX)
        self._slippage: deque[tuple[int, Decimal]] = deque(maxlen=KEPT_MAX)
        self._known: dict[ClientOrderId, None] = {}

    def note_order(self, event: OrderAccepted | OrderRejected | OrderFilled) -> None:
        """The venue took an order, or refused it; the first word on each order counts."""
        if event.client_order_id in self._known:
            return
        self._known[event.client_order_id] = None
        if len(self._known) > KEPT_MAX:
            del self._known[next(iter(self._known))]
        self._refused.append((event.ts_event, isinstance(event, OrderRejected)))

    def note_fill(self, fill: OrderFilled, arrival_px: Decimal | None) -> None:
        """A fill, and the price that its order was decided on; without one it says nothing."""
        if arrival_px is not None and arrival_px > 0:
            worse = EXACT.subtract(fill.last_px, arrival_px) * fill.side.sign
            self._slippage.append((fill.ts_event, worse / arrival_px * BASIS_POINTS))

    def reject_rate(self, window: int, after: int) -> Decimal | None:
        """Return the part of the last `window` orders that the venue refused; None with fewer after `after`."""
        newest = [is_refused for ts_event, is_refused in self._refused if ts_event > after][
            -window:
        ]
        return Decimal(sum(newest)) / window if len(newest) == window else None

    def slippage_bps(self, window: int, after: int) -> Decimal | None:
        """Return the mean cost of the last `window` fills in basis points; None with fewer after `after`."""
        newest = [cost for ts_event, cost in self._slippage if ts_event > after][-window:]
        return sum(newest, ZERO) / window if len(newest) == window else None

    def durable(self) -> list[object]:
        """Return what two equal folds have in common."""
        return [list(self._refused), list(self._slippage), list(self._known)]

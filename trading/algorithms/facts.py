"""What an execution desk has decided: facts of the stream `execution:<name>`."""

from decimal import Decimal

from trading.algorithms.parameters import ChildRole
from trading.commands import ExecuteOrder, SubmitOrder
from trading.events import Event
from trading.identifiers import ClientOrderId, Venue


class ExecutionEvent(Event, frozen=True, kw_only=True):
    """Base of facts about one parent order; in the stream `execution:<name>` of the desk that works it."""

    parent_order_id: ClientOrderId


class ExecutionStarted(ExecutionEvent, frozen=True, kw_only=True):
    """The desk works the order from `ts_init` on.

    Attributes
    ----------
    arrival_px : Decimal or None
        Middle of the best bid and ask over all listings at that moment; None when no book was known.
    """

    order: ExecuteOrder
    arrival_px: Decimal | None = None


class ExecutionRefused(ExecutionEvent, frozen=True, kw_only=True):
    """The desk does not work the order; `reason` is one sentence."""

    order: ExecuteOrder
    reason: str


class ChildPlanned(ExecutionEvent, frozen=True, kw_only=True):
    """The intent to send one child, durable before it leaves.

    Attributes
    ----------
    venue : Venue
        Where it goes.
    step : int
        The slice that it belongs to, counted from 0.
    """

    order: SubmitOrder
    venue: Venue
    role: ChildRole
    step: int


class ChildCancelPlanned(ExecutionEvent, frozen=True, kw_only=True):
    """The desk itself wants this child ended; durable before the cancel leaves."""

    client_order_id: ClientOrderId
    reason: str


class ExecutionCancelRequested(ExecutionEvent, frozen=True, kw_only=True):
    """Somebody asked for the end of the execution."""

    reason: str


class StopLossTriggered(ExecutionEvent, frozen=True, kw_only=True):
    """The market reached the stop loss that the desk watches: from here on it only gets out."""

    price: Decimal


class ExecutionEnded(ExecutionEvent, frozen=True, kw_only=True):
    """Nothing more is sent for the order.

    Attributes
    ----------
    code : str
        One of `trading.algorithms.plan.EndCode`.
    filled_qty : Decimal
        Units of the parent's quantity that were filled.
    """

    code: str
    reason: str
    filled_qty: Decimal

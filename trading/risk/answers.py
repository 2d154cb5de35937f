"""What an order's sender hears of it: the signed permission for the broker, or the refusal as a fact."""

from decimal import Decimal

import msgspec

from trading.commands import (
    PermittedOrder,
    PermittedOrderList,
    PermittedReplace,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.events import OrderDenied, OrderUpdateRejected
from trading.identifiers import MachineName
from trading.risk.permits import require_terms, sign
from trading.risk.reservations import WorkingOrder
from trading.risk.verdicts import Approved, Denied
from trading.values import ZERO


class Signer:
    """Turns permission into a signed message; takes nothing but `Approved`.

    Parameters
    ----------
    key : bytes
        Secret shared with the broker.
    ttl_ns : int
        Life of a permit, in (0, 2 s].

    Raises
    ------
    ValueError
        If the key is empty or `ttl_ns` is out of range.
    """

    def __init__(self, key: bytes, ttl_ns: int) -> None:
        require_terms(key, ttl_ns)
        self._key = key
        self._ttl_ns = ttl_ns

    def order(self, approved: Approved[SubmitOrder], epoch: int, now: int) -> PermittedOrder:
        order = approved.order
        return PermittedOrder(
            ts_event=order.ts_event,
            ts_init=now,
            correlation_id=order.correlation_id,
            causation_id=order.client_order_id,
            order=order,
            permit=sign(order, self._key, epoch, now, self._ttl_ns),
        )

    def order_list(
        self, approved: Approved[SubmitOrderList], epoch: int, now: int
    ) -> PermittedOrderList:
        order_list = approved.order
        return PermittedOrderList(
            ts_event=order_list.ts_event,
            ts_init=now,
            correlation_id=order_list.correlation_id,
            causation_id=order_list.orders[0].client_order_id,
            order_list=order_list,
            permit=sign(order_list, self._key, epoch, now, self._ttl_ns),
        )

    def replace(self, approved: Approved[ReplaceOrder], epoch: int, now: int) -> PermittedReplace:
        replace = approved.order
        return PermittedReplace(
            ts_event=replace.ts_event,
            ts_init=now,
            correlation_id=replace.correlation_id,
            causation_id=replace.client_order_id,
            replace=replace,
            permit=sign(replace, self._key, epoch, now, self._ttl_ns),
        )


def order_denied(order: SubmitOrder, denied: Denied, by: MachineName, now: int) -> OrderDenied:
    """Return the refusal of an order as a fact.

    `causation_id` is the risk manager's name: that tells it from a refusal by the broker, which may
    carry the order as well.
    """
    return OrderDenied(
        ts_event=order.ts_event,
        ts_init=now,
        correlation_id=order.correlation_id,
        causation_id=by,
        client_order_id=order.client_order_id,
        strategy_id=order.strategy_id,
        instrument_id=order.instrument_id,
        code=denied.code,
        reason=denied.reason,
        order=order,
    )


def update_rejected(
    working: WorkingOrder, replace: ReplaceOrder, denied: Denied, by: MachineName, now: int
) -> OrderUpdateRejected:
    """Return the refusal of a replacement as a fact; the order itself works on."""
    return OrderUpdateRejected(
        ts_event=replace.ts_event,
        ts_init=now,
        correlation_id=replace.correlation_id,
        causation_id=by,
        client_order_id=replace.client_order_id,
        strategy_id=working.order.strategy_id,
        instrument_id=working.order.instrument_id,
        code=denied.code,
        reason=denied.reason,
    )


def amended(working: WorkingOrder, replace: ReplaceOrder) -> SubmitOrder:
    """Return the order as it would work after the replacement; its quantity is what is left to fill."""
    order = working.order
    quantity = order.quantity if replace.quantity is None else replace.quantity
    return msgspec.structs.replace(
        order,
        quantity=left(quantity, working.filled),
        price=order.price if replace.price is None else replace.price,
        trigger_price=order.trigger_price
        if replace.trigger_price is None
        else replace.trigger_price,
        expires_at=0,
    )


def left(quantity: Decimal, filled: Decimal) -> Decimal:
    """Return what is left to fill; 0 for a quantity that is none (the checks refuse it)."""
    return quantity - filled if quantity.is_finite() else ZERO

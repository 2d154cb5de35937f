"""What the venue says of a fact: one execution message per fact, a pure function of the two."""

from trading.events import OrderFilled
from trading.exchange.orders import VenueOrder
from trading.reports import FillReport, OrderStatusReport


def fill_report(event: OrderFilled, order: VenueOrder) -> FillReport:
    """Return the report of one fill; `order` carries the number of the message."""
    return FillReport(
        ts_event=event.ts_event,
        ts_init=event.ts_init,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        account_id=order.request.account_id,
        client_order_id=event.client_order_id,
        venue_order_id=event.venue_order_id,
        trade_id=event.trade_id,
        instrument_id=event.instrument_id,
        side=event.side,
        last_qty=event.last_qty,
        last_px=event.last_px,
        commission=event.commission,
        currency=event.currency,
        liquidity_side=event.liquidity_side,
        venue_seq=order.venue_seq,
        is_margined=event.is_margined,
    )


def status_report(
    order: VenueOrder, *, ts_event: int, ts_init: int, causation_id: str
) -> OrderStatusReport:
    """Return the state of the order as it is now."""
    request = order.request
    return OrderStatusReport(
        ts_event=ts_event,
        ts_init=ts_init,
        correlation_id=request.correlation_id,
        causation_id=causation_id,
        account_id=request.account_id,
        client_order_id=request.client_order_id,
        venue_order_id=order.venue_order_id,
        instrument_id=request.instrument_id,
        side=request.side,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        status=order.status,
        quantity=order.quantity,
        filled_qty=order.filled_qty,
        price=order.price,
        trigger_price=order.trigger_price,
        is_triggered=order.is_triggered,
        code=order.code,
        reason=order.reason,
        venue_seq=order.venue_seq,
    )

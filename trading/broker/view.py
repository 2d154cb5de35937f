"""What people see of a broker: plain values."""

from typing import Any

from trading.broker.state import BrokerState
from trading.order import Order


def broker_view(state: BrokerState) -> dict[str, Any]:
    """Return readiness, orders, refusals and anomalies of a broker."""
    record = state.record
    reconciled = record.last_reconciled
    orders = record.orders.values()
    return {
        "is_ready": state.is_ready,
        "is_journal_up": state.is_journal_up,
        "is_connected": state.is_connected is True,
        "disconnection": _disconnection(state),
        "clock": state.clock.view(state.now),
        "is_reconciled": state.is_reconciled,
        "epoch": state.epoch,
        "risk_epoch": state.risk_epoch,
        "sequence": record.sequence,
        "orders_by_status": {
            str(status): number for status, number in sorted((+record.status_counts).items())
        },
        "ambiguous": sum(order.is_in_flight for order in record.open_orders.values()),
        "open_orders": [order_view(order) for order in record.open_orders.values()],
        "refusals": dict(sorted(record.denials.items())),
        "unwritten_refusals": [
            {"client_order_id": key, "code": fact.code} for key, fact in state.unwritten.items()
        ],
        "duplicates": state.duplicate_count,
        "late_fills": sum(order.late_fill_count for order in orders),
        "overfilled": [order.client_order_id for order in orders if order.is_overfilled],
        "contradictions": list(state.contradictions),
        "contradicting_reports": state.contradiction_count,
        "mismatches": [
            {"subject": m.subject, "ours": m.ours, "venues": m.venues} for m in state.mismatches
        ],
        "uncompared": list(state.uncompared),
        "last_reconciled": None if reconciled is None else reconciled.ts_init,
        "ignored": dict(sorted(state.ignored.items())),
    }


def _disconnection(state: BrokerState) -> dict[str, Any] | None:
    """Return why the session is down, and whether the adapter has given up; None while it is up."""
    message = state.disconnection
    if message is None:
        return None
    return {"reason": message.reason, "is_final": message.is_final}


def order_view(order: Order) -> dict[str, Any]:
    """Return one order as plain values; `status` shows a pending cancel or update."""
    request = order.request
    return {
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id or "",
        "strategy_id": order.strategy_id,
        "instrument_id": order.instrument_id,
        "side": str(order.side or ""),
        "order_type": str(request.order_type) if request else "",
        "time_in_force": str(request.time_in_force) if request else "",
        "purpose": request.purpose if request else "",
        "status": str(order.shown_status),
        "quantity": order.quantity,
        "filled_qty": order.filled_qty,
        "leaves_qty": order.leaves_qty,
        "avg_px": order.avg_px,
        "price": order.price,
        "trigger_price": order.trigger_price,
        "ts_last": order.ts_last,
    }

"""What people may see of one execution."""

from typing import Any

from trading.algorithms.parameters import name_of
from trading.algorithms.parent import EXITS, PARTS, ParentOrder


def parent_view(parent: ParentOrder) -> dict[str, Any]:
    order, ended = parent.order, parent.ended
    return {
        "client_order_id": order.client_order_id,
        "strategy_id": order.strategy_id,
        "algorithm": name_of(order.algorithm),
        "side": str(order.side),
        "instruments": [f"{one.instrument_id} at {one.venue}" for one in order.listings],
        "quantity": order.quantity,
        "filled_qty": parent.filled(),
        "exited_qty": parent.filled(EXITS),
        "avg_px": parent.avg_px(),
        "arrival_px": parent.arrival_px,
        "started_at": parent.started_at,
        "children": len(parent.children),
        "working": len(parent.open_children()),
        "refused": sum(child.is_refused for child in parent.of(PARTS | EXITS)),
        "is_stopped_out": parent.is_stopped_out,
        "code": "" if ended is None else ended.code,
        "reason": "" if ended is None else ended.reason,
    }

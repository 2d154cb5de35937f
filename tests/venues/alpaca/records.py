"""One order as the venue keeps it, and how it shows it."""

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.identifiers import ClientOrderId, symbol_of
from trading.instruments import Instrument
from trading.values import AssetClass, OrderType

OPEN = frozenset({"new", "partially_filled", "accepted", "pending_new", "held", "pending_cancel"})
TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP_MARKET,
    "stop_limit": OrderType.STOP_LIMIT,
    "trailing_stop": OrderType.TRAILING_STOP_MARKET,
}
CLASSES = {
    AssetClass.EQUITY: "us_equity",
    AssetClass.CRYPTO: "crypto",
    AssetClass.OPTION: "us_option",
}


class Refused(Exception):
    """An answer of the venue: HTTP status, code (0: none), message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(slots=True)
class Record:
    id: str
    client_order_id: str
    desk_id: ClientOrderId
    instrument: Instrument | None
    body: dict[str, Any]
    order_class: str = "simple"
    status: str = "pending_new"
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    submitted_at: int = field(default_factory=time.time_ns)
    updated_at: int = field(default_factory=time.time_ns)
    replaces: str | None = None
    replaced_by: str | None = None
    legs: list["Record"] = field(default_factory=list)
    parent: "Record | None" = None

    @property
    def qty(self) -> Decimal:
        return Decimal(self.body["qty"])

    def view(self, nested: bool = True) -> dict[str, Any]:
        frame = self.order_class == "mleg" and self.parent is None
        leg = self.order_class == "mleg" and self.parent is not None
        stamp = rfc3339(self.submitted_at)
        average = None if not self.filled else f"{self.cost / self.filled:f}"
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": stamp,
            "updated_at": rfc3339(self.updated_at),
            "submitted_at": stamp,
            "filled_at": rfc3339(self.updated_at) if self.status == "filled" else None,
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": "" if frame else str(uuid.uuid5(uuid.NAMESPACE_DNS, self.symbol)),
            "symbol": "" if frame else self.symbol,
            "asset_class": "" if frame else CLASSES[self.instrument.asset_class],
            "notional": None,
            "qty": self.body["qty"],
            "filled_qty": f"{self.filled:f}",
            "filled_avg_price": average,
            "order_class": self.order_class,
            "order_type": "" if leg else self.body["type"],
            "type": "" if leg else self.body["type"],
            "side": "" if frame else self.body["side"],
            "time_in_force": self.body["time_in_force"],
            "limit_price": self.body.get("limit_price"),
            "stop_price": self.body.get("stop_price"),
            "trail_price": self.body.get("trail_price"),
            "status": self.status,
            "extended_hours": bool(self.body.get("extended_hours")),
            "legs": [each.view() for each in self.legs] if nested and self.legs else None,
            "hwm": None,
        }

    @property
    def symbol(self) -> str:
        assert self.instrument is not None
        return self.instrument.venue_symbol or symbol_of(self.instrument.instrument_id)


def rfc3339(ts: int) -> str:
    seconds, rest = divmod(ts, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"

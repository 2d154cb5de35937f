"""What the account did, as the venue lists it: executions, and fees of crypto at the end of the day."""

import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.venues.alpaca.records import Record, rfc3339
from trading.reports import FillReport
from trading.values import AssetClass


class Activities:
    """Attributes
    ----------
    rows : list of activities, oldest first; `_ts` is not shown
    coin_fee : Decimal
        Part of the bought coins that the venue keeps.
    fees_taken : dict of symbol to coins
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.coin_fee = Decimal(0)
        self.fees_taken: dict[str, Decimal] = {}
        self._unposted: list[tuple[str, Decimal, Decimal]] = []

    def note(self, record: Record, report: FillReport, quantity: Decimal, execution: str) -> None:
        at = datetime.fromtimestamp(report.ts_event // 1_000_000 / 1_000, UTC)
        self.rows.append(
            {
                "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1_000:03d}::{execution}",
                "activity_type": "FILL",
                "transaction_time": rfc3339(report.ts_event)[:26] + "Z",
                "type": "fill" if record.status == "filled" else "partial_fill",
                "price": f"{report.last_px:f}",
                "qty": f"{quantity:f}",
                "side": record.body["side"],
                "symbol": record.symbol,
                "leaves_qty": f"{record.qty - record.filled:f}",
                "order_id": record.id,
                "cum_qty": f"{record.filled:f}",
                "order_status": record.status,
                "_ts": report.ts_event,
            }
        )
        self._take_fee(record, quantity, report.last_px)

    def _take_fee(self, record: Record, quantity: Decimal, price: Decimal) -> None:
        if record.instrument.asset_class is AssetClass.CRYPTO and record.body["side"] == "buy":
            self._unposted.append((record.symbol, quantity * self.coin_fee, price))

    def post_fees(self) -> None:
        """The end of the day: fees of crypto are taken from the position and posted."""
        now = time.time_ns()
        at = datetime.fromtimestamp(now // 10**9, UTC)
        for symbol, fee, price in self._unposted:
            self.fees_taken[symbol] = self.fees_taken.get(symbol, Decimal(0)) + fee
            self.rows.append(
                {
                    "id": f"{at:%Y%m%d}000000000::{uuid.uuid4()}",
                    "activity_type": "CFEE",
                    "date": f"{at:%Y-%m-%d}",
                    "net_amount": "0",
                    "description": "Coin Pair Transaction Fee (Non USD)",
                    "symbol": symbol.replace("/", ""),
                    "qty": f"{-fee:f}",
                    "price": f"{price:f}",
                    "status": "executed",
                    "_ts": now,
                }
            )
        self._unposted.clear()

"""What a run of the event gear found."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.check import Comparison
from trading.events import OrderDenied, OrderFilled, OrderRejected
from trading.identifiers import InstrumentId


@dataclass(frozen=True, slots=True, eq=False)
class EventResult:
    """The course of one account through the order path that trades, in account currency.

    Attributes
    ----------
    ts : (time,) int64
        Close of each bar slice (ns UTC).
    equity, cash : (time,)
        After the fills that happened up to the slice's own time, valued at its closes.
    units : (time, instrument)
        Held at the same moment.
    marked_equity, marked_cash : (time,)
        What the ledger journalled at the close, before the orders that the slice led to.
    fills : tuple of OrderFilled
        As the account journalled them, in order.
    refusals : tuple of OrderDenied and OrderRejected
        Denied by us, rejected by the venue.
    comparison : Comparison
        The account's journal and the ledger against the exchange's own journal.
    ledger : mapping
        The ledger's view at the end, exact.
    handled : mapping of machine to messages
    moments : int
        Slices and groups of market events that were replayed.
    seconds : float
        Wall time of the run.
    """

    ts: NDArray[np.int64]
    instrument_ids: tuple[InstrumentId, ...]
    initial_cash: Decimal
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]
    units: NDArray[np.float64]
    marked_equity: NDArray[np.float64]
    marked_cash: NDArray[np.float64]
    fills: tuple[OrderFilled, ...]
    refusals: tuple[OrderDenied | OrderRejected, ...]
    comparison: Comparison
    ledger: Mapping[str, Any]
    handled: Mapping[str, int]
    moments: int
    seconds: float

    @property
    def refusals_by_code(self) -> dict[str, int]:
        """How often each code was the answer."""
        counts: dict[str, int] = {}
        for refusal in self.refusals:
            counts[refusal.code] = counts.get(refusal.code, 0) + 1
        return counts

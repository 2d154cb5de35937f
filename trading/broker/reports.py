"""Reports of the venue become facts, each once, in whatever order they come."""

from trading.broker.opening import Opening
from trading.broker.state import BrokerState
from trading.effects import Effect, SetTimer
from trading.identifiers import ClientOrderId
from trading.reconciliation import (
    contradiction,
    fill_facts,
    fill_id,
    lacks_fills,
    status_facts,
)
from trading.reports import FillReport, OrderStatusReport

MISSING_FILLS = "missing_fills"
"""Timer key: ask for everything when fills that the venue counts have not come by then."""


class Reports:
    """Takes what the venue says of its own accord, or when it is asked about one order."""

    def __init__(self, state: BrokerState, opening: Opening) -> None:
        self._state = state
        self._opening = opening
        self._newest_seq: dict[ClientOrderId, int] = {}

    def status(self, report: OrderStatusReport, now: int) -> list[Effect]:
        state = self._state
        if not self._is_believable(report):
            return []
        report = self._opening.rest_of(report)
        order = state.order(report.client_order_id)
        facts = status_facts(order, report, now, is_stale=self._is_stale(report))
        effects: list[Effect] = [state.fact(fact) for fact in facts]
        if lacks_fills(state.order(report.client_order_id), report):
            known = state.reported_qty.get(report.client_order_id, report.filled_qty)
            state.reported_qty[report.client_order_id] = max(known, report.filled_qty)
            effects.append(SetTimer(MISSING_FILLS, now + state.config.missing_fill_delay_ns))
        return effects

    def fill(self, report: FillReport, now: int) -> list[Effect]:
        state = self._state
        if not self._is_believable(report):
            return []
        if state.record.account.has_fill(fill_id(report)) or not self._opening.counts(report):
            state.ignore(report)
            return []
        order = state.order(report.client_order_id)
        return [state.fact(fact) for fact in fill_facts(order, report, now)]

    def lacks_fills(self) -> bool:
        """Say whether the venue counts fills that we have not got."""
        reported = self._state.reported_qty
        for key, quantity in list(reported.items()):
            order = self._state.order(key)
            if order is not None and order.filled_qty >= quantity:
                del reported[key]
        return bool(reported)

    def _is_stale(self, report: OrderStatusReport) -> bool:
        """Say whether a newer message about the order was seen, where the venue counts them."""
        newest = self._newest_seq.get(report.client_order_id, 0)
        self._newest_seq[report.client_order_id] = max(newest, report.venue_seq)
        return 0 < report.venue_seq < newest

    def _is_believable(self, report: OrderStatusReport | FillReport) -> bool:
        state = self._state
        if report.account_id != state.config.account_id:
            state.ignore(report)
            return False
        if self._opening.is_awaited:
            self._opening.heard(report)
            state.ignore(report)
            return False
        if contradiction(state.order(report.client_order_id), report) is not None:
            state.contradiction_count += 1
            return False
        return True

"""Ready only after reconciling: at a start, at each new session, and again every few seconds."""

from trading.broker.reports import MISSING_FILLS, Reports
from trading.broker.resolution import Resolution, Until
from trading.broker.state import BrokerState
from trading.commands import QueryMassStatus
from trading.effects import CallVenue, CancelTimer, Effect, SetTimer
from trading.events import AccountReconciled
from trading.identifiers import ClientOrderId
from trading.order import Order
from trading.outcomes import (
    MassStatusReceived,
    QueryFailed,
    VenueConnected,
    VenueDisconnected,
)
from trading.reconciliation import Reconciliation, mismatches, reconcile
from trading.reports import FillReport, MassStatus, OrderStatusReport

RECONCILE = "reconcile"
"""Timer key: compare with the venue (again)."""


class Recovery:
    """Compares the account with the venue and keeps the broker from trading until they agree.

    A routine comparison asks only for executions since the last agreement. When it finds a
    difference that fills do not explain, everything is asked for; a difference that remains then
    takes readiness away and is shown until the venue and we agree again.
    """

    def __init__(self, state: BrokerState, reports: Reports, resolution: Resolution) -> None:
        self._state = state
        self._reports = reports
        self._resolution = resolution
        self._asked_at = 0
        self._since = 0
        self._agreed_ts = 0
        self._newest_when_asked = 0
        self._attempt = 0

    def begin(self, now: int) -> list[Effect]:
        """Start over; when no session comes up within a time-out, ask all the same."""
        self._start_over()
        if self._state.is_connected:
            return self.ask(now)
        return [SetTimer(RECONCILE, now + self._state.config.mass_status_timeout_ns)]

    def connected(self, message: VenueConnected, now: int) -> list[Effect]:
        self._state.is_connected = True
        self._start_over()
        return self.ask(now) if self._state.is_journal_up else []

    def disconnected(self, message: VenueDisconnected, now: int) -> list[Effect]:
        self._state.is_connected = False
        self._state.is_reconciled = False
        return []

    def ask(self, now: int) -> list[Effect]:
        """Ask the venue for everything since the last agreement."""
        config = self._state.config
        self._attempt += 1
        self._asked_at = now
        self._since = self._agreed_ts
        self._newest_when_asked = self._state.record.newest_fill_ts
        self._state.fills_since_question = []
        query = QueryMassStatus(ts_init=now, account_id=config.account_id, since=self._since)
        at = now + config.mass_status_timeout_ns + config.delay(self._attempt)
        return [CallVenue(query, config.mass_status_timeout_ns), SetTimer(RECONCILE, at)]

    def failed(self, message: QueryFailed, now: int) -> list[Effect]:
        delay = self._state.config.delay(self._attempt)
        return [SetTimer(RECONCILE, now + delay)]

    def missing_fills(self, now: int) -> list[Effect]:
        return self.ask(now) if self._reports.lacks_fills() else []

    def received(self, message: MassStatusReceived, now: int) -> list[Effect]:
        """Append what we lacked, look at what is left, and become ready or stay as we are."""
        state, status = self._state, message.mass_status
        newer = state.fills_since_question
        if newer is None or status.account_id != state.config.account_id:
            state.ignore(message)  # asked for in an earlier life, or not about us
            return []
        if state.is_connected is None:
            state.is_connected = True  # it has answered; the news came before we were restored
        account = state.record.account
        orders = self._concerned(status)
        result = reconcile(orders, account.trade_ids, status, now, self._asked_at)
        effects: list[Effect] = [state.fact(fact) for fact in result.facts]
        differences = tuple(mismatches(account, status, newer))
        state.fills_since_question = None
        if (differences or result.contradictions) and self._since > 0:
            self._agreed_ts = 0
            return effects + self.ask(now)
        state.mismatches, state.contradictions = differences, result.contradictions
        if differences or result.contradictions:
            state.is_reconciled = False
            return [*effects, SetTimer(RECONCILE, now + state.config.delay(self._attempt))]
        return effects + self._agreed(result, status, now)

    def _start_over(self) -> None:
        """Nothing is known about the venue until it has answered."""
        self._state.is_reconciled = False
        self._agreed_ts = 0

    def _concerned(self, status: MassStatus) -> dict[ClientOrderId, Order]:
        """Return the orders that are open here, and those that the venue speaks of."""
        record = self._state.record
        reports: tuple[OrderStatusReport | FillReport, ...] = status.open_orders
        reports += status.fills
        listed = {report.client_order_id for report in reports} & record.orders.keys()
        return {**record.open_orders, **{key: record.orders[key] for key in listed}}

    def _agreed(self, result: Reconciliation, status: MassStatus, now: int) -> list[Effect]:
        state, config = self._state, self._state.config
        effects: list[Effect] = []
        if result.facts or not state.is_reconciled:
            effects.append(state.fact(self._reconciled(result, status, now)))
        state.is_reconciled = True
        self._attempt = 0
        self._agreed_ts = self._newest_when_asked
        for key in result.to_query:
            order = state.record.orders[key]
            until = Until.KNOWN if order.is_in_flight else Until.ANSWERED
            effects += self._resolution.watch(key, until, now)
        if self._reports.lacks_fills():
            effects.append(SetTimer(MISSING_FILLS, now + config.delay(2)))
        if config.reconcile_interval_ns > 0:
            return [*effects, SetTimer(RECONCILE, now + config.reconcile_interval_ns)]
        return [*effects, CancelTimer(RECONCILE)]

    def _reconciled(
        self, result: Reconciliation, status: MassStatus, now: int
    ) -> AccountReconciled:
        record = self._state.record
        return AccountReconciled(
            ts_event=status.ts_event,
            ts_init=now,
            account_id=status.account_id,
            cash=record.account.cash,
            order_count=len(record.open_orders),
            fill_count=result.fill_count,
        )

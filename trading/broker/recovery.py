"""Ready only after reconciling: at a start, at each new session, and again every few seconds."""

from collections.abc import Sequence
from decimal import Decimal

from trading.broker.opening import Opening
from trading.broker.reports import MISSING_FILLS, Reports
from trading.broker.resolution import Resolution, Until
from trading.broker.state import BrokerState
from trading.commands import QueryMassStatus
from trading.effects import CallVenue, CancelTimer, Effect, SetTimer
from trading.events import AccountReconciled, CashAdjusted
from trading.identifiers import ClientOrderId
from trading.mismatches import CASH, Mismatch, RecentFill, mismatches
from trading.order import Order
from trading.outcomes import (
    MassStatusReceived,
    QueryFailed,
    VenueConnected,
    VenueDisconnected,
)
from trading.position import EXACT
from trading.reconciliation import Reconciliation, reconcile
from trading.reports import FillReport, MassStatus, OrderStatusReport

RECONCILE = "reconcile"
"""Timer key: compare with the venue (again)."""


class Recovery:
    """Compares the account with the venue and keeps the broker from trading until they agree.

    A routine comparison asks only for executions since the last agreement. When it finds a
    difference that fills do not explain, everything is asked for; a difference that remains then
    takes readiness away and is shown until the venue and we agree again. Cash alone that differs twice by
    the same small amount is cash that the venue moved: it becomes a fact (`cash_tolerance`).
    """

    def __init__(
        self, state: BrokerState, opening: Opening, reports: Reports, resolution: Resolution
    ) -> None:
        self._state = state
        self._opening = opening
        self._reports = reports
        self._resolution = resolution
        self._asked_at = 0
        self._since = 0
        self._agreed_ts = 0
        self._newest_when_asked = 0
        self._attempt = 0
        self._cash_moved: Decimal | None = None

    def begin(self, now: int) -> list[Effect]:
        """Start over; when no session comes up within a time-out, ask all the same."""
        self._start_over()
        if self._state.is_connected:
            return self.ask(now)
        return [SetTimer(RECONCILE, now + self._state.config.mass_status_timeout_ns)]

    def connected(self, message: VenueConnected, now: int) -> list[Effect]:
        self._state.is_connected, self._state.disconnection = True, None
        self._start_over()
        return self.ask(now) if self._state.is_journal_up else []

    def disconnected(self, message: VenueDisconnected, now: int) -> list[Effect]:
        self._state.is_connected, self._state.disconnection = False, message
        self._state.is_reconciled = False
        return []

    def ask(self, now: int) -> list[Effect]:
        """Ask the venue for everything since the last agreement; not when the session is given up."""
        if self._state.is_given_up:
            return []
        config = self._state.config
        self._attempt += 1
        self._asked_at = now
        self._since = self._agreed_ts
        self._newest_when_asked = self._state.record.newest_fill_ts
        self._state.fills_since_question = []
        self._opening.asked()
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
        effects: list[Effect] = []
        if self._opening.is_awaited:
            defect = self._opening.defect(status)
            if defect is not None:
                state.fills_since_question, state.contradictions = None, (defect,)
                return [SetTimer(RECONCILE, now + state.config.delay(self._attempt))]
            effects.append(self._opening.open(status, now))
        return effects + self._compare(self._opening.since(status), newer, now)

    def _compare(self, status: MassStatus, newer: Sequence[RecentFill], now: int) -> list[Effect]:
        state = self._state
        account = state.record.account
        orders = self._concerned(status)
        result = reconcile(orders, account.trade_ids, status, now, self._asked_at)
        effects: list[Effect] = [state.fact(fact) for fact in result.facts]
        differences = tuple(mismatches(account, status, newer))
        state.fills_since_question = None
        told = {"positions": status.positions, "cash": status.account}
        state.uncompared = tuple(name for name, value in told.items() if value is None)
        if (differences or result.contradictions) and self._since > 0:
            self._agreed_ts = 0
            return effects + self.ask(now)
        delay = state.config.delay(self._attempt)
        moved = None if newer or result.contradictions else self._moved_cash(differences)
        if moved is not None and moved == self._cash_moved:
            effects.append(state.fact(self._adjusted(moved, status, now)))
            differences = ()
        elif moved is not None:
            delay = max(delay, state.config.settle_ns)
        self._cash_moved = moved
        state.mismatches, state.contradictions = differences, result.contradictions
        if differences or result.contradictions:
            state.is_reconciled = False
            return [*effects, SetTimer(RECONCILE, now + delay)]
        return effects + self._agreed(result, status, now)

    def _moved_cash(self, differences: tuple[Mismatch, ...]) -> Decimal | None:
        """Return what the venue seems to have moved; None when something else explains the difference."""
        state = self._state
        if len(differences) != 1 or differences[0].subject != CASH:
            return None
        if self._reports.lacks_fills() or any(
            order.is_in_flight for order in state.record.open_orders.values()
        ):
            return None
        venues = differences[0].venues
        if not venues.is_finite():
            return None
        moved = EXACT.subtract(venues, differences[0].ours)
        return moved if abs(moved) <= state.config.cash_tolerance else None

    def _adjusted(self, amount: Decimal, status: MassStatus, now: int) -> CashAdjusted:
        return CashAdjusted(
            ts_event=status.ts_event,
            ts_init=now,
            account_id=status.account_id,
            amount=amount,
            reason="the venue's cash moved without a fill",
        )

    def _start_over(self) -> None:
        """Nothing is known about the venue until it has answered."""
        self._state.is_reconciled = False
        self._agreed_ts = 0
        self._cash_moved = None

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
        self._cash_moved = None
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

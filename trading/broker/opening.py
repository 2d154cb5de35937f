"""An account that was there before us: its first word is where our counts begin."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trading.broker.state import BrokerState
from trading.effects import Effect
from trading.events import AccountOpened
from trading.identifiers import ClientOrderId
from trading.reconciliation import fill_id
from trading.reports import FillReport, MassStatus, OrderStatusReport
from trading.values import ZERO


class Opening:
    """Opens the account once, and keeps what belongs to the time before out of the record.

    Until the account is open, what the venue says of its own accord is not taken: the answer that opens it
    tells all of it. An answer during which a fill was heard may hold half of that fill, so it does not count.
    """

    def __init__(self, state: BrokerState) -> None:
        self._state = state
        self._is_disturbed = False
        self._filled: tuple[AccountOpened, Mapping[ClientOrderId, Decimal]] | None = None

    @property
    def is_awaited(self) -> bool:
        """Return whether the account has still to be opened."""
        record = self._state.record
        return self._state.config.opens_account and not (record.opened or record.account.trade_ids)

    def asked(self) -> None:
        """The venue is asked for everything (again)."""
        self._is_disturbed = False

    def heard(self, report: FillReport | OrderStatusReport) -> None:
        """Something was said while the account is not open."""
        self._is_disturbed = self._is_disturbed or isinstance(report, FillReport)

    def defect(self, status: MassStatus) -> str | None:
        """Return why an answer cannot open the account; None when it can."""
        if self._is_disturbed:
            return "a fill came while the account was being read"
        numbers = [position.quantity for position in status.positions or ()]
        if status.account is not None:
            numbers.append(status.account.cash)
        if all(number.is_finite() for number in numbers):
            return None
        return "the venue's positions or cash are not numbers"

    def open(self, status: MassStatus, now: int) -> Effect:
        """Return the fact that opens the account with this answer."""
        config = self._state.config
        until = max((fill.ts_event for fill in status.fills), default=0)
        positions = [position for position in status.positions or () if position.quantity]
        fact = AccountOpened(
            ts_event=status.ts_event,
            ts_init=now,
            account_id=config.account_id,
            cash=config.initial_cash if status.account is None else status.account.cash,
            positions=tuple((p.instrument_id, p.quantity, _known(p.avg_px)) for p in positions),
            margined=tuple(
                p.instrument_id
                for p in positions
                if p.instrument_id in config.instruments
                and config.instruments[p.instrument_id].is_margined
            ),
            fills_until=until,
            trade_ids=tuple(fill_id(fill) for fill in status.fills if fill.ts_event == until),
            filled=tuple(
                (order.client_order_id, order.filled_qty)
                for order in status.open_orders
                if order.filled_qty > 0
            ),
        )
        return self._state.fact(fact)

    def counts(self, fill: FillReport) -> bool:
        """Return whether a fill is none of those that the account was opened with."""
        opened = self._state.record.opened
        if opened is None or fill.ts_event > opened.fills_until:
            return True
        return fill.ts_event == opened.fills_until and fill_id(fill) not in opened.trade_ids

    def rest_of(self, report: OrderStatusReport) -> OrderStatusReport:
        """Return the report about what was left of its order when the account was opened."""
        before = self._filled_before().get(report.client_order_id, ZERO)
        if not before:
            return report
        return msgspec.structs.replace(
            report, quantity=report.quantity - before, filled_qty=report.filled_qty - before
        )

    def since(self, status: MassStatus) -> MassStatus:
        """Return the answer without what the account was opened with."""
        if self._state.record.opened is None:
            return status
        return msgspec.structs.replace(
            status,
            open_orders=tuple(map(self.rest_of, status.open_orders)),
            fills=tuple(filter(self.counts, status.fills)),
        )

    def _filled_before(self) -> Mapping[ClientOrderId, Decimal]:
        opened = self._state.record.opened
        if opened is None:
            return {}
        if self._filled is None or self._filled[0] is not opened:
            self._filled = opened, dict(opened.filled)
        return self._filled[1]


def _known(price: Decimal) -> Decimal:
    return price if price.is_finite() and price > 0 else ZERO

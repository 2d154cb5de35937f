"""All that the risk manager knows: two folds (its own journal and the account's) and the market."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading.codec import digest_of
from trading.commands import SubmitOrder
from trading.data import BookTop
from trading.events import DayOpened
from trading.identifiers import AccountId, InstrumentId, StrategyId
from trading.instruments import Instrument
from trading.risk.breakers import Counters, EquityGuard
from trading.risk.holdings import Holdings
from trading.risk.limits import RiskLimits
from trading.risk.prices import Prices
from trading.risk.reservations import WorkingOrder
from trading.risk.results import day_of
from trading.risk.situation import Situation
from trading.risk.standing import Standing
from trading.risk.throttle import TokenBucket
from trading.values import ZERO

_MARKS_PER_LOSS = 20
"""Equity is journalled in steps of this fraction of the daily loss limit."""


class RiskState:
    """State of one account's risk, without the protocol around it.

    Durable are `standing` and `holdings`: each follows from its own stream alone, so a restart finds
    the same counters in whatever order the two were written. Prices, equity readings, the throttle
    and orders in flight are volatile.
    """

    def __init__(
        self,
        account_id: AccountId,
        strategies: Iterable[StrategyId],
        instruments: Mapping[InstrumentId, Instrument],
        limits: RiskLimits,
        initial_cash: Decimal,
    ) -> None:
        self.limits = limits
        self.prices = Prices(instruments)
        self.standing = Standing()
        self.holdings = Holdings(initial_cash, self.prices)
        self.guard = EquityGuard()
        self.throttle = TokenBucket(limits.max_orders_per_second)
        self._account_id = account_id
        self._strategies = frozenset(strategies)
        self._instruments = dict(instruments)
        self._slice_time = 0

    @property
    def market_time(self) -> int:
        """Market time (ns UTC): the newest bar slice or fill."""
        return max(self._slice_time, self.holdings.market_time)

    def counters(self) -> Counters:
        """Return what the breakers look at."""
        standing, results = self.standing, self.holdings.results
        equity, base, peak = self.guard.last, standing.day_equity, standing.peak_equity
        return Counters(
            daily_loss=None if equity is None or base is None else base - equity,
            drawdown=None if equity is None or peak is None else max(ZERO, 1 - equity / peak),
            consecutive_losses=results.consecutive_losses(standing.losses_after),
            trades_today=results.trades_on(standing.day or 0),
            bad_readings=self.guard.bad_in_a_row,
        )

    # -- market

    def quote(self, top: BookTop) -> bool:
        """Take a book over; False when it is no usable one."""
        if not self.prices.update(top):
            return False
        self.holdings.reservations.reprice(top.instrument_id)
        return True

    def advance(self, market_time: int) -> None:
        """Advance the market clock; it never goes back."""
        self._slice_time = max(self._slice_time, market_time)

    def read_equity(self) -> list[DayOpened]:
        """Value the account at the close of a bar slice; return the facts to be journalled.

        A reading is journalled when it moved by a twentieth of `max_daily_loss` since the last one
        that was; day and peak are measured from journalled readings only, so a restart changes
        neither. A day begins with the last reading before it (with daily bars: the close before).
        """
        before = self.standing.marked_equity
        equity = self.guard.accept(
            self.holdings.account.equity(self._prices_of_positions()), before
        )
        base = equity if before is None else before
        if base is None:
            return []
        day = max(day_of(self.market_time), self.standing.day or 0)
        peak = max(base, self.standing.peak_equity or base)
        facts: list[DayOpened] = []
        if day != self.standing.day:
            facts.append(DayOpened(day=day, equity=base, peak_equity=peak))
        if equity is not None and self._has_moved(base, equity):
            facts.append(DayOpened(day=day, equity=equity, peak_equity=max(peak, equity)))
        return facts

    def restart_peak(self) -> list[DayOpened]:
        """An operator resumed trading: return the fact that measures the drawdown from here on."""
        self.guard.restart()
        equity, day = self.guard.last, self.standing.day
        if equity is None or day is None:
            return []
        return [DayOpened(day=day, equity=equity, peak_equity=equity)]

    def _has_moved(self, before: Decimal, equity: Decimal) -> bool:
        return abs(equity - before) * _MARKS_PER_LOSS >= self.limits.max_daily_loss

    def _prices_of_positions(self) -> dict[InstrumentId, Decimal]:
        """Return the middle prices of what is held; without a quote a position counts at its cost."""
        middles: dict[InstrumentId, Decimal] = {}
        for key, position in self.holdings.account.positions().items():
            price = self.prices.middle_px(key) if position.quantity else None
            if price is not None:
                middles[key] = price
        return middles

    # -- orders

    def situation(
        self, order: SubmitOrder, now: int, replaced: WorkingOrder | None = None
    ) -> Situation:
        """Return what the checks look at.

        Parameters
        ----------
        replaced : WorkingOrder or None
            The order that this one takes the place of: its reservation does not count.
        """
        instrument = self._instruments.get(order.instrument_id)
        is_ours = order.strategy_id in self._strategies and order.account_id == self._account_id
        if instrument is None or not is_ours:
            return Situation(instrument=instrument, is_ours=is_ours)
        key, side = order.instrument_id, order.side
        reservations = self.holdings.reservations
        account, strategy = reservations.account, reservations.strategy(order.strategy_id)
        line, strategy_line = account.line(key), strategy.line(key)
        more = order.quantity if order.quantity.is_finite() else ZERO
        unfilled_count = reservations.unfilled_count
        if replaced is not None:
            more -= replaced.reserved
            unfilled_count -= not replaced.filled
        return Situation(
            instrument=instrument,
            hold=self.standing.hold,
            kill_reason=self.holdings.kill_reason,
            quote_at=self.prices.seen_at(key),
            price=self._counted_at(order),
            reduces_account=line.is_reduced_by(side, more),
            reduces_strategy=strategy_line.is_reduced_by(side, more),
            position_after=line.units_with(side, more),
            strategy_position_after=strategy_line.units_with(side, more),
            gross_elsewhere=account.gross - line.value,
            strategy_gross_elsewhere=strategy.gross - strategy_line.value,
            positions_elsewhere=len(account.lines) - (not line.is_empty),
            unpriced_count=account.unpriced,
            tokens=self.throttle.tokens(now),
            counters=self.counters(),
            unfilled_count=unfilled_count,
        )

    def _counted_at(self, order: SubmitOrder) -> Decimal | None:
        price = self.prices.exposure_px(order.instrument_id)
        for own in (order.price, order.trigger_price):
            if own is not None and own.is_finite() and (price is None or own > price):
                price = own
        return price

    def is_known(self, order: SubmitOrder) -> bool:
        """True when there is a verdict on this order already."""
        key = order.client_order_id
        return self.holdings.knows(key) or self.standing.has_denied(key)

    def state_hash(self) -> str:
        return digest_of([self.standing.durable(), self.holdings.durable()])

    def validate(self) -> None:
        self.holdings.validate()
        assert self.guard.bad_in_a_row <= self.guard.bad_count

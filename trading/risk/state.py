"""All that the risk manager knows: two folds (its own journal and the account's) and the market."""

from decimal import Decimal

from trading.codec import digest_of
from trading.commands import SubmitOrder
from trading.data import BookTop
from trading.events import CashAdjusted, DayOpened, Event
from trading.identifiers import InstrumentId, StrategyId
from trading.position import EXACT
from trading.risk.breakers import Counters, EquityGuard
from trading.risk.config import RiskConfig
from trading.risk.desk_book import DeskBook
from trading.risk.holdings import Holdings
from trading.risk.ladder import LossLadder
from trading.risk.limits import RiskLimits
from trading.risk.prices import Prices
from trading.risk.reservations import WorkingOrder
from trading.risk.situation import Situation
from trading.risk.standing import Standing
from trading.risk.throttle import TokenBucket
from trading.risk.variance import AccountVariance
from trading.values import ZERO

_MARKS_PER_LOSS = 20
"""Equity is journalled in steps of this fraction of the daily loss limit."""


class RiskState:
    """State of one account's risk, without the protocol around it.

    Durable are `standing` and `holdings`: each follows from its own stream alone, so a restart finds
    the same counters in whatever order the two were written. Prices, equity readings, the throttle
    and orders in flight are volatile.
    """

    def __init__(self, config: RiskConfig) -> None:
        self.limits = config.limits
        self.hours = config.hours
        self.prices = Prices(config.instruments)
        self.standing = Standing()
        self.holdings = Holdings(config.initial_cash, self.prices, config.hours)
        self.guard = EquityGuard()
        self.ladder = LossLadder()
        self.throttle = TokenBucket(config.limits.max_orders_per_second)
        self._account_id = config.account_id
        self._strategies = frozenset(config.strategies + config.operators)
        self._instruments = dict(config.instruments)
        self._slice_time = 0
        self._profits: dict[StrategyId, Decimal] = {}
        self.desk = self._desk_book(None)

    def obey(self, limits: RiskLimits) -> None:
        """Put other limits in force."""
        self.limits = limits
        self.throttle.change_rate(limits.max_orders_per_second)
        self.desk = self._desk_book(self.desk.variance)

    def _desk_book(self, variance: AccountVariance | None) -> DeskBook:
        desk = DeskBook(self._instruments, self.limits, variance)
        account = self.holdings.reservations.account
        for key, line in account.lines.items():
            desk.note(key, line)
        account.watch = desk.note
        return desk

    @property
    def market_time(self) -> int:
        """Market time (ns UTC): the newest bar slice or fill."""
        return max(self._slice_time, self.holdings.market_time)

    def fold(self, event: Event) -> None:
        """Fold one fact of the account's stream."""
        self.holdings.apply(event)
        if isinstance(event, CashAdjusted):
            self.guard.move(event.amount)

    @property
    def day_equity(self) -> Decimal | None:
        """Equity at the start of the day, as if what was moved since had been there then."""
        return self._with_moves(self.standing.day_equity)

    @property
    def peak_equity(self) -> Decimal | None:
        return self._with_moves(self.standing.peak_equity)

    @property
    def _marked_equity(self) -> Decimal | None:
        return self._with_moves(self.standing.marked_equity)

    def _with_moves(self, journalled: Decimal | None) -> Decimal | None:
        """Readings are journalled without the cash that the venue moved: that is in another stream."""
        if journalled is None:
            return None
        return EXACT.add(journalled, self.holdings.account.adjusted)

    def counters(self) -> Counters:
        """Return what the breakers look at."""
        standing, results = self.standing, self.holdings.results
        equity, base, peak = self.guard.last, self.day_equity, self.peak_equity
        return Counters(
            daily_loss=None if equity is None or base is None else base - equity,
            drawdown=_fall(equity, peak),
            consecutive_losses=results.consecutive_losses(standing.losses_after),
            trades_today=results.trades_on(standing.day or 0),
            bad_readings=self.guard.bad_in_a_row,
            reject_rate=self._reject_rate(),
            slippage_bps=self._slippage_bps(),
            must_flatten=self.ladder.must_flatten(self.limits),
        )

    def _reject_rate(self) -> Decimal | None:
        if self.limits.max_reject_rate is None:
            return None
        after = self.standing.outcomes_after
        return self.holdings.outcomes.reject_rate(self.limits.outcome_window, after)

    def _slippage_bps(self) -> Decimal | None:
        if self.limits.max_slippage_bps is None:
            return None
        after = self.standing.outcomes_after
        return self.holdings.outcomes.slippage_bps(self.limits.outcome_window, after)

    @property
    def tomorrow(self) -> int:
        """First moment (ns UTC) of the next trading day."""
        return self.hours.end_of_day(self.market_time) + 1

    def daily_losses(self) -> dict[StrategyId, Decimal]:
        """Return what each strategy lost since the day opened (a gain is negative)."""
        if self.limits.max_strategy_daily_loss is None:
            return {}
        base = self.standing.day_profits
        return {key: base.get(key, ZERO) - profit for key, profit in self._profits.items()}

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
        before = self._marked_equity
        equity = self.guard.accept(
            self.holdings.account.equity(self._prices_of_positions()), before
        )
        base = equity if before is None else before
        if base is None:
            return []
        day = max(self.hours.day_of(self.market_time), self.standing.day or 0)
        peak = max(base, self.peak_equity or base)
        facts: list[DayOpened] = []
        opened, self._profits = self._profits, self._profits_now()
        if day != self.standing.day:
            profits = tuple((opened or self._profits).items())
            facts.append(self._reading(day, base, peak, profits))
        if equity is not None and self._has_moved(base, equity):
            facts.append(self._reading(day, equity, max(peak, equity)))
        return facts

    def _reading(
        self,
        day: int,
        equity: Decimal,
        peak: Decimal,
        profits: tuple[tuple[StrategyId, Decimal], ...] = (),
    ) -> DayOpened:
        moved = self.holdings.account.adjusted
        return DayOpened(
            day=day,
            equity=EXACT.subtract(equity, moved),
            peak_equity=EXACT.subtract(peak, moved),
            profits=profits,
        )

    def restart_peak(self) -> list[DayOpened]:
        """An operator resumed trading: return the fact that measures the drawdown from here on."""
        self.guard.restart()
        self.ladder.restart()
        equity, day = self.guard.last, self.standing.day
        if equity is None or day is None:
            return []
        return [self._reading(day, equity, equity)]

    def _has_moved(self, before: Decimal, equity: Decimal) -> bool:
        return abs(equity - before) * _MARKS_PER_LOSS >= self.limits.max_daily_loss

    def _profits_now(self) -> dict[StrategyId, Decimal]:
        """Return each strategy's profit since the start; nothing while no limit asks for it."""
        if self.limits.max_strategy_daily_loss is None:
            return {}
        profits: dict[StrategyId, Decimal] = {}
        for (strategy, key), position in self.holdings.account.strategy_positions().items():
            value = position.value(self.prices.middle_px(key))
            profit = value - position.cost + position.realized_pnl - position.commissions
            profits[strategy] = profits.get(strategy, ZERO) + profit
        return profits

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
        unfilled_count, working_count = reservations.unfilled_count, len(reservations.orders)
        if replaced is not None:
            more -= replaced.reserved
            unfilled_count -= not replaced.filled
            working_count -= 1
        price = self._counted_at(order)
        at = price or ZERO
        position_after = line.units_with(side, more)
        signed_after = line.quantity + (line.buys + more if side.sign > 0 else -line.sells - more)
        correlated, deviation = self.desk.measures_after(key, signed_after * at)
        halt = self.standing.halts.get(order.strategy_id)
        return Situation(
            instrument=instrument,
            hold=self.standing.hold,
            kill_reason=self.holdings.kill_reason,
            quote_at=self.prices.seen_at(key),
            price=price,
            reduces_account=line.is_reduced_by(side, more),
            reduces_strategy=strategy_line.is_reduced_by(side, more),
            position_after=position_after,
            strategy_position_after=strategy_line.units_with(side, more),
            gross_elsewhere=account.gross - line.value,
            strategy_gross_elsewhere=strategy.gross - strategy_line.value,
            positions_elsewhere=len(account.lines) - (not line.is_empty),
            unpriced_count=account.unpriced,
            tokens=self.throttle.tokens(now),
            counters=self.counters(),
            unfilled_count=unfilled_count,
            strategy_halt=halt.reason if halt and halt.until > self.market_time else None,
            is_market_open=self.hours.is_open(self.market_time),
            working_count=working_count,
            equity=self.guard.last or self._marked_equity,
            opposite_px=None if order.price is None else self.prices.opposite_px(key, side),
            short_after=line.sells + more - line.quantity if side.sign < 0 else ZERO,
            net_after=self.desk.net_after(side, more * at),
            groups_after=self.desk.groups_after(key, position_after * at),
            correlated_after=correlated,
            deviation_after=deviation,
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
        return digest_of([self.limits, self.standing.durable(), self.holdings.durable()])

    def validate(self) -> None:
        self.holdings.validate()
        self.desk.validate(self.holdings.reservations.account.lines)
        assert self.guard.bad_in_a_row <= self.guard.bad_count


def _fall(equity: Decimal | None, peak: Decimal | None) -> Decimal | None:
    """Return the fall from the peak as a ratio of it; all of it when the peak was moved out of the account."""
    if equity is None or peak is None:
        return None
    if peak <= 0:
        return ZERO if equity >= peak else Decimal(1)
    return max(ZERO, 1 - equity / peak)

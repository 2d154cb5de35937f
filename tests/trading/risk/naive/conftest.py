"""The reference: risk as a recomputation of everything from the facts, each time it is asked."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume

from trading.events import (
    DayOpened,
    KillSwitchReset,
    KillSwitchTripped,
    OrderAccepted,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    TradingStateChanged,
)
from trading.risk.limits import RiskLimits, SymbolLimits

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
SYMBOLS = "ABC"
LIMITS = RiskLimits(
    max_shares=Decimal(60),
    max_notional_per_position=Decimal(5_000),
    max_total_exposure=Decimal(9_000),
    max_open_positions=2,
    max_loss_per_trade=Decimal(90),
    max_daily_loss=Decimal(600),
    max_drawdown=Decimal("0.006"),
    max_consecutive_losses=2,
    max_trades_per_day=7,
    max_orders_per_second=4,
    max_strategy_exposure={"one": Decimal(4_500)},
)


DESK_LIMITS = msgspec.structs.replace(
    LIMITS,
    max_shares=Decimal(70),
    max_notional_per_position=Decimal(50_000),
    max_total_exposure=Decimal(50_000),
    max_open_positions=3,
    max_loss_per_trade=Decimal(5_000),
    max_strategy_exposure={},
    max_trades_per_day=30,
    max_consecutive_losses=9,
    max_order_value=Decimal(5_500),
    price_collar=Decimal("0.05"),
    max_open_orders=2,
    max_gross_leverage=Decimal("0.065"),
    max_net_leverage=Decimal("0.055"),
    max_concentration=Decimal("0.06"),
    max_group_exposure={"sector:odd": Decimal(3_500), "venue:X": Decimal(6_400)},
    restricted=("C.X",),
    require_locate=True,
    symbols={"A.X": SymbolLimits(located=Decimal(45)), "B.X": SymbolLimits(located=Decimal(90))},
)
"""Wide ones, and what a desk adds so small that each is met. B is of the sector `odd`."""


class Reference:
    """Keeps facts, never a result."""

    def __init__(self, desk):
        self.desk = desk
        self.limits = desk.limits
        self.forget()

    def forget(self):
        """A restart: only the two streams are left."""
        self.quotes = {}
        self.approved = []
        self.equity = None

    # -- from the account's stream

    def working(self):
        """Return {client_order_id: [order, units filled]} of all that may still fill."""
        book, never_sent, seen = {}, {}, set()
        for event in self.desk.account:
            key = getattr(event, "client_order_id", None)
            seen.add(key)
            if isinstance(event, OrderSubmitted):
                book[key] = [event.order, 0]
            elif isinstance(event, OrderAccepted | OrderFilled):
                if key in never_sent:
                    book[key] = never_sent.pop(key)
                if isinstance(event, OrderFilled):
                    book[key][1] += event.last_qty
                    if book[key][1] == book[key][0].quantity:
                        del book[key]
            elif isinstance(event, OrderDenied) and event.code == "ORDER_NEVER_SENT":
                never_sent[key] = book.pop(key)
            elif not isinstance(event, KillSwitchTripped | KillSwitchReset):
                book.pop(key, None)
        fresh = {o.client_order_id: [o, 0] for o, _ in self.approved}
        return book | {key: value for key, value in fresh.items() if key not in seen}

    def fills(self):
        return [event for event in self.desk.account if isinstance(event, OrderFilled)]

    def position(self, symbol, strategy=None):
        return sum(
            (
                fill.side.sign * fill.last_qty
                for fill in self.fills()
                if fill.instrument_id == f"{symbol}.X" and strategy in {None, fill.strategy_id}
            ),
            Decimal(0),
        )

    def units(self, symbol, strategy=None, more=None):
        long = short = self.position(symbol, strategy)
        orders = [(o, o.quantity - filled) for o, filled in self.working().values()]
        for order, leaves in [*orders, *([(more, more.quantity)] if more else [])]:
            if order.instrument_id == f"{symbol}.X" and strategy in {None, order.strategy_id}:
                long += leaves if order.side == "BUY" else 0
                short -= leaves if order.side == "SELL" else 0
        return max(long, -short)

    def reduces(self, order, strategy=None):
        symbol, sign = order.instrument_id[0], order.side.sign
        held = -sign * self.position(symbol, strategy)
        same = sum(
            o.quantity - filled
            for o, filled in self.working().values()
            if o.instrument_id == order.instrument_id
            and o.side == order.side
            and strategy in {None, o.strategy_id}
        )
        return held > 0 and same + order.quantity <= held

    def exits(self):
        """Yield (profit, market time) of each order that ended after closing something."""
        costs = defaultdict(lambda: [Fraction(0), Fraction(0)])
        results, clock = {}, 0
        left = {}
        for event in self.desk.account:
            key = getattr(event, "client_order_id", None)
            if isinstance(event, OrderSubmitted):
                left[key] = event.order.quantity
            elif isinstance(event, OrderFilled):
                clock = max(clock, event.ts_event)
                profit = _close(costs[event.strategy_id, event.instrument_id], event)
                if profit is not None:
                    results[key] = results.get(key, 0) + profit
                left[key] -= event.last_qty
                if not left[key] and key in results:
                    yield results.pop(key), clock
            elif isinstance(event, OrderRejected | OrderDenied):
                is_over = getattr(event, "code", "") != "ORDER_NEVER_SENT"
                if is_over and key in results:
                    yield results.pop(key), clock

    def consecutive_losses(self):
        run = []
        for profit, clock in self.exits():
            assume(profit == 0 or abs(profit) > Fraction(1, 10**9))
            run = [*run, clock] if profit < 0 else []
        return sum(clock > self.losses_after() for clock in run)

    def trades_today(self):
        first = {}
        for fill in self.fills():
            first.setdefault(fill.client_order_id, fill.ts_event // DAY)
        today = max([*first.values(), self.day() or 0], default=0)
        return sum(day == today for day in first.values())

    def is_killed(self):
        latches = [
            e for e in self.desk.account if isinstance(e, KillSwitchTripped | KillSwitchReset)
        ]
        return bool(latches) and isinstance(latches[-1], KillSwitchTripped)

    # -- from risk's own stream

    def last(self, kind):
        return next((e for e in reversed(self.desk.own) if isinstance(e, kind)), None)

    def day(self):
        opened = self.last(DayOpened)
        return opened and opened.day

    def losses_after(self):
        after = 0
        for event in self.desk.own:
            if isinstance(event, TradingStateChanged):
                if event.code == "OPERATOR" and event.state == "ACTIVE":
                    after = event.ts_event
                elif event.code == "RISK_CONSECUTIVE_LOSSES" and event.until:
                    after = event.until
        return after

    def day_equity(self):
        opened = [e for e in self.desk.own if isinstance(e, DayOpened) and e.day == self.day()]
        return Fraction(opened[0].equity)

    def peak(self):
        return Fraction(self.last(DayOpened).peak_equity)

    # -- from the market

    def price(self, symbol):
        if symbol in self.quotes:
            return Decimal(str(self.quotes[symbol][0]))
        fills = [fill for fill in self.fills() if fill.instrument_id == f"{symbol}.X"]
        return fills[-1].last_px if fills else None

    def read_equity(self):
        cash = Fraction(self.desk.cash)
        costs = defaultdict(lambda: [Fraction(0), Fraction(0)])
        for fill in self.fills():
            cash -= fill.side.sign * Fraction(fill.last_qty) * Fraction(fill.last_px)
            _close(costs[fill.instrument_id], fill)
        for symbol in SYMBOLS:
            quote = self.quotes.get(symbol)
            held, cost = costs[f"{symbol}.X"]
            cash += cost if quote is None else held * Fraction(str(quote[0]))
        self.equity = cash

    def tokens(self):
        level, at = Fraction(self.limits.max_orders_per_second), 0
        for now in [*(when for _, when in self.approved), self.desk.now]:
            gained = Fraction(now - at, SECOND) * self.limits.max_orders_per_second
            level = min(
                max(level, Fraction(0)) + gained, Fraction(self.limits.max_orders_per_second)
            )
            level, at = level - 1, now
        return level + 1

    # -- the verdict

    def verdict(self, order):
        return next((code for is_bad, code in self.refusals(order) if is_bad()), "approved")

    def refusals(self, order):
        """Yield (is it so?, code) in the order in which the gate asks."""
        symbol, now = order.instrument_id[0], self.desk.now
        reduces = self.reduces(order)
        is_exit = reduces and order.purpose == "stop_loss"
        change = self.last(TradingStateChanged)
        state, code = (change.state, change.code) if change else ("ACTIVE", "")
        if code == "OPERATOR":
            code = f"RISK_{state}"
        blocked = (state == "HALTED" and not is_exit) or (state == "REDUCING" and not reduces)
        quote = self.quotes.get(symbol)
        always = [
            (self.is_killed, "KILL_SWITCH"),
            (lambda: blocked, code),
            (lambda: not is_exit and (not quote or now - quote[1] > 5 * SECOND), "DATA_STALE"),
            (
                lambda: order.reduce_only and not self.reduces(order, order.strategy_id),
                "RISK_REDUCE_ONLY",
            ),
            (lambda: not is_exit and self.tokens() < 1, "RISK_ORDER_RATE"),
        ]
        yield from always
        if not reduces:
            yield from self.exceeded(order, symbol)
            yield from self.exceeded_at_the_desk(order, symbol)

    def exceeded(self, order, symbol):
        one, limits = order.strategy_id, self.limits
        price = max(self.price(symbol) or 0, order.price or 0)
        others = [s for s in SYMBOLS if s != symbol]
        open_elsewhere = [s for s in others if self.is_open(s)]
        value = self.units(symbol, None, order) * price
        mine = self.units(symbol, one, order) * price
        most = limits.max_strategy_exposure.get(one, Decimal("Infinity"))
        return [
            (lambda: order.quantity > limits.max_shares, "RISK_MAX_SHARES"),
            (
                lambda: order.quantity * price * limits.stop_loss > limits.max_loss_per_trade,
                "RISK_MAX_LOSS_PER_TRADE",
            ),
            (lambda: value > limits.max_notional_per_position, "RISK_MAX_NOTIONAL"),
            (lambda: any(self.price(s) is None for s in open_elsewhere), "DATA_STALE"),
            (
                lambda: (
                    value + sum(self.units(s) * self.price(s) for s in open_elsewhere)
                    > limits.max_total_exposure
                ),
                "RISK_MAX_EXPOSURE",
            ),
            (
                lambda: (
                    not self.reduces(order, one)
                    and mine + sum(self.units(s, one) * (self.price(s) or 0) for s in others) > most
                ),
                "RISK_MAX_STRATEGY_EXPOSURE",
            ),
            (lambda: len(open_elsewhere) >= limits.max_open_positions, "RISK_MAX_POSITIONS"),
            (
                lambda: (
                    self.equity is not None
                    and self.day_equity() - self.equity >= limits.max_daily_loss
                ),
                "RISK_DAILY_LOSS",
            ),
            (
                lambda: (
                    self.equity is not None
                    and 1 - self.equity / self.peak() >= Fraction(limits.max_drawdown)
                ),
                "RISK_DRAWDOWN",
            ),
            (
                lambda: self.consecutive_losses() >= limits.max_consecutive_losses,
                "RISK_CONSECUTIVE_LOSSES",
            ),
            (
                lambda: (
                    self.trades_today() + sum(not filled for _, filled in self.working().values())
                    >= limits.max_trades_per_day
                ),
                "RISK_MAX_TRADES_PER_DAY",
            ),
        ]

    def exceeded_at_the_desk(self, order, symbol):
        limits, infinite = self.limits, Decimal("Infinity")
        price = max(self.price(symbol) or 0, order.price or 0)
        value = self.units(symbol, None, order) * price
        gross = {s: self.units(s) * self.price(s) for s in SYMBOLS if self.is_open(s)}
        gross[symbol] = value
        sold = sum(
            o.quantity - filled
            for o, filled in self.working().values()
            if o.instrument_id == order.instrument_id and o.side == "SELL"
        )
        short = sold + order.quantity - self.position(symbol)
        located = limits.symbols.get(order.instrument_id, SymbolLimits()).located or 0
        quote = self.quotes.get(symbol)
        sign = order.side.sign
        through = (
            0
            if order.price is None
            else sign * (Fraction(order.price) / Fraction(str(quote[0])) - 1)
        )

        marked = self.last(DayOpened)
        equity = self.equity or (marked and Fraction(marked.equity))

        def of_equity(limit):
            return infinite if limit is None else Fraction(limit) * equity

        def unknown(limit):
            return limit is not None and equity is None

        def over(group, symbols):
            most = limits.max_group_exposure.get(group)
            return most is not None and sum(gross.get(s, 0) for s in symbols) > most

        yield from [
            (lambda: order.instrument_id in limits.restricted, "RISK_RESTRICTED"),
            (
                lambda: limits.require_locate and sign < 0 and short > 0 and short > located,
                "RISK_NO_LOCATE",
            ),
            (
                lambda: order.quantity * price > (limits.max_order_value or infinite),
                "RISK_MAX_ORDER_VALUE",
            ),
            (lambda: through > (limits.price_collar or infinite), "RISK_PRICE_COLLAR"),
            (
                lambda: len(self.working()) >= (limits.max_open_orders or infinite),
                "RISK_MAX_OPEN_ORDERS",
            ),
            (lambda: unknown(limits.max_concentration), "RISK_UNMEASURED"),
            (lambda: value > of_equity(limits.max_concentration), "RISK_MAX_CONCENTRATION"),
            (
                lambda: sum(gross.values()) > of_equity(limits.max_gross_leverage),
                "RISK_MAX_GROSS_LEVERAGE",
            ),
            (
                lambda: self.net_after(order, price) > of_equity(limits.max_net_leverage),
                "RISK_MAX_NET_LEVERAGE",
            ),
            (
                lambda: (symbol == "B" and over("sector:odd", "B")) or over("venue:X", SYMBOLS),
                "RISK_MAX_GROUP_EXPOSURE",
            ),
        ]

    def net_after(self, order, price):
        """The largest absolute net exposure, all buys or all sells being filled."""
        high = low = sum(
            (self.position(s) * self.price(s) for s in SYMBOLS if self.position(s)), Decimal(0)
        )
        for working, filled in self.working().values():
            value = (working.quantity - filled) * self.price(working.instrument_id[0])
            high += value if working.side == "BUY" else 0
            low -= value if working.side == "SELL" else 0
        high += order.quantity * price if order.side == "BUY" else 0
        low -= order.quantity * price if order.side == "SELL" else 0
        return max(abs(high), abs(low))

    def is_open(self, symbol):
        works = any(o.instrument_id == f"{symbol}.X" for o, _ in self.working().values())
        return works or self.position(symbol) != 0

    def check_limits(self, order):
        """Assert that what was just approved stays inside every limit, by the market's prices."""
        values = [self.units(s) * self.price(s) for s in SYMBOLS if self.is_open(s)]
        assert self.units(order.instrument_id[0]) * self.price(order.instrument_id[0]) <= (
            self.limits.max_notional_per_position
        )
        assert sum(values) <= self.limits.max_total_exposure
        assert len(values) <= self.limits.max_open_positions


def _close(holding, fill):
    """Fold a fill into [units, cost] at average cost; return the profit of what it closed."""
    units, cost = holding
    signed = fill.side.sign * Fraction(fill.last_qty)
    price = Fraction(fill.last_px)
    closed = -max(-abs(units), -abs(signed)) if units * signed < 0 else Fraction(0)
    profit = None
    if closed:
        average = cost / units
        profit = closed * (price - average) * (1 if units > 0 else -1)
        units += closed * (1 if signed > 0 else -1)
        cost = average * units
    opened = signed - closed * (1 if signed > 0 else -1)
    holding[:] = [units + opened, cost + opened * price]
    return profit


@pytest.fixture(scope="session")
def new_reference():
    return Reference


@pytest.fixture(scope="session")
def small_limits():
    """Limits so small that random orders meet each of them."""
    return LIMITS


@pytest.fixture(scope="session")
def desk_limits():
    """Those, and the limits that a desk adds."""
    return DESK_LIMITS

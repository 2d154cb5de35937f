"""The gate against a reference that recomputes everything from the facts, each time it is asked.

Random orders, fills, prices, restarts and operators: the same verdicts, and no limit is ever exceeded,
counting working orders as filled in the worst way.
"""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from trading.commands import PermittedOrder, SetTradingState
from trading.events import KillSwitchReset, KillSwitchTripped, OrderDenied, OrderRejected
from trading.values import OrderType, TradingState

SYMBOLS = "ABC"


class Play:
    """Performs one drawn operation on the gate and keeps the reference's facts."""

    def __init__(self, desk, reference):
        self.desk = desk
        self.reference = reference
        for symbol in SYMBOLS:
            self.price(symbol, 100)

    def note_permits(self, before):
        """Stop exits leave on their own: they are approved orders as well."""
        for message in self.desk.sent[before:]:
            if isinstance(message, PermittedOrder):
                self.reference.approved.append((message.order, self.desk.now))

    def order(self, symbol, side, quantity, strategy, limit, purpose, reduce_only):
        fields = {} if limit is None else {"order_type": OrderType.LIMIT, "price": Decimal(limit)}
        order = self.desk.order(
            symbol, side, quantity, strategy, purpose=purpose, reduce_only=reduce_only, **fields
        )
        expected = self.reference.verdict(order)
        is_free = not self.reference.reduces(order)
        before = len(self.desk.sent)
        verdict = self.desk.verdict(order)
        assert verdict == expected, f"gate: {verdict}, reference: {expected}"
        self.note_permits(before)
        if expected == "approved" and is_free:
            self.reference.check_limits(order)

    def broker(self, index, action, share, price):
        working = sorted(self.reference.working().items())
        if not working:
            return
        key, (order, filled) = working[index % len(working)]
        before = len(self.desk.sent)
        is_known = any(getattr(e, "client_order_id", None) == key for e in self.desk.account)
        if not is_known and action != "deny":
            self.desk.submitted(order)
        if action == "fill":
            leaves = order.quantity - filled
            self.desk.filled(order, price, max(Decimal(1), leaves * share // 10))
        elif action == "end":
            self.desk.about(OrderRejected, order, code="X", reason="x")
        elif action == "deny":
            self.desk.about(OrderDenied, order, code="BROKER_NOT_READY", reason="x")
        elif action == "lose":
            self.desk.about(OrderDenied, order, code="ORDER_NEVER_SENT", reason="x")
            self.desk.accepted(order)
        self.note_permits(before)

    def price(self, symbol, price):
        if price > 0:
            self.reference.quotes[symbol] = (price, self.desk.now)
        before = len(self.desk.sent)
        self.desk.price(symbol, price)
        self.note_permits(before)

    def refresh(self, price):
        for offset, symbol in enumerate(SYMBOLS):
            self.price(symbol, price + offset)

    def wait(self, milliseconds):
        self.desk.now += milliseconds * 1_000_000

    def slice(self, minutes):
        self.desk.slice(minutes=minutes)
        self.reference.read_equity()

    def operator(self, state):
        before = len(self.desk.sent)
        self.desk.handle(SetTradingState(state=state, actor="ann", reason=f"{self.desk.now}"))
        self.note_permits(before)

    def kill(self, is_latched):
        kind = KillSwitchTripped if is_latched else KillSwitchReset
        self.desk.fact(kind(actor="ann", reason="x"))

    def limit(self, value):
        """An operator changes a limit, now and then to nonsense."""
        before = len(self.desk.sent)
        self.desk.change_limit("max_total_exposure", value)
        if value != "-5":
            limit = Decimal(value) if value else self.desk.limits.max_total_exposure
            self.reference.limits = msgspec.structs.replace(
                self.reference.limits, max_total_exposure=limit
            )
        self.note_permits(before)

    def restart(self):
        before = self.desk.gate.state_hash()
        own = len(self.desk.own)
        self.reference.forget()
        self.desk.restore()
        assert self.desk.gate.state_hash() == before
        self.desk.start()
        assert len(self.desk.own) == own, "a restart alone changes no state"


symbols = st.sampled_from(SYMBOLS)
prices = st.sampled_from([70, 90, 95, 99, 100, 100, 101, 105, 120])
OPERATIONS = {
    "order": st.tuples(
        symbols,
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from([10, 10, 20, 20, 30, 40, 60, 70]),
        st.sampled_from(["one", "two"]),
        st.sampled_from([None, None, None, 90, 110]),
        st.sampled_from(["target", "target", "stop_loss"]),
        st.sampled_from([False, False, False, True]),
    ),
    "broker": st.tuples(
        st.integers(0, 9),
        st.sampled_from(["fill", "fill", "fill", "fill", "submit", "end", "deny", "lose"]),
        st.integers(1, 10),
        prices,
    ),
    "price": st.tuples(symbols, st.one_of(prices, st.sampled_from([0, -1, float("nan")]))),
    "refresh": st.tuples(prices),
    "wait": st.tuples(st.sampled_from([1, 200, 200, 1_000, 1_000, 4_900, 6_000])),
    "slice": st.tuples(st.sampled_from([1, 30, 61, 1_440, 1_440])),
    "operator": st.tuples(st.sampled_from([*[TradingState.ACTIVE] * 4, *TradingState])),
    "kill": st.tuples(st.sampled_from([False, False, True])),
    "limit": st.tuples(st.sampled_from(["6000", "12000", "-5", ""])),
    "restart": st.tuples(),
}
WEIGHTS = {
    "order": 16,
    "broker": 16,
    "refresh": 6,
    "price": 3,
    "wait": 4,
    "slice": 4,
    "operator": 2,
}
KINDS = [kind for kind in OPERATIONS for _ in range(WEIGHTS.get(kind, 1))]
NAMED = {kind: st.tuples(st.just(kind), details) for kind, details in OPERATIONS.items()}
operations = st.sampled_from(KINDS).flatmap(NAMED.__getitem__)


def play_all(desk, reference, steps):
    play = Play(desk, reference)
    for name, details in steps:
        getattr(play, name)(*details)
        lines = play.desk.gate.state.holdings.reservations.account
        for symbol in SYMBOLS:
            assert lines.line(f"{symbol}.X").units == play.reference.units(symbol)
        counters = play.desk.gate.state.counters()
        assert counters.trades_today == play.reference.trades_today()
        assert counters.consecutive_losses == play.reference.consecutive_losses()
    msgspec.json.encode(play.desk.gate.view(), enc_hook=str)


# Without shrinking: a failure shows in seconds, and its steps are readable as they are.
@settings(deadline=None, max_examples=120, phases=[Phase.generate])
@given(steps=st.lists(operations, min_size=60, max_size=60))
def test_gate_gives_the_verdicts_of_the_reference_and_exceeds_no_limit(
    new_desk, new_reference, small_limits, steps
):
    desk = new_desk(small_limits, symbols=SYMBOLS)
    play_all(desk, new_reference(desk), steps)


@settings(deadline=None, max_examples=120, phases=[Phase.generate])
@given(steps=st.lists(operations, min_size=60, max_size=60))
def test_gate_with_the_limits_of_a_desk_gives_the_verdicts_of_the_reference(
    new_desk, new_reference, desk_limits, steps
):
    desk = new_desk(desk_limits, symbols=SYMBOLS)
    play_all(desk, new_reference(desk), steps)


@pytest.mark.chaos
@settings(deadline=None, max_examples=10_000, phases=[Phase.generate])
@given(steps=st.lists(operations, min_size=60, max_size=60), is_desk=st.booleans())
@pytest.mark.timeout(3_600)
def test_ten_thousand_sequences_give_the_verdicts_of_the_reference(
    new_desk, new_reference, small_limits, desk_limits, steps, is_desk
):
    desk = new_desk(desk_limits if is_desk else small_limits, symbols=SYMBOLS)
    play_all(desk, new_reference(desk), steps)

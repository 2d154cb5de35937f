"""The live machine under restarts, lost messages and nonsense, in whatever order they come."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import SubmitOrder, Watermark
from trading.data import Bar, BarsHistory, BarSlice
from trading.effects import Append, Effect, Send
from trading.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)
from trading.identifiers import (
    AccountId,
    InstrumentId,
    MachineName,
    StrategyId,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.instruments import Instrument
from trading.messages import Message
from trading.outcomes import LinkDown, LinkUp, Started, TimerFired
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.strategy import Bars, FloatArray

SECOND = 10**9
RISK = MachineName("risk:DEMO")
A, B, GONE = (InstrumentId(f"{name}.X") for name in ("A", "B", "GONE"))
HALF = (0.5, 0.0)


class Scripted:
    """Returns the weights that `script` gives for the closes of the last bar."""

    lookback = 2

    def __init__(self, script: Callable[[float, float], Any]) -> None:
        self._script = script

    def targets(self, bars: Bars) -> FloatArray:
        return np.asarray([self._script(*row) for row in bars.close.tolist()])


def machine(script: Callable[[float, float], Any] = lambda *_: HALF) -> BarStrategy:
    config = BarStrategyConfig(
        strategy_id=StrategyId("s"),
        venue=Venue("paper"),
        account_id=AccountId("DEMO"),
        capital=Decimal(10_000),
        instruments=(Instrument(instrument_id=A), Instrument(instrument_id=B)),
        history=MachineName("replay:prices"),
    )
    return BarStrategy(config, Scripted(script))


def slice_of(sequence: int, a: float = 50.0, b: float = 50.0) -> BarSlice:
    bars = tuple(
        Bar(instrument_id=name, open=price, high=price, low=price, close=price)
        for name, price in ((A, a), (B, b))
    )
    return BarSlice(ts_event=sequence * SECOND, ts_init=1, sequence=sequence, bars=bars)


def history(last: int) -> BarsHistory:
    slices = tuple(slice_of(n) for n in range(max(1, last - 4), last + 1))
    return BarsHistory(sequence=last, slices=slices)


def begun(*past: Event, last: int = 10, is_risk_up: bool = True) -> BarStrategy:
    """A machine as its host restores it: facts first, then the start, then the history."""
    restored = machine()
    for event in past:
        restored.apply(event)
    restored.handle(Started(epoch=1), SECOND)
    if is_risk_up:
        restored.handle(LinkUp(peer=RISK), SECOND)
    restored.handle(history(last), SECOND)
    return restored


def orders_in(effects: list[Effect]) -> list[SubmitOrder]:
    sent = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in sent if isinstance(message, SubmitOrder)]


def about(order: SubmitOrder) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "strategy_id": order.strategy_id,
        "instrument_id": order.instrument_id,
    }


def submitted(order: SubmitOrder) -> OrderSubmitted:
    return OrderSubmitted(**about(order), order=order, epoch=1)


def filled(order: SubmitOrder, quantity: Decimal, purpose: str = "target") -> OrderFilled:
    return OrderFilled(
        **about(order),
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(f"{order.client_order_id}/{quantity}"),
        side=order.side,
        last_qty=quantity,
        last_px=Decimal(50),
        commission=Decimal(0),
        purpose=purpose,
    )


def denied(order: SubmitOrder) -> OrderDenied:
    return OrderDenied(**about(order), code="RISK_HALTED", reason="r", order=order)


@pytest.fixture
def first() -> SubmitOrder:
    """What an undisturbed machine asks for on slice 11."""
    (order,) = orders_in(begun().handle(slice_of(11), SECOND))
    return order


def test_order_that_got_lost_is_asked_for_again_under_the_same_id(first: SubmitOrder) -> None:
    for last in (10, 11):
        assert orders_in(begun(last=last).handle(slice_of(11), SECOND)) == [first]


@pytest.mark.parametrize("is_risk_up", [True, False])
@pytest.mark.parametrize(
    "end",
    [
        lambda o: [submitted(o), OrderRejected(**about(o), code="c", reason="r")],
        lambda o: [submitted(o), filled(o, Decimal(60)), OrderCanceled(**about(o))],
        lambda o: [denied(o)],
    ],
    ids=["rejected", "half filled", "denied"],
)
def test_id_that_is_settled_is_not_used_again_after_a_restart(
    first: SubmitOrder, end: Callable[[SubmitOrder], list[Event]], is_risk_up: bool
) -> None:
    restored = begun(*end(first), last=11, is_risk_up=is_risk_up)
    (only,) = restored.handle(slice_of(11), SECOND)
    assert isinstance(only, Send)
    assert isinstance(only.message, Watermark)
    assert restored.view()["in_flight"] == 0
    restored.handle(LinkUp(peer=RISK), SECOND)
    (second,) = orders_in(restored.handle(slice_of(12), SECOND))
    assert second.client_order_id != first.client_order_id
    assert second.quantity == 100 - restored.view()["positions"].get(A, 0)


def test_working_order_is_not_asked_for_again_after_a_restart(first: SubmitOrder) -> None:
    accepted = OrderAccepted(**about(first), venue_order_id=VenueOrderId("v"))
    restored = begun(submitted(first), accepted, last=11)
    assert orders_in(restored.handle(slice_of(11), SECOND)) == []
    assert orders_in(restored.handle(slice_of(12), SECOND)) == []


def test_stop_in_an_instrument_that_is_no_longer_traded_is_harmless(first: SubmitOrder) -> None:
    stop = SubmitOrder(
        **{**about(first), "client_order_id": "stop", "instrument_id": GONE},
        account_id=first.account_id,
        side=first.side.opposite,
        quantity=Decimal(5),
        purpose="stop_loss",
    )
    restored = begun(submitted(stop), filled(stop, Decimal(5), "stop_loss"))
    assert orders_in(restored.handle(slice_of(11), SECOND)) == [first]


@pytest.mark.parametrize("price", [1e-9, 0.004, 1e9])
def test_price_at_the_edge_of_what_the_guard_lets_pass_is_survived(price: float) -> None:
    effects = begun().handle(slice_of(11, a=price), SECOND)
    assert isinstance(effects[-1], Send)
    assert isinstance(effects[-1].message, Watermark)


def scripted(kind: str, weight: float) -> Callable[[float, float], Any]:
    def script(a: float, b: float) -> Any:
        if kind == "raise" and a > 70:
            raise RuntimeError("by hand")
        if kind == "shape" and a > 70:
            return (weight,)
        return (weight if a > b else -weight, 0.1)

    return script


sequences = st.integers(1, 12)
closes = st.sampled_from([20.0, 50.0, 80.0])
steps = st.one_of(
    st.builds(slice_of, sequences, closes, closes),
    st.builds(history, st.integers(0, 12)),
    st.sampled_from(
        [Started(epoch=2), LinkUp(peer=RISK), LinkDown(peer=RISK), TimerFired(key="other")]
    ),
    st.sampled_from(["next", "next", "next", "submit", "fill", "reject", "deny"]),
)
weights = st.sampled_from([0.3, 0.3, 1.0, float("nan"), float("inf"), 50.0])


@settings(deadline=None, max_examples=200)
@given(
    kind=st.sampled_from(["plain", "raise", "shape"]),
    weight=weights,
    path=st.lists(steps, max_size=30),
)
def test_whatever_comes_in_whatever_order_the_promises_hold(
    kind: str, weight: float, path: list[Any]
) -> None:
    strategy = machine(scripted(kind, weight))
    own: list[Event] = []
    account: list[Event] = []
    sent: list[SubmitOrder] = []
    watermarks: list[int] = []
    is_risk_up = False
    now = SECOND
    for step in (Started(epoch=1), history(3), LinkUp(peer=RISK), *path):
        for message in meant_by(step, strategy, sent):
            now += SECOND
            if isinstance(message, LinkUp | LinkDown):
                is_risk_up = isinstance(message, LinkUp)
            if isinstance(message, Event):
                account.append(message)
            effects = strategy.handle(message, now)
            strategy.validate()
            done = [e.message.sequence for e in effects if is_watermark(e)]  # type: ignore[union-attr]
            assert len(done) <= 1
            assert not done or is_watermark(effects[-1])
            watermarks += done
            sent += orders_in(effects)
            assert is_risk_up or not orders_in(effects)
            refused = [effect.event for effect in effects if isinstance(effect, Append)]
            assert not (is_risk_up and refused)
            assert {event.code for event in refused} <= {"RISK_UNAVAILABLE"}  # type: ignore[attr-defined]
            own += refused
    assert all(earlier < later for earlier, later in pairwise(watermarks))
    disabled = strategy.view()["disabled"]
    assert not disabled or disabled.startswith("s at bar ")
    twin = machine()
    for event in (*own, *account):
        twin.apply(event)
    assert twin.state_hash() == strategy.state_hash()


def is_watermark(effect: Effect) -> bool:
    return isinstance(effect, Send) and isinstance(effect.message, Watermark)


def meant_by(step: Any, strategy: BarStrategy, sent: list[SubmitOrder]) -> list[Message]:
    """The messages of one step: itself, the slice that is due, or the fate of the oldest order."""
    if not isinstance(step, str):
        return [step]
    if step == "next":
        due = strategy.view()["sequence"] + 1
        return [slice_of(due, a=45.0 + 9 * (due % 2))]
    if not sent:
        return []
    order = sent.pop(0)
    match step:
        case "deny":
            return [denied(order)]
        case "reject":
            return [submitted(order), OrderRejected(**about(order), code="c", reason="r")]
        case "fill":
            return [submitted(order), filled(order, order.quantity)]
        case _:
            return [submitted(order)]

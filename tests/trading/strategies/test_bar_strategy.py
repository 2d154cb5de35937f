"""The live machine at a desk: history, slices and a venue that fills everything are the test's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from trading.commands import RequestBars, SubmitOrder, Watermark
from trading.data import Bar, BarsHistory, BarSlice
from trading.effects import Append, Effect, Send
from trading.events import (
    Event,
    OrderDenied,
    OrderFilled,
    OrderSubmitted,
    SentimentPublished,
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
from trading.outcomes import LinkDown, LinkUp, Started
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.strategy import Bars, FloatArray, Strategy

SECOND = 10**9
RISK, HISTORY = MachineName("risk:DEMO"), MachineName("replay:prices")
NAMES = tuple(InstrumentId(f"{name}.X") for name in "AB")


@dataclass
class Scripted:
    """Returns the weights of `script` for the closes of the last bar."""

    script: Callable[[float, float], object]
    lookback: int = 3

    def targets(self, bars: Bars) -> FloatArray:
        weights = np.zeros(bars.close.shape)
        weights[-1] = self.script(*bars.close[-1])
        return weights


def constant(*weights: float) -> Scripted:
    return Scripted(lambda *_: weights)


def machine(strategy: Strategy, names: tuple[InstrumentId, ...] = NAMES) -> BarStrategy:
    config = BarStrategyConfig(
        strategy_id=StrategyId("s"),
        venue=Venue("paper"),
        account_id=AccountId("DEMO"),
        capital=Decimal(10_000),
        instruments=tuple(Instrument(instrument_id=name) for name in names),
        history=HISTORY,
    )
    return BarStrategy(config, strategy)


def prices(sequence: int, count: int = 2) -> list[float]:
    """Waves around 100, a different one for each column."""
    return [
        100 + 8 * float(np.sin(sequence / (2.0 + i)) + np.cos(sequence * 1.7 + i))
        for i in range(count)
    ]


def slice_of(sequence: int, closes: list[float] | None = None) -> BarSlice:
    closes = prices(sequence) if closes is None else closes
    return BarSlice(
        ts_event=sequence * SECOND,
        ts_init=sequence * SECOND + 5,
        correlation_id=f"feed:paper/{sequence}",
        sequence=sequence,
        bars=tuple(
            Bar(instrument_id=name, open=close, high=close, low=close, close=close)
            for name, close in zip(NAMES, closes, strict=False)
            if close > 0
        ),
    )


def history(last: int, count: int = 50) -> BarsHistory:
    slices = tuple(slice_of(n) for n in range(max(1, last - count + 1), last + 1))
    return BarsHistory(sequence=last, slices=slices)


@dataclass
class Desk:
    """One machine, everything it did, and a venue that fills each order at once."""

    machine: BarStrategy
    now: int = 0
    fills_at_once: bool = True
    orders: list[SubmitOrder] = field(default_factory=list)
    watermarks: list[int] = field(default_factory=list)
    requests: list[RequestBars] = field(default_factory=list)
    own_events: list[Event] = field(default_factory=list)
    account: list[Event] = field(default_factory=list)

    def tell(self, *messages: Message) -> list[Effect]:
        effects: list[Effect] = []
        for message in messages:
            self.now += SECOND
            effects = self.machine.handle(message, self.now)
            self.machine.validate()
            for effect in effects:
                self._perform(effect)
        return effects

    def begin(self, last: int) -> "Desk":
        self.tell(Started(epoch=1), LinkUp(peer=RISK), history(last))
        return self

    def restart(self, strategy: Strategy, last: int) -> None:
        """A new object, restored from the journal, as the runner does it."""
        self.machine = machine(strategy)
        for event in (*self.own_events, *self.account):
            self.machine.apply(event)
        self.begin(last)

    def fill(self, order: SubmitOrder, purpose: str = "target") -> None:
        about = {
            "client_order_id": order.client_order_id,
            "strategy_id": order.strategy_id,
            "instrument_id": order.instrument_id,
        }
        count = len(self.account)
        events: list[Event] = [
            OrderSubmitted(**about, order=order, epoch=1),
            OrderFilled(
                **about,
                venue_order_id=VenueOrderId(str(count)),
                trade_id=TradeId(str(count)),
                side=order.side,
                last_qty=order.quantity,
                last_px=Decimal(100),
                commission=Decimal(0),
                purpose=purpose,
                ts_event=order.ts_event,
            ),
        ]
        self.account += events
        self.tell(*events)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send(to, SubmitOrder() as order):
                assert to == RISK
                self.orders.append(order)
                if self.fills_at_once:
                    self.fill(order)
            case Send(to, Watermark() as done):
                assert to == RISK
                assert done.sender == self.machine.name
                self.watermarks.append(done.sequence)
            case Send(to, RequestBars() as request):
                assert to == HISTORY
                self.requests.append(request)
            case Append(event):
                self.own_events.append(event)
            case _:
                raise AssertionError(f"unexpected effect {effect}")


def test_machine_stands_where_the_architecture_says() -> None:
    one = machine(constant(0, 0))
    assert one.name == "strategy:s"
    assert one.stream == "strategy:s"
    assert one.follows == ("account:paper:DEMO", "risk:DEMO")
    assert one.subscribes == ("book.paper.slice",)


def test_cold_start_asks_for_history_and_decides_on_the_first_slice() -> None:
    desk = Desk(machine(constant(0.5, 0)))
    desk.tell(Started(epoch=1))
    (request,) = desk.requests
    assert (request.count, request.reply_to) == (3, "strategy:s")
    desk.tell(LinkUp(peer=RISK), history(10))
    assert desk.orders == []
    effects = desk.tell(slice_of(11, [50.0, 50.0]))
    assert [type(e.message) for e in effects] == [SubmitOrder, Watermark]  # type: ignore[union-attr]
    (order,) = desk.orders
    assert (order.instrument_id, order.quantity) == (NAMES[0], 100)
    assert (order.ts_event, order.ts_signal) == (11 * SECOND, 11 * SECOND + 5)
    assert order.correlation_id == "feed:paper/11"
    assert order.causation_id
    assert desk.watermarks == [11]


def test_too_short_history_gives_watermarks_and_no_orders() -> None:
    desk = Desk(machine(constant(0.5, 0)))
    desk.tell(Started(epoch=1), LinkUp(peer=RISK), history(1))
    desk.tell(slice_of(2))
    assert (desk.orders, desk.watermarks) == ([], [2])
    desk.tell(slice_of(3))
    assert (len(desk.orders), desk.watermarks) == (1, [2, 3])


def test_repeated_slice_is_ignored_and_counted() -> None:
    desk = Desk(machine(constant(0.5, 0.2))).begin(10)
    desk.tell(slice_of(11))
    before = list(desk.orders)
    assert desk.tell(slice_of(11)) == []
    assert desk.tell(slice_of(9)) == []
    assert desk.orders == before
    assert desk.machine.view()["ignored_slices"] == 2


def test_gap_asks_again_and_decides_on_the_newest_slice() -> None:
    desk = Desk(machine(constant(0.5, 0))).begin(10)
    desk.tell(slice_of(11), slice_of(13), slice_of(14))
    assert len(desk.requests) == 3
    assert desk.watermarks == [11]
    desk.tell(history(14))
    assert desk.watermarks == [11, 14]
    assert desk.machine.view()["sequence"] == 14
    desk.tell(slice_of(15))
    assert desk.watermarks == [11, 14, 15]


def test_history_that_ends_just_before_the_waiting_slice_is_enough() -> None:
    desk = Desk(machine(constant(0.5, 0))).begin(10)
    desk.tell(slice_of(11), slice_of(13), history(12))
    assert desk.watermarks == [11, 13]
    desk.tell(slice_of(14))
    assert desk.watermarks == [11, 13, 14]


def test_late_history_of_the_past_changes_nothing() -> None:
    desk = Desk(machine(constant(0.5, 0))).begin(10)
    desk.tell(slice_of(11), slice_of(12), history(10), slice_of(13))
    assert desk.watermarks == [11, 12, 13]


def test_started_again_while_running_is_harmless() -> None:
    desk = Desk(machine(constant(0.5, 0))).begin(10)
    desk.tell(slice_of(11))
    before = list(desk.orders)
    desk.tell(Started(epoch=2), history(11))
    assert (desk.orders, desk.watermarks) == (before, [11])
    desk.tell(slice_of(12))
    assert desk.watermarks == [11, 12]


@pytest.mark.parametrize("killed_after", range(31, 60, 4))
def test_restart_in_the_middle_trades_like_an_undisturbed_run(killed_after: int) -> None:
    strategy = MeanReversion(window_bars=8, entry_z=1.0, hold_bars_max=6, allow_short=True)
    steady, broken = (Desk(machine(strategy)).begin(30) for _ in range(2))
    for sequence in range(31, 61):
        steady.tell(slice_of(sequence))
        broken.tell(slice_of(sequence))
        if sequence == killed_after:
            broken.restart(strategy, sequence)
    assert len(steady.orders) > 10
    stamps = {"ts_init": 0, "expires_at": 0}
    plain = [[_without(order, stamps) for order in desk.orders] for desk in (steady, broken)]
    assert plain[0] == plain[1]
    assert broken.machine.state_hash() == steady.machine.state_hash()
    assert broken.watermarks == steady.watermarks


def _without(order: SubmitOrder, stamps: dict[str, int]) -> SubmitOrder:
    return msgspec.structs.replace(order, **stamps)


def test_history_that_overtakes_the_slice_is_decided_when_the_slice_comes() -> None:
    desk = Desk(machine(constant(0.5, 0))).begin(11)
    assert desk.watermarks == []
    desk.tell(slice_of(11))
    assert (len(desk.orders), desk.watermarks) == (1, [11])


def test_orders_under_way_are_netted_until_they_are_forgotten() -> None:
    desk = Desk(machine(constant(0.5, 0)), fills_at_once=False).begin(10)
    desk.tell(slice_of(11, [50.0, 50.0]), slice_of(12, [50.0, 50.0]))
    assert len(desk.orders) == 1
    desk.now += 60 * SECOND
    desk.tell(slice_of(13, [50.0, 50.0]))
    assert len(desk.orders) == 2


def test_order_that_risk_denied_is_asked_again_at_the_next_bar() -> None:
    desk = Desk(machine(constant(0.5, 0)), fills_at_once=False).begin(10)
    desk.tell(slice_of(11, [50.0, 50.0]))
    desk.tell(_denial(desk.orders[0], "RISK_HALTED"), slice_of(12, [50.0, 50.0]))
    first, second = desk.orders
    assert first.quantity == second.quantity
    assert first.client_order_id != second.client_order_id
    assert desk.machine.view()["denials"] == {"RISK_HALTED": 1}


def _denial(order: SubmitOrder, code: str) -> OrderDenied:
    return OrderDenied(
        client_order_id=order.client_order_id,
        strategy_id=order.strategy_id,
        instrument_id=order.instrument_id,
        code=code,
        reason="r",
        order=order,
    )


def test_risk_down_denies_each_order_by_name_and_sends_none() -> None:
    desk = Desk(machine(constant(0.5, -0.5))).begin(10)
    desk.tell(LinkDown(peer=RISK), slice_of(11))
    assert desk.orders == []
    assert [event.code for event in desk.own_events] == ["RISK_UNAVAILABLE"] * 2  # type: ignore[attr-defined]
    assert all(event.order is not None for event in desk.own_events)  # type: ignore[attr-defined]
    assert desk.machine.view()["denials"] == {"RISK_UNAVAILABLE": 2}
    desk.tell(LinkUp(peer=RISK), slice_of(12))
    assert len(desk.orders) == 2


def test_link_to_somebody_else_does_not_matter() -> None:
    desk = Desk(machine(constant(0.5, 0))).begin(10)
    desk.tell(LinkDown(peer=MachineName("ledger:DEMO")), slice_of(11))
    assert len(desk.orders) == 1


def test_stopped_instrument_is_entered_again_only_after_a_change_of_mind() -> None:
    desk = Desk(machine(Scripted(lambda a, _: (0.0 if a == 60.0 else 0.5, 0.0)))).begin(10)
    desk.tell(slice_of(11, [50.0, 50.0]))
    desk.fill(_stop(desk.orders[-1]), "stop_loss")
    desk.tell(slice_of(12, [40.0, 50.0]), slice_of(13, [45.0, 50.0]))
    assert len(desk.orders) == 1
    assert desk.machine.view()["stopped"] == {NAMES[0]: 1}
    desk.tell(slice_of(14, [60.0, 50.0]))
    assert len(desk.orders) == 1
    desk.tell(slice_of(15, [50.0, 50.0]))
    assert len(desk.orders) == 2


def test_stopped_instrument_stays_out_over_a_restart() -> None:
    strategy = constant(0.5, 0)
    desk = Desk(machine(strategy)).begin(10)
    desk.tell(slice_of(11, [50.0, 50.0]))
    desk.fill(_stop(desk.orders[-1]), "trailing_stop")
    desk.restart(strategy, 11)
    desk.tell(slice_of(12, [40.0, 50.0]))
    assert len(desk.orders) == 1


def test_stop_does_not_bar_the_other_direction() -> None:
    desk = Desk(machine(Scripted(lambda a, _: (0.5 if a == 50.0 else -0.5, 0.0)))).begin(10)
    desk.tell(slice_of(11, [50.0, 50.0]))
    desk.fill(_stop(desk.orders[-1]), "stop_loss")
    desk.tell(slice_of(12, [40.0, 50.0]))
    assert [order.side.value for order in desk.orders] == ["BUY", "SELL"]


def _stop(entry: SubmitOrder) -> SubmitOrder:
    return msgspec.structs.replace(
        entry,
        client_order_id=f"stop of {entry.client_order_id}",
        side=entry.side.opposite,
        purpose="stop_loss",
        reduce_only=True,
    )


def test_instrument_without_a_bar_in_the_slice_gets_no_order() -> None:
    desk = Desk(machine(constant(0.5, 0.5))).begin(10)
    desk.tell(slice_of(11, [0.0, 50.0]))
    assert [order.instrument_id for order in desk.orders] == [NAMES[1]]


def _raising(*_: float) -> object:
    raise ZeroDivisionError("by hand")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_raising, "s at bar 11: raised ZeroDivisionError: by hand"),
        (lambda *_: (0.1, np.nan), "s at bar 11: returned the weight nan for B.X"),
        (lambda *_: (np.inf, 0.1), "s at bar 11: returned the weight inf for A.X"),
        (lambda *_: (0.1, -11.0), "s at bar 11: returned the weight -11.0 for B.X"),
    ],
)
def test_strategy_that_fails_is_switched_off_with_the_reason(
    script: Callable[[float, float], object], reason: str
) -> None:
    desk = Desk(machine(Scripted(script))).begin(10)
    desk.tell(slice_of(11), slice_of(12))
    assert desk.orders == []
    assert desk.watermarks == [11, 12]
    assert desk.machine.view()["disabled"] == reason


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (0, 2)])
def test_weights_of_the_wrong_shape_switch_the_strategy_off(shape: tuple[int, ...]) -> None:
    class Wrong:
        lookback = 3

        def targets(self, _: Bars) -> FloatArray:
            return np.zeros(shape)

    desk = Desk(machine(Wrong())).begin(10)
    desk.tell(slice_of(11))
    assert desk.watermarks == [11]
    assert desk.machine.view()["disabled"].startswith("s at bar 11: ")


# -- what is published


def toned_machine(lookback: int = 3) -> BarStrategy:
    """Weights are the last row of the tones; a bar without one closes the position."""

    class Toned:
        def __init__(self) -> None:
            self.lookback = lookback
            self.seen: list[FloatArray] = []

        def targets(self, bars: Bars) -> FloatArray:
            self.seen.append(bars.signals["sentiment"].copy())
            return np.nan_to_num(bars.signals["sentiment"])

    config = msgspec.structs.replace(machine(Toned()).config, signals={"sentiment": "news"})
    return BarStrategy(config, Toned())


def tone_of(moment: int, score: str, source: str = "news") -> SentimentPublished:
    return SentimentPublished(
        ts_event=moment, source=source, instrument_id=NAMES[0], score=Decimal(score)
    )


def test_published_tone_is_followed_and_traded_at_the_next_close() -> None:
    desk = Desk(toned_machine())
    assert desk.machine.follows == ("account:paper:DEMO", "risk:DEMO", "signals:news")
    desk.begin(10)
    assert desk.requests[0].count == 4
    desk.tell(slice_of(11, [50.0, 50.0]))
    assert desk.orders == []
    desk.tell(tone_of(12 * SECOND, "0.5"), tone_of(12 * SECOND, "-1", "rumour"))
    desk.tell(slice_of(12, [50.0, 50.0]))
    (order,) = desk.orders
    assert (order.instrument_id, order.quantity) == (NAMES[0], 100)
    desk.tell(slice_of(13, [50.0, 50.0]))
    assert desk.orders[-1].side.sign == -1  # nothing was written since
    counts = {"heard": 1, "late": 0, "invalid": 0, "stale": 0}
    assert desk.machine.view()["published"] == counts


def test_restarted_machine_knows_what_was_published() -> None:
    desk = Desk(toned_machine()).begin(10)
    desk.tell(tone_of(11 * SECOND - 1, "0.5"))
    desk.tell(slice_of(11, [50.0, 50.0]))
    assert len(desk.orders) == 1

    again = Desk(toned_machine())
    for event in (tone_of(11 * SECOND - 1, "0.5"), *desk.account):
        again.machine.apply(event)
    again.begin(10)
    again.tell(slice_of(11, [50.0, 50.0]))
    assert again.orders == []  # decided before
    assert again.machine.view()["targets"] == desk.machine.view()["targets"] == {NAMES[0]: 0.5}


def test_tone_that_comes_after_its_bar_is_counted_as_late() -> None:
    desk = Desk(toned_machine()).begin(10)
    desk.tell(slice_of(11), tone_of(11 * SECOND, "0.5"))
    assert desk.machine.view()["published"]["late"] == 1

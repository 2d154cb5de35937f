"""The live machine after its strategy failed: it closes what it holds, or leaves it, and opens nothing."""

from decimal import Decimal

import msgspec
import pytest

from tests.trading.strategies.test_bar_strategy import HISTORY, NAMES, Desk, Scripted, slice_of
from trading.commands import SubmitOrder
from trading.events import OrderDenied
from trading.identifiers import AccountId, StrategyId, Venue
from trading.instruments import Instrument
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.strategy import Undecided
from trading.strategies.switch import OnFailure
from trading.values import OrderSide

FLAT = [50.0, 50.0]
FAILS = [50.0, 13.0]
LATE = [50.0, 14.0]


def desk(policy: OnFailure, *, fills_at_once: bool = True) -> Desk:
    """Long the first and short the second instrument, until the strategy fails."""

    def script(_: float, second: float) -> object:
        if second == FAILS[1]:
            raise ZeroDivisionError("by hand")
        if second == LATE[1]:
            raise Undecided
        return 0.5, -0.3

    config = BarStrategyConfig(
        strategy_id=StrategyId("s"),
        venue=Venue("paper"),
        account_id=AccountId("DEMO"),
        capital=Decimal(10_000),
        instruments=tuple(Instrument(instrument_id=name) for name in NAMES),
        history=HISTORY,
        on_failure=policy,
    )
    made = Desk(BarStrategy(config, Scripted(script)), fills_at_once=fills_at_once).begin(10)
    made.tell(slice_of(11, FLAT))
    return made


def told(orders: list[SubmitOrder]) -> list[tuple[object, ...]]:
    return [(o.instrument_id, o.side, o.quantity, o.reduce_only) for o in orders]


def test_flatten_closes_everything_at_the_bar_of_the_failure() -> None:
    one = desk(OnFailure.FLATTEN)
    assert one.machine.view()["switch"] == "on"
    one.tell(slice_of(12, FAILS))
    assert told(one.orders[2:]) == [
        (NAMES[0], OrderSide.SELL, 100, True),
        (NAMES[1], OrderSide.BUY, 60, True),
    ]
    view = one.machine.view()
    assert (view["switch"], view["positions"], view["targets"]) == ("closed", {}, {})
    one.tell(slice_of(13, FLAT), slice_of(14, FLAT))
    assert len(one.orders) == 4
    assert one.watermarks == [11, 12, 13, 14]


def test_hold_sends_nothing_more() -> None:
    one = desk(OnFailure.HOLD)
    one.tell(slice_of(12, FAILS), slice_of(13, FLAT))
    assert len(one.orders) == 2
    assert one.machine.view()["switch"] == "holding"
    assert len(one.machine.view()["positions"]) == 2
    assert one.watermarks == [11, 12, 13]


def test_closing_order_that_was_refused_is_sent_again_at_the_next_bar() -> None:
    one = desk(OnFailure.FLATTEN)
    one.fills_at_once = False
    one.tell(slice_of(12, FAILS))
    refused = one.orders[2]
    one.fill(one.orders[3])
    one.tell(
        OrderDenied(
            client_order_id=refused.client_order_id,
            strategy_id=refused.strategy_id,
            instrument_id=refused.instrument_id,
            code="RISK_THROTTLED",
            reason="r",
            order=refused,
        )
    )
    one.tell(slice_of(13, FLAT))
    assert told(one.orders[4:]) == told([refused])
    assert one.orders[4].client_order_id != refused.client_order_id
    assert one.machine.view()["switch"] == "closing"


def test_closing_order_under_way_is_not_sent_twice() -> None:
    one = desk(OnFailure.FLATTEN)
    one.fills_at_once = False
    one.tell(slice_of(12, FAILS), slice_of(13, FLAT))
    assert len(one.orders) == 4


def test_entry_under_way_is_not_closed_before_it_is_filled() -> None:
    """A sale of what is not there yet would open a position of the other side."""
    one = desk(OnFailure.FLATTEN, fills_at_once=False)
    entry = one.orders[0]
    one.tell(slice_of(12, FAILS))
    assert len(one.orders) == 2
    one.fill(entry)
    assert one.machine.view()["switch"] == "closing"
    one.tell(slice_of(13, FLAT))
    assert told(one.orders[2:]) == [(NAMES[0], OrderSide.SELL, 100, True)]


def test_part_of_a_closing_order_under_way_is_counted() -> None:
    one = desk(OnFailure.FLATTEN)
    one.fills_at_once = False
    one.tell(slice_of(12, FAILS))
    half = msgspec.structs.replace(one.orders[2], quantity=Decimal(40))
    one.fill(half)
    one.tell(slice_of(13, FLAT))
    assert told(one.orders[4:]) == [(NAMES[0], OrderSide.SELL, 60, True)]


@pytest.mark.parametrize("policy", OnFailure)
def test_strategy_that_cannot_answer_now_keeps_what_it_decided(policy: OnFailure) -> None:
    one = desk(policy)
    one.tell(slice_of(12, LATE))
    view = one.machine.view()
    assert (view["undecided"], view["disabled"], view["switch"]) == (1, "", "on")
    assert len(view["targets"]) == len(view["positions"]) == 2
    one.tell(slice_of(13, FLAT))
    assert len(one.orders) == 2
    assert one.watermarks == [11, 12, 13]

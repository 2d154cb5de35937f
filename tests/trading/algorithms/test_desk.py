"""The desk: commands, restarts, lost messages, journal trouble, and what it says of itself."""

from decimal import Decimal

import msgspec
import pytest

from tests.trading.algorithms.world import (
    PARENT,
    SECOND,
    START,
    World,
    account,
    listing,
    parent,
)
from trading.algorithms.parameters import Bracket, Iceberg, Twap
from trading.commands import ExecuteOrder
from trading.data import BookTop
from trading.effects import Append, Send
from trading.events import OrderAccepted, OrderDenied, OrderFilled
from trading.identifiers import ClientOrderId
from trading.outcomes import TimerFired
from trading.values import ZERO

D = Decimal
TWO = Twap(window_ns=20 * SECOND, slices=2)


def test_intent_is_durable_before_the_order_leaves() -> None:
    world = World()
    world.quotes()
    effects = world.desk.handle(parent(TWO), world.now)
    kinds = [type(each).__name__ for each in effects]
    assert kinds == ["Append", "Append", "Send", "SetTimer"]
    planned, sent = effects[1], effects[2]
    assert isinstance(planned, Append)
    assert isinstance(sent, Send)
    assert planned.event.order == sent.message
    assert planned.event.venue == "a"


def test_a_repeated_command_changes_nothing() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TWO))
    world.execute(parent(TWO))
    world.execute(parent(TWO, "7"))
    assert len(world.sent) == 1
    assert world.execution.order.quantity == D(100)
    world.cancel()
    world.cancel()
    assert sum(b"ExecutionCancelRequested" in record for record in world.journal) == 1
    world.tell(TimerFired(key="nobody"))


def test_an_order_that_cannot_be_worked_is_refused_by_name_once() -> None:
    world = World()
    world.execute(parent(TWO, "0.5"))
    world.execute(parent(TWO, "0.5"))
    assert world.refusal == "quantity 0.5 is less than the smallest order of every listing"
    assert len(world.journal) == 1
    world.restart()
    world.execute(parent(TWO))
    assert world.sent == [], "the id is used up"


def test_a_child_that_no_journal_names_is_sent_again_with_the_same_id() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TWO))
    world.wait(2)
    assert world.last.submits == 2
    world.restart()
    assert world.last.submits == 3
    world.accept(world.last)
    world.restart()
    world.wait(5)
    assert (world.last.submits, len(world.sent)) == (3, 1)


def test_a_part_that_shall_be_cancelled_is_sent_again_only_when_it_is_too_late() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TWO))
    world.cancel()
    world.wait(4.9)
    assert (world.last.submits, world.last.cancels) == (1, 0)
    world.wait(0.2)
    assert world.last.submits == 2, "risk refuses it now, or has answered long ago"
    world.deny(world.last)
    assert world.code == "CANCELED"


def test_while_the_journal_is_down_nothing_is_decided_and_commands_wait() -> None:
    world = World()
    world.quotes()
    world.outage()
    world.execute(parent(TWO))
    world.quotes()
    assert world.desk.view()["waiting"] == 1
    world.recover()
    assert len(world.sent) == 1
    world.outage()
    world.cancel("now")
    world.accept(world.last)
    assert world.last.cancels == 0
    world.recover()
    assert world.last.cancels == 1


def test_without_risk_nothing_is_sent_and_the_venue_is_named() -> None:
    world = World()
    world.quotes()
    world.link("a", is_up=False)
    world.execute(parent(TWO))
    assert world.sent == []
    (reason,) = world.desk.view()["left_out"].values()
    assert reason == "the risk manager of ACC-a is down"
    world.link("a", is_up=True)
    assert len(world.sent) == 1


def test_a_refusal_by_risk_and_one_by_the_broker_are_one_refusal() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TWO))
    child = world.last
    world.deny(child)
    about = {**world._about(child), "causation_id": child.order.client_order_id}
    world.fact(OrderDenied(**about, code="RISK_PERMIT_STALE_EPOCH", reason="r", order=child.order))
    world.restart()
    (known,) = world.execution.children.values()
    assert known.is_refused
    assert known.reason == "RISK_PERMIT_STALE_EPOCH: r"


def test_a_child_that_comes_back_is_counted_and_the_surplus_is_cancelled() -> None:
    world = World()
    world.quotes()
    world.execute(parent(Iceberg(display_qty=D(10)), "10", limit_price=D(99)))
    lost = world.last
    lost.is_over = lost.is_known = True
    about = world._about(lost)
    world.fact(OrderDenied(**about, code="ORDER_NEVER_SENT", reason="r", order=lost.order))
    world.wait(1)
    again = world.last
    assert again is not lost
    world.accept(again)
    world.fact(OrderAccepted(**about, venue_order_id="V1"))
    assert again.cancels == 1
    lost.is_over = False
    world.fill(lost)
    world.end(again)
    assert world.code == "FILLED"


def test_a_fill_after_the_end_is_still_counted() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TWO, "10"))
    world.end(world.last)
    world.cancel()
    assert world.code == "CANCELED"
    late = OrderFilled(
        **world._about(world.last),
        venue_order_id="V",
        trade_id="late",
        side=world.last.order.side,
        last_qty=D(2),
        last_px=D(100),
        commission=ZERO,
    )
    world.fact(late)
    assert world.execution.filled() == D(2)
    assert world.desk.view()["ended"][0]["filled_qty"] == D(2)
    world.restart()


def test_tops_that_make_no_sense_or_belong_to_nobody_are_ignored() -> None:
    world = World((account("a"), account("b")))
    for bid, ask, venue in ((0.0, 1.0, "a"), (2.0, 1.0, "a"), (1.0, float("nan"), "a")):
        world.quote(bid, ask, venue)
    world.quote(99.0, 101.0, "elsewhere")
    world.quote(0.001, 101.0, "a")
    assert set(world.desk.view()["left_out"].values()) == {"there is no book"}
    world.quote(99.0, 101.0, "a")
    world.execute(parent(TWO, "10", "a", "b"))
    world.wait(0.2)
    assert [one.order.account_id for one in world.sent] == ["ACC-a"]


def test_names_of_machine_streams_and_topics() -> None:
    desk = World((account("a"), account("b"))).desk
    assert desk.name == desk.stream == "execution:t"
    assert desk.follows == (
        "account:a:ACC-a",
        "account:b:ACC-b",
        "risk:ACC-a",
        "risk:ACC-b",
    )
    assert desk.subscribes == ("book.a.", "book.b.")


def test_two_parents_are_worked_side_by_side() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TWO, "10"))
    other = ClientOrderId("e" * 32)
    world.execute(parent(Iceberg(display_qty=D(3)), "6", client_order_id=other, limit_price=D(99)))
    first, second = world.sent
    world.fill(second)
    assert world.desk.parents[other].filled() == D(3)
    assert world.desk.parents[PARENT].filled() == 0
    assert first.order.client_order_id != second.order.client_order_id
    world.wait(11)
    assert len(world.desk.view()["running"]) == 2


GOOD = parent(TWO, "10")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": D("NaN")}, "quantity must be a positive number, got NaN"),
        ({"quantity": D("1e30")}, "quantity must be a positive number"),
        ({"quantity": D("1.5")}, "quantity 1.5 is not a whole number of lots at any listing"),
        ({"limit_price": D(0)}, "limit_price must be a positive number, got 0"),
        ({"listings": ()}, "listings must name 1 to 32 places, got 0"),
        ({"listings": (listing("a"), listing("a"))}, "listings must not repeat a place"),
        ({"listings": (listing("z"),)}, "this desk does not trade BTC/USD.X at z with ACC-z"),
        ({"expires_at": START - 1}, "expires_at has passed"),
        ({"time_in_force": "IOC"}, "time_in_force must be DAY or GTC, got IOC"),
        ({"strategy_id": ""}, "client_order_id and strategy_id must not be empty"),
        ({"algorithm": Twap(window_ns=10, slices=0)}, "there must be 1 to 1000 slices, got 0"),
        ({"algorithm": Twap(window_ns=1, slices=2)}, "window_ns is too short for 2 slices"),
        (
            {"algorithm": Twap(window_ns=10, slices=2, jitter=D(2))},
            "jitter must be from 0 to 1, got 2",
        ),
        ({"algorithm": Iceberg(display_qty=D(1))}, "an iceberg needs limit_price"),
        (
            {"algorithm": Iceberg(display_qty=D(0)), "limit_price": D(9)},
            "display_qty must be a positive number, got 0",
        ),
        (
            {"algorithm": Bracket(take_profit_px=D(90), stop_loss_px=D(110))},
            "take_profit_px must be above stop_loss_px for exits that SELL",
        ),
        (
            {"algorithm": Bracket(take_profit_px=D("110.005"), stop_loss_px=D(90))},
            "take_profit_px 110.005 is not a multiple of the tick 0.01",
        ),
        (
            {
                "algorithm": Bracket(take_profit_px=D(110), stop_loss_px=D(90)),
                "limit_price": D(120),
            },
            "limit_price 120 must be between the exits, 90 and 110",
        ),
        (
            {
                "algorithm": Bracket(take_profit_px=D(110), stop_loss_px=D(90)),
                "listings": (listing("a"), listing("b")),
            },
            "a bracket or an OCO works at one listing",
        ),
    ],
)
def test_objections_are_one_sentence(change: dict[str, object], words: str) -> None:
    world = World((account("a"), account("b")))
    order: ExecuteOrder = msgspec.structs.replace(GOOD, **change)
    world.execute(order)
    refused = next(iter(world.desk.view()["refused"].values()))
    assert refused.startswith(words)


def test_a_book_without_time_is_no_arrival_price() -> None:
    world = World()
    world.execute(parent(TWO))
    assert world.execution.arrival_px is None
    world.tell(
        BookTop(
            instrument_id=listing("a").instrument_id,
            bid_px=99.0,
            ask_px=101.0,
            bid_size=1.0,
            ask_size=1.0,
            microprice=100.0,
            imbalance=0.0,
            ts_init=START - 10 * SECOND,
        )
    )
    assert world.sent == [], "too old"

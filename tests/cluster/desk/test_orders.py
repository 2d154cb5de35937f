"""Orders through the front desk: what is asked for once reaches the venue once, whatever happens in between."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cluster.desk.live_desk import LiveDesk
from serve.desk.answers import OrderReceipt
from serve.desk.port import NewOrder, Replacement
from serve.desk.principal import Principal
from tests.serve.simulated_desk import SimulatedDesk
from trading.account import OPERATOR
from trading.errors import ClusterUnreachable, Conflict, NotFound, PermissionMissing, UsageError
from trading.identifiers import MachineName
from trading.messages import Message
from trading.values import OrderSide, OrderType, TimeInForce


def buy(quantity: int | str = 10, symbol: str = "KO", **terms: Any) -> NewOrder:
    return NewOrder(symbol=symbol, side=OrderSide.BUY, quantity=Decimal(quantity), **terms)


RESTING = buy(order_type=OrderType.LIMIT, limit_price=Decimal(40), time_in_force=TimeInForce.GTC)


def sent(desk: SimulatedDesk) -> list[str]:
    """Return the orders of people that the venue has received."""
    return [o.client_order_id for o in desk.received_orders() if o.strategy_id == OPERATOR]


def test_an_order_is_filled_and_reaches_the_venue_once(desk: SimulatedDesk, ann: Principal) -> None:
    receipt = desk.submit(buy(), ann, "k", "corr")
    assert (receipt.status, receipt.is_final, receipt.is_repeated) == ("FILLED", True, False)
    assert receipt.filled_quantity == 10
    assert sent(desk) == [receipt.client_order_id]
    held = desk.snapshot().machines["risk:SIM"]["strategy_positions"]
    assert held[OPERATOR] == {"KO.XNAS": Decimal(10)}


def test_the_same_key_asks_once_however_often_it_comes(desk: SimulatedDesk, ann: Principal) -> None:
    first = desk.submit(buy(), ann, "k", "one")
    again = desk.submit(buy("10.00", "KO.XNAS"), ann, "k", "two")
    assert again.is_repeated
    assert again.client_order_id == first.client_order_id
    assert (again.status, again.average_price) == (first.status, first.average_price)
    assert len(sent(desk)) == 1


def test_a_key_that_was_used_for_another_order_is_a_conflict(
    desk: SimulatedDesk, ann: Principal
) -> None:
    desk.submit(buy(10), ann, "k", "c")
    with pytest.raises(Conflict, match="IDEMPOTENCY_KEY_REUSED"):
        desk.submit(buy(11), ann, "k", "c")
    assert len(sent(desk)) == 1


def test_the_same_key_of_somebody_else_is_another_order(
    desk: SimulatedDesk, ann: Principal, bob: Principal
) -> None:
    one, two = desk.submit(buy(), ann, "k", "c"), desk.submit(buy(), bob, "k", "c")
    assert not two.is_repeated
    assert sent(desk) == [one.client_order_id, two.client_order_id]


def test_threads_that_race_with_one_key_ask_once(desk: SimulatedDesk, ann: Principal) -> None:
    receipts: list[OrderReceipt] = []
    at_once(8, lambda _: receipts.append(desk.submit(buy(), ann, "k", "c")))
    assert len({receipt.client_order_id for receipt in receipts}) == 1
    assert [receipt.is_repeated for receipt in receipts].count(False) == 1
    assert {receipt.status for receipt in receipts} == {"FILLED"}
    assert len(sent(desk)) == 1


def test_replicas_that_race_with_one_key_and_two_orders_send_one(
    desk: SimulatedDesk, ann: Principal
) -> None:
    """Each has its own cache of the journal: the first fact in it decides."""
    other = another_replica(desk)
    receipts: list[OrderReceipt] = []
    conflicts: list[Conflict] = []

    def ask(number: int) -> None:
        try:
            receipts.append((desk, other)[number].submit(buy(10 + number), ann, "k", "c"))
        except Conflict as error:
            conflicts.append(error)

    at_once(2, ask)
    assert (len(receipts), len(conflicts)) == (1, 1)
    assert sent(desk) == [receipts[0].client_order_id]


@pytest.mark.parametrize("quantity", [10, 11])
def test_of_two_that_were_journalled_for_one_key_the_first_counts(
    desk: SimulatedDesk, ann: Principal, monkeypatch: pytest.MonkeyPatch, quantity: int
) -> None:
    """Another replica is faster, between our look at the journal and our own fact."""
    facts, other = desk.connection.session().facts, another_replica(desk)
    refresh, first = facts.refresh, []

    def overtaken() -> None:
        refresh()
        if not first:
            first.append(other.submit(buy(10), ann, "k", "c"))

    monkeypatch.setattr(facts, "refresh", overtaken)
    if quantity == 10:
        second = desk.submit(buy(quantity), ann, "k", "c")
        assert (second.is_repeated, second.status) == (True, "FILLED")
    else:
        with pytest.raises(Conflict, match="IDEMPOTENCY_KEY_REUSED"):
            desk.submit(buy(quantity), ann, "k", "c")
    with desk.link.journal() as journal:
        assert journal.head(facts.requests_stream) == 2
    assert sent(desk) == [first[0].client_order_id]


def test_what_was_journalled_but_never_handed_over_is_handed_over_when_repeated(
    desk: SimulatedDesk, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica died between the journal and the command: here the command gets lost."""
    with monkeypatch.context() as patch:
        patch.setattr(desk.link, "command", unreachable)
        lost = desk.submit(buy(), ann, "k", "c")
    assert (lost.status, lost.code) == ("REQUESTED", "OUTCOME_UNKNOWN")
    assert "risk:SIM is down" in lost.reason
    assert sent(desk) == []
    again = another_replica(desk).submit(buy(), ann, "k", "c")
    assert (again.status, again.is_repeated) == ("FILLED", True)
    assert sent(desk) == [lost.client_order_id]


def test_an_order_while_risk_is_down_is_sent_once_when_it_is_back(
    desk: SimulatedDesk, ann: Principal
) -> None:
    desk.crash("risk", restart_after_s=3.0)
    assert desk.submit(buy(), ann, "k", "c").code == "OUTCOME_UNKNOWN"
    desk.link.pause(4.0)
    desk.advance()  # it has to see a price first
    receipt = desk.submit(buy(), ann, "k", "c")
    assert (receipt.status, receipt.is_repeated) == ("FILLED", True)
    assert len(sent(desk)) == 1


def test_a_command_that_arrives_twice_is_one_order(
    desk: SimulatedDesk, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = desk.link.command

    def twice(to: MachineName, message: Message) -> None:
        hand_over(to, message)
        hand_over(to, message)

    monkeypatch.setattr(desk.link, "command", twice)
    assert desk.submit(buy(), ann, "k", "c").status == "FILLED"
    assert len(sent(desk)) == 1


def test_nobody_trades_on_a_wish_of_long_ago(
    desk: SimulatedDesk, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(desk.link, "command", unreachable)
        desk.submit(buy(), ann, "k", "c")
    desk.link.pause(61.0)
    receipt = desk.submit(buy(), ann, "k", "c")
    assert (receipt.status, receipt.code) == ("DENIED", "RISK_ORDER_STALE")
    assert sent(desk) == []


def test_who_may_not_trade_leaves_no_trace(desk: SimulatedDesk, reader: Principal) -> None:
    with pytest.raises(PermissionMissing, match="trade:paper"):
        desk.submit(buy(), reader, "k", "c")
    with desk.link.journal() as journal:
        assert journal.head(desk.connection.session().facts.requests_stream) == 0
    assert sent(desk) == []


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        (buy(symbol="TSLA"), NotFound, "what is: AAPL, BAC"),
        (buy(account="OTHER"), UsageError, "name one of SIM"),
        (buy(strategy="nobody"), UsageError, "who may: operator, reversion, trend"),
        (buy(order_type=OrderType.LIMIT), UsageError, "needs limit_price"),
        (buy(order_type=OrderType.STOP_LIMIT, limit_price=Decimal(1)), UsageError, "needs stop"),
        (buy(limit_price=Decimal(1)), UsageError, "takes no limit_price"),
        (buy(trailing_offset=Decimal(1)), UsageError, "takes no trailing_offset"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_journalled(
    desk: SimulatedDesk, ann: Principal, order: NewOrder, error: type[Exception], words: str
) -> None:
    for ask in (lambda: desk.preview(order), lambda: desk.submit(order, ann, "k", "c")):
        with pytest.raises(error, match=words):
            ask()
    with desk.link.journal() as journal:
        assert journal.head(desk.connection.session().facts.requests_stream) == 0


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_an_order_needs_a_key_of_bounded_length(
    desk: SimulatedDesk, ann: Principal, key: str
) -> None:
    with pytest.raises(UsageError, match="Idempotency-Key"):
        desk.submit(buy(), ann, key, "c")


def test_an_order_in_the_name_of_a_strategy_is_that_strategys(
    desk: SimulatedDesk, ann: Principal
) -> None:
    receipt = desk.submit(buy(strategy="trend"), ann, "k", "c")
    assert desk.story(receipt.client_order_id).order.strategy_id == "trend"
    assert sent(desk) == []


# -- working orders


def test_a_working_order_is_canceled(desk: SimulatedDesk, ann: Principal) -> None:
    order = desk.submit(RESTING, ann, "k", "c")
    assert (order.status, order.is_final) == ("ACCEPTED", False)
    ended = desk.cancel(order.client_order_id, ann, "enough")
    assert (ended.status, ended.is_final, ended.code) == ("CANCELED", True, "")
    assert desk.cancel(order.client_order_id, ann, "again").status == "CANCELED"


def test_an_order_that_nobody_knows_is_not_found(desk: SimulatedDesk, ann: Principal) -> None:
    asks: list[Callable[[], object]] = [
        lambda: desk.cancel("f" * 32, ann, ""),
        lambda: desk.replace("f" * 32, Replacement(quantity=Decimal(1)), ann),
        lambda: desk.story("f" * 32),
    ]
    for ask in asks:
        with pytest.raises(NotFound, match="nobody knows"):
            ask()


def test_new_terms_of_a_working_order_are_those_of_the_venue(
    desk: SimulatedDesk, ann: Principal
) -> None:
    key = desk.submit(RESTING, ann, "k", "c").client_order_id
    receipt = desk.replace(key, Replacement(limit_price=Decimal(41), quantity=Decimal(7)), ann)
    assert (receipt.status, receipt.code) == ("ACCEPTED", "")
    (order,) = [each for each in desk.exchange_orders() if each.client_order_id == key]
    assert (order.price, order.quantity) == (Decimal(41), Decimal(7))
    assert desk.story(key).order.limit_price == Decimal(41)


def test_terms_that_risk_refuses_leave_the_order_as_it_is(
    desk: SimulatedDesk, ann: Principal
) -> None:
    key = desk.submit(RESTING, ann, "k", "c").client_order_id
    receipt = desk.replace(key, Replacement(limit_price=Decimal("41.001")), ann)
    assert (receipt.status, receipt.code) == ("ACCEPTED", "RISK_BAD_PRICE")
    assert desk.story(key).order.limit_price == Decimal(40)


def test_an_order_that_is_over_gets_no_new_terms(desk: SimulatedDesk, ann: Principal) -> None:
    key = desk.submit(buy(), ann, "k", "c").client_order_id
    with pytest.raises(Conflict, match="is over"):
        desk.replace(key, Replacement(quantity=Decimal(1)), ann)
    with pytest.raises(UsageError, match="nothing is to be changed"):
        desk.replace(key, Replacement(), ann)


def test_all_working_orders_end_or_those_of_one_strategy(
    desk: SimulatedDesk, ann: Principal
) -> None:
    for number in range(3):
        desk.submit(RESTING, ann, f"k{number}", "c")
    assert desk.cancel_all(ann, "", strategy="trend") == working(desk, "trend")
    assert working(desk, OPERATOR) == 3
    assert desk.cancel_all(ann, "all of it") == 3
    desk.link.pause(0.5)
    desk.connection.forget_look()
    assert working(desk) == 0


def test_a_cancel_while_the_broker_is_down_is_not_taken_for_sent(
    desk: SimulatedDesk, ann: Principal
) -> None:
    key = desk.submit(RESTING, ann, "k", "c").client_order_id
    desk.crash("broker", restart_after_s=5.0)
    with pytest.raises(ClusterUnreachable, match="broker:paper:SIM is down"):
        desk.cancel(key, ann, "")


# -- pieces


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in threads that begin together."""
    gate = threading.Barrier(count)

    def begin(number: int) -> None:
        gate.wait()
        work(number)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def another_replica(desk: SimulatedDesk) -> LiveDesk:
    """Return a desk that shares nothing with the first but the cluster."""
    return LiveDesk(
        lambda: desk.link,
        cluster="simulated",
        mode="paper",
        logs=desk._logs,
        latch=desk._latched,
    )


def unreachable(to: MachineName, message: Message) -> None:
    raise ClusterUnreachable(f"{to} is down; nothing was sent.")


def working(desk: SimulatedDesk, strategy: str = "") -> int:
    rows = desk.snapshot().machines["broker:paper:SIM"]["open_orders"]
    return sum(strategy in ("", row["strategy_id"]) for row in rows)

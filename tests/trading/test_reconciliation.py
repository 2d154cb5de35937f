"""The venue's answer becomes the facts that we lack, and nothing the second time."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.account import EXTERNAL, Account
from trading.commands import SubmitOrder
from trading.events import OrderAccepted, OrderDenied, OrderFilled, OrderSubmitted
from trading.mismatches import Mismatch, RecentFill, mismatches
from trading.order import Order
from trading.reconciliation import (
    contradiction,
    fill_facts,
    fill_id,
    reconcile,
    status_facts,
)
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import OrderSide, OrderStatus, OrderType, TimeInForce

NOW = 9_000


class Books:
    """Our side: orders and account, folded from facts."""

    def __init__(self):
        self.orders = {}
        self.account = Account(Decimal(1000))

    def add(self, facts):
        for fact in facts:
            self.orders.setdefault(fact.client_order_id, Order.of(fact)).apply(fact)
            if isinstance(fact, OrderFilled):
                self.account.apply_fill(fact)

    def submit(self, key, **fields):
        order = request(key, **fields)
        self.add([OrderSubmitted(**about(key), order=order, epoch=1)])
        return self

    def accept(self, key, **fields):
        self.submit(key, **fields)
        self.add([OrderAccepted(**about(key), venue_order_id=f"v{key}")])
        return self

    def reconcile(self, status, **options):
        return reconcile(self.orders, self.account.trade_ids, status, NOW, **options)

    def mend(self, status):
        result = self.reconcile(status)
        self.add(result.facts)
        return result


def about(key):
    return {"client_order_id": key, "strategy_id": "trend", "instrument_id": "AAPL.XNAS"}


def request(key, quantity=10, **fields):
    values = {"side": OrderSide.BUY, "order_type": OrderType.LIMIT, "price": Decimal(5)}
    return SubmitOrder(
        **about(key), account_id="DEMO", quantity=Decimal(quantity), **{**values, **fields}
    )


def status(key, state="ACCEPTED", filled=0, quantity=10, **fields):
    values = {
        "side": OrderSide.BUY,
        "order_type": OrderType.LIMIT,
        "instrument_id": "AAPL.XNAS",
        "price": Decimal(5),
    }
    return OrderStatusReport(
        ts_event=100,
        account_id="DEMO",
        client_order_id=key,
        venue_order_id=f"v{key}",
        time_in_force=TimeInForce.GTC,
        status=OrderStatus(state),
        quantity=Decimal(quantity),
        filled_qty=Decimal(filled),
        **{**values, **fields},
    )


def fill(key, trade_id, quantity=4, price=5, **fields):
    values = {"side": OrderSide.BUY, "instrument_id": "AAPL.XNAS", "ts_event": 200}
    return FillReport(
        account_id="DEMO",
        client_order_id=key,
        venue_order_id=f"v{key}",
        trade_id=trade_id,
        last_qty=Decimal(quantity),
        last_px=Decimal(price),
        commission=Decimal(0),
        **{**values, **fields},
    )


def answer(open_orders=(), fills=(), positions=None, cash=1000):
    return MassStatus(
        account_id="DEMO",
        open_orders=tuple(open_orders),
        fills=tuple(fills),
        positions=tuple(
            PositionReport(
                account_id="DEMO", instrument_id=key, quantity=Decimal(quantity), avg_px=Decimal(0)
            )
            for key, quantity in (positions or {}).items()
        ),
        account=AccountReport(account_id="DEMO", cash=Decimal(cash)),
    )


def names(facts):
    return [type(fact).__name__ for fact in facts]


def test_when_nothing_differs_there_is_nothing_to_add():
    result = Books().accept("a").reconcile(answer([status("a")]))
    assert (result.facts, result.to_query, result.contradictions) == ((), (), ())


def test_a_submitted_order_that_works_is_accepted():
    books = Books().submit("a")
    result = books.mend(answer([status("a")]))
    assert names(result.facts) == ["OrderAccepted"]
    assert books.orders["a"].venue_order_id == "va"


def test_missed_fills_are_applied_oldest_first_and_once():
    books = Books().accept("a")
    fills = [fill("a", "t2", 6, ts_event=300), fill("a", "t1"), fill("a", "t1")]
    result = books.mend(answer([], fills))
    assert [fact.trade_id for fact in result.facts] == ["t1", "t2"]
    assert (books.orders["a"].status, result.fill_count) == ("FILLED", 2)
    assert books.mend(answer([], fills)).facts == ()


def test_an_open_order_that_the_venue_does_not_list_is_asked_for_never_dropped():
    books = Books().accept("a").accept("b").submit("c")
    result = books.mend(answer([status("b")]))
    assert (result.facts, result.to_query) == ((), ("a",))
    assert books.orders["a"].is_open


def test_a_partly_filled_order_that_is_gone_is_asked_for():
    result = Books().accept("a").reconcile(answer([], [fill("a", "t1")]))
    assert (names(result.facts), result.to_query) == (["OrderFilled"], ("a",))


def test_an_order_never_sent_that_works_comes_back():
    books = Books().submit("a")
    books.add([OrderDenied(**about("a"), code="ORDER_NEVER_SENT", reason="lost")])
    result = books.mend(answer([status("a", "PARTIALLY_FILLED", 4)], [fill("a", "t1")]))
    assert names(result.facts) == ["OrderAccepted", "OrderFilled"]
    assert books.orders["a"].status == "PARTIALLY_FILLED"


def test_an_order_that_we_refused_and_the_venue_works_on_is_a_contradiction():
    books = Books()
    denial = OrderDenied(**about("a"), code="KILL_SWITCH", reason="latched", order=request("a"))
    books.add([denial])
    result = books.reconcile(answer([status("a")]))
    assert result.facts == ()
    assert "DENIED" in result.contradictions[0]


def test_an_unknown_order_is_adopted_as_external():
    books = Books()
    result = books.mend(answer([status("x", "PARTIALLY_FILLED", 4)], [fill("x", "t1")]))
    assert names(result.facts) == ["OrderSubmitted", "OrderAccepted", "OrderFilled"]
    order = books.orders["x"]
    assert (order.strategy_id, order.quantity, order.filled_qty) == (EXTERNAL, 10, 4)
    assert books.reconcile(answer([status("x", "PARTIALLY_FILLED", 4)])).facts == ()


def test_an_unknown_order_known_by_its_fills_grows_with_them():
    books = Books()
    books.mend(answer([], [fill("x", "t1", 4)]))
    books.mend(answer([], [fill("x", "t1", 4), fill("x", "t2", 3)]))
    order = books.orders["x"]
    assert (order.quantity, order.filled_qty, order.is_overfilled) == (7, 7, False)
    assert books.account.position("AAPL.XNAS").quantity == 7


def test_an_unknown_order_that_was_rejected_is_of_no_interest():
    assert status_facts(None, status("x", "REJECTED"), NOW) == []


def test_a_replacement_that_we_missed_is_adopted():
    books = Books().accept("a")
    result = books.mend(answer([status("a", quantity=12, price=Decimal(6))]))
    assert names(result.facts) == ["OrderUpdated"]
    assert (books.orders["a"].quantity, books.orders["a"].price) == (12, 6)


def test_a_trailing_trigger_that_moves_is_no_change_of_the_order():
    kind = {"order_type": OrderType.TRAILING_STOP_MARKET, "price": None}
    books = Books().accept("a", **kind, trigger_price=Decimal(4), trailing_offset=Decimal(1))
    moved = status("a", **kind, trigger_price=Decimal("4.5"))
    assert books.reconcile(answer([moved])).facts == ()


@pytest.mark.parametrize("state", ["CANCELED", "EXPIRED", "REJECTED"])
def test_a_closing_report_closes_once(state):
    books = Books().accept("a")
    books.add(status_facts(books.orders["a"], status("a", state), NOW))
    assert books.orders["a"].status == state
    assert status_facts(books.orders["a"], status("a", state), NOW) == []


def test_a_filled_report_without_its_fills_invents_none():
    books = Books().accept("a")
    assert status_facts(books.orders["a"], status("a", "FILLED", 10), NOW) == []


def test_a_stale_report_does_not_undo_a_replacement():
    books = Books().accept("a")
    old = status("a", quantity=7)
    assert status_facts(books.orders["a"], old, NOW, is_stale=True) == []
    assert names(status_facts(books.orders["a"], old, NOW)) == ["OrderUpdated"]


def test_an_order_that_changed_since_the_question_gets_only_fills():
    books = Books()
    books.add([OrderSubmitted(**about("a"), ts_init=50, order=request("a"), epoch=1)])
    books.add([OrderAccepted(**about("a"), ts_init=60, venue_order_id="va")])
    old = answer([status("a", quantity=3)], [fill("a", "t1")])
    assert names(books.reconcile(old, asked_at=55).facts) == ["OrderFilled"]
    assert names(books.reconcile(old, asked_at=60).facts) == ["OrderFilled", "OrderUpdated"]
    assert books.reconcile(answer(), asked_at=55).to_query == ()


def test_a_report_about_another_side_or_instrument_is_a_contradiction_and_changes_nothing():
    books = Books().accept("a")
    wrong = status("a", side=OrderSide.SELL)
    assert "SELL" in contradiction(books.orders["a"], wrong)
    foreign = fill("a", "t1", instrument_id="KO.XNYS")
    result = books.reconcile(answer([wrong], [foreign]))
    assert (result.facts, len(result.contradictions)) == ((), 2)


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity"])
def test_a_fill_of_nonsense_is_a_contradiction(quantity):
    result = Books().accept("a").reconcile(answer([status("a")], [fill("a", "t1", quantity)]))
    assert (result.facts, len(result.contradictions)) == ((), 1)


def test_a_fill_without_an_id_gets_one_from_what_it_is():
    one = fill("a", "", 4)
    assert fill_id(one) == fill_id(fill("a", "", "4.0"))
    assert fill_id(one) != fill_id(fill("a", "", 5))
    assert fill_id(fill("a", "t7")) == "t7"


def test_positions_and_cash_that_differ_are_named():
    books = Books().accept("a")
    books.mend(answer([], [fill("a", "t1")]))
    good = answer([], [fill("a", "t1")], {"AAPL.XNAS": 4}, 980)
    assert mismatches(books.account, good) == []
    bad = answer([], [], {"AAPL.XNAS": 5, "KO.XNYS": 1}, "979.99")
    assert mismatches(books.account, bad) == [
        Mismatch("AAPL.XNAS", Decimal(4), Decimal(5)),
        Mismatch("KO.XNYS", Decimal(0), Decimal(1)),
        Mismatch("cash", Decimal(980), Decimal("979.99")),
    ]


def test_a_fill_newer_than_the_answer_is_no_mismatch():
    books = Books().accept("a")
    before = books.account.cash
    facts = fill_facts(books.orders["a"], fill("a", "t1"), NOW)
    books.add(facts)
    newer = [RecentFill(facts[-1], books.account.cash - before)]
    assert mismatches(books.account, answer(), newer) == []
    listed = answer([], [fill("a", "t1")], {"AAPL.XNAS": 4}, 980)
    assert mismatches(books.account, listed, newer) == []


KEYS = ["a", "b", "c", "x"]
reports = st.builds(
    status,
    st.sampled_from(KEYS),
    st.sampled_from(["ACCEPTED", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED"]),
    st.integers(0, 12),
    st.integers(8, 12),
)
executions = st.builds(
    fill, st.sampled_from(KEYS), st.sampled_from(["t1", "t2", "t3", "t4"]), st.integers(1, 6)
)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(reports, max_size=4, unique_by=lambda report: report.client_order_id),
    st.lists(executions, max_size=5, unique_by=lambda report: report.trade_id),
    st.lists(executions, max_size=2),
)
def test_reconciling_twice_changes_nothing(open_orders, fills, before):
    books = Books().submit("a").accept("b").accept("c")
    for report in before:
        if fill_id(report) not in books.account.trade_ids:
            books.add(fill_facts(books.orders.get(report.client_order_id), report, NOW))
    status_now = answer(open_orders, fills)
    working = {key for key, order in books.orders.items() if order.is_open}
    listed = {report.client_order_id for report in open_orders}
    books.mend(status_now)
    again = books.reconcile(status_now)
    assert again.facts == ()
    gone = {key for key in working if not books.orders[key].is_open} - listed
    assert all(books.orders[key].status == "FILLED" for key in gone)
    applied = {fill_id(report) for report in [*fills, *before]}
    assert books.account.trade_ids == applied
    books.account.validate()

"""The venue as a machine: slices, snapshots, the record of requests, reports, restarts."""

from decimal import Decimal

import pytest

from trading.codec import decode
from trading.commands import RequestBars, RequestBook, SubmitOrder
from trading.data import Bar, BarsHistory, BarSlice, BookSnapshot, MarketSlice
from trading.effects import Append, Publish, Reply, Send
from trading.errors import InvalidTransition
from trading.events import (
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    VenueRequestReceived,
)
from trading.exchange.liquidity import Liquidity
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
)
from trading.outcomes import JournalUnavailable, LinkUp, Started
from trading.reports import FillReport, OrderStatusReport

AAA, BBB = InstrumentId("AAA.XNAS"), InstrumentId("BBB.XNAS")


def published(effects, kind):
    return [e for e in effects if isinstance(e, Publish) and isinstance(e.message, kind)]


def test_names_follow_the_venue(desk):
    assert desk.exchange.name == "exchange:paper"
    assert desk.exchange.stream == "exchange:paper"
    assert desk.exchange.follows == desk.exchange.subscribes == ()


# -- slices


def test_slice_publishes_each_book_and_then_the_slice(open_desk):
    desk = open_desk()
    effects = desk.market({AAA: 100.0, BBB: 50.0})
    assert [effect.topic for effect in effects] == [
        "market.paper.AAA.XNAS",
        "market.paper.BBB.XNAS",
        "market.paper.slice",
    ]
    book = effects[0].message
    assert book.bids == ((99.9, 100.0), (99.8, 100.0))
    assert book.asks == ((100.1, 100.0), (100.2, 100.0))
    whole = effects[-1].message
    assert isinstance(whole, BarSlice)
    assert whole.sequence == 1
    assert whole.ts_event == book.ts_event
    assert [bar.close for bar in whole.bars] == [100.0, 50.0]


def test_fills_are_told_before_the_prices_that_caused_them(desk):
    desk.submit("o", "BUY", 10, "99.00")
    fact, *told = desk.market(90.0)
    assert isinstance(fact, Append)
    assert [type(e.message) for e in told] == [FillReport, BookSnapshot, BarSlice]


@pytest.mark.parametrize("sequence", [1, 0])
def test_old_slice_is_ignored_in_one_life(desk, sequence):
    before = desk.exchange.view()
    message = MarketSlice(sequence=sequence, ts_event=9, bars=())
    assert desk.handle(message) == []
    assert desk.exchange.view() == before


def test_first_slice_after_a_restart_is_taken_whatever_its_sequence(desk):
    desk.restart()
    desk.sequence = 0
    assert published(desk.market(100.0), BarSlice)[0].message.sequence == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0, -1.0, 1e308, 1e-9])
def test_bad_price_is_ignored_and_counted(desk, bad):
    effects = desk.market({AAA: bad, BBB: 50.0})
    assert [e.topic for e in effects] == ["market.paper.BBB.XNAS", "market.paper.slice"]
    assert [bar.instrument_id for bar in effects[-1].message.bars] == [BBB]
    assert desk.exchange.view()["ignored_bars"] == 1
    desk.submit("o", "BUY", 1)
    assert desk.fills() == [("o", "1", "100.10")]  # at the last good price


def test_bad_price_in_any_field_spoils_the_bar(desk):
    bar = Bar(instrument_id=AAA, open=1.0, high=float("inf"), low=1.0, close=1.0)
    effects = desk.handle(MarketSlice(sequence=5, ts_event=10**17, bars=(bar,)))
    assert [e.topic for e in effects] == ["market.paper.slice"]


def test_unknown_instrument_in_a_slice_is_ignored_and_counted(desk):
    desk.market({InstrumentId("ZZZ.XNAS"): 10.0})
    assert desk.exchange.view()["ignored_bars"] == 1


# -- snapshots


def test_requested_book_shows_what_is_left_and_our_orders(desk):
    desk.submit("take", "BUY", 130)
    desk.submit("rest", "BUY", 7, "99.90", account="B")
    desk.submit("more", "BUY", 5, "99.85", account="B")
    request = RequestBook(instrument_id=AAA, reply_to=MachineName("feed:paper"))
    (effect,) = desk.handle(request)
    assert effect.topic == "market.paper.AAA.XNAS"
    assert effect.message.bids == ((99.9, 107.0), (99.85, 5.0), (99.8, 100.0))
    assert effect.message.asks == ((100.2, 70.0),)


def test_book_of_an_unknown_instrument_is_not_published(desk):
    request = RequestBook(instrument_id=BBB, reply_to=MachineName("feed:paper"))
    assert desk.handle(request) == []


def test_book_sequence_rises_by_one_and_never_falls_after_a_restart(desk):
    first = published(desk.market(100.0), BookSnapshot)[0].message.sequence
    request = RequestBook(instrument_id=AAA, reply_to=MachineName("feed:paper"))
    second = published(desk.handle(request), BookSnapshot)[0].message.sequence
    assert second == first + 1
    desk.now += 1_000
    desk.restart()
    assert published(desk.market(100.0), BookSnapshot)[0].message.sequence > second


# -- start


def test_start_asks_the_replay_for_the_last_slice(open_desk):
    desk = open_desk(replay=MachineName("replay:demo"))
    (effect,) = desk.handle(Started(epoch=3))
    assert isinstance(effect, Send)
    assert effect.to == "replay:demo"
    assert isinstance(effect.message, RequestBars)
    assert (effect.message.count, effect.message.reply_to) == (1, "exchange:paper")


def test_start_without_a_replay_asks_nobody(open_desk):
    assert open_desk().handle(Started(epoch=1)) == []


def test_epoch_of_the_lease_is_in_the_record(desk):
    desk.handle(Started(epoch=7))
    desk.submit("o", "BUY", 10)
    assert [e.epoch for e in desk.events if isinstance(e, OrderSubmitted)] == [7]


def history(sequence, close, ts_event=86_400_000_000_001):
    bar = Bar(instrument_id=AAA, open=close, high=close, low=close, close=close)
    one = BarSlice(sequence=sequence, ts_event=ts_event, bars=(bar,))
    return BarsHistory(sequence=sequence, slices=(one,))


def test_history_gives_prices_but_the_slice_is_still_taken(desk):
    desk.restart()
    assert desk.submit("early", "BUY", 10).code == "NO_MARKET"
    assert published(desk.handle(history(1, 100.0)), BarSlice) == []
    desk.submit("o", "BUY", 10)
    assert desk.fills("o") == [("o", "10", "100.10")]
    desk.sequence = 0
    assert published(desk.market(100.0), BarSlice)


def test_history_behind_a_slice_is_ignored(desk):
    assert desk.handle(history(1, 50.0)) == []
    desk.submit("o", "BUY", 10)
    assert desk.fills() == [("o", "10", "100.10")]


def test_empty_history_is_ignored(open_desk):
    assert open_desk().handle(BarsHistory(slices=())) == []


def test_start_of_a_running_venue_changes_nothing(desk):
    desk.submit("rest", "BUY", 10, "99.00")
    desk.submit("stop", "SELL", 10, type="STOP_MARKET", trigger="90.00")
    before = desk.exchange.state_hash()
    assert desk.handle(Started(epoch=2)) == []
    assert desk.exchange.state_hash() == before


def test_other_messages_have_no_effect(desk):
    before = desk.exchange.state_hash()
    assert desk.handle(LinkUp(peer=MachineName("replay:demo"))) == []
    assert desk.handle(JournalUnavailable(stream=desk.exchange.stream, reason="full")) == []
    assert desk.exchange.state_hash() == before


# -- requests and what they lead to


def test_effects_of_an_order_are_facts_then_the_answer_then_the_messages(desk):
    desk.submit("o", "BUY", 150)
    facts = [type(e.event) for e in desk.effects if isinstance(e, Append)]
    assert facts == [VenueRequestReceived, OrderSubmitted, OrderAccepted, OrderFilled, OrderFilled]
    kinds = [type(e) for e in desk.effects]
    assert kinds == [Append] * 5 + [Reply] + [Publish] * 3
    messages = [e.message for e in desk.effects if isinstance(e, Publish)]
    assert [type(m) for m in messages] == [OrderStatusReport, FillReport, FillReport]


def test_every_request_is_recorded_once_as_it_came_before_its_effects(desk):
    desk.submit("o", "BUY", 10, "99.00")
    desk.replace("o", quantity=20)
    desk.query("o")
    desk.cancel("o")
    desk.cancel("o")
    desk.submit("o", "BUY", "NaN")
    desk.cancel_all()
    desk.mass_status()
    records = [e for e in desk.events if isinstance(e, VenueRequestReceived)]
    assert [r.request_id for r in records] == [f"r{n}" for n in range(1, 9)]
    assert [r.kind for r in records] == [
        "SubmitOrder",
        "ReplaceOrder",
        "QueryOrder",
        "CancelOrder",
        "CancelOrder",
        "SubmitOrder",
        "CancelAllOrders",
        "QueryMassStatus",
    ]
    assert desk.exchange.requests_for("o") == tuple(records[:6])
    assert decode(records[1].payload).quantity == 20
    assert isinstance(decode(records[5].payload), SubmitOrder)
    assert desk.exchange.view()["requests"]["CancelOrder"] == 2
    for index, effect in enumerate(desk.log):
        if isinstance(effect, Reply):
            before = [e.event for e in desk.log[:index] if isinstance(e, Append)]
            assert effect.request.request_id in {getattr(e, "request_id", "") for e in before}


def test_messages_of_an_account_are_numbered_without_gaps_across_a_restart(desk):
    desk.submit("a", "BUY", 150)
    desk.submit("b", "BUY", 10, "99.00", account="B")
    desk.submit("c", "SELL", 10, "101.00")
    desk.restart()
    desk.market(105.0)
    desk.cancel("b", account="B")
    desk.submit("d", "BUY", "1.5")
    assert [m.venue_seq for m in desk.told("A")] == [1, 2, 3, 4, 5, 6]
    assert [m.venue_seq for m in desk.told("B")] == [1, 2]


def test_ids_are_never_reused_after_a_restart(desk):
    desk.submit("a", "BUY", 150)
    desk.restart()
    desk.market(100.0)
    outcome = desk.submit("b", "BUY", 10)
    assert outcome.venue_order_id == "paper-O2"
    assert [f.trade_id for f in desk.exchange.fills("A")] == ["paper-T1", "paper-T2", "paper-T3"]


def test_both_sides_of_a_trade_in_one_account_have_their_own_trade_id(open_desk):
    desk = open_desk(liquidity=Liquidity(levels=0))
    desk.market(100.0)
    desk.submit("sell", "SELL", 10, "100.00")
    desk.submit("buy", "BUY", 10, "100.00")
    assert [f.trade_id for f in desk.exchange.fills("A")] == ["paper-T1", "paper-T2"]
    assert desk.exchange.positions("A") == {}
    assert desk.exchange.cash("A") == 1_000_000


def test_restart_keeps_orders_cash_positions_and_priority(open_desk):
    desk = open_desk(liquidity=Liquidity(levels=0))
    desk.market(100.0)
    for key in ("first", "second", "third"):
        desk.submit(key, "SELL", 10, "100.02", tif="GTC")
    desk.submit("hit", "BUY", 5, "100.02", account="B")
    desk.replace("second", quantity=4)
    cash, positions = desk.exchange.cash("A"), desk.exchange.positions("A")
    desk.restart()
    assert (desk.exchange.cash("A"), desk.exchange.positions("A")) == (cash, positions)
    desk.market(100.0)
    desk.submit("all", "BUY", 19, "100.02", account="B")
    makers = [fill[:2] for fill in desk.fills() if fill[0] in {"first", "second", "third"}]
    assert makers == [("first", "5"), ("first", "5"), ("second", "4"), ("third", "10")]


def test_mass_status_is_one_consistent_answer(desk):
    desk.submit("a", "BUY", 150)
    desk.submit("rest", "BUY", 10, "99.00")
    desk.submit("other", "BUY", 10, "99.00", account="B")
    status = desk.mass_status()
    assert [o.client_order_id for o in status.open_orders] == ["rest"]
    assert status.fills == desk.exchange.fills("A")
    assert [(p.instrument_id, p.quantity) for p in status.positions] == [(AAA, 150)]
    assert status.account.cash == desk.exchange.cash("A")


def test_mass_status_counts_fills_from_the_time_asked_for(desk):
    desk.submit("a", "BUY", 10)
    desk.market(100.0)
    desk.submit("b", "BUY", 10)
    later = desk.exchange.fills("A")[1]
    assert desk.mass_status(since=later.ts_event).fills == (later,)


def test_query_of_an_unknown_order_says_so(desk):
    assert desk.query("nothing") is None


def test_cancel_all_of_a_strategy_spares_the_others(desk):
    desk.submit("a", "BUY", 10, "99.00", strategy="s1")
    desk.submit("b", "BUY", 10, "99.00", strategy="s2")
    desk.submit("c", "BUY", 10, "99.00", strategy="s1", account="B")
    assert desk.cancel_all(strategy="s1").client_order_ids == ("a",)
    assert [desk.status(key) for key in "abc"] == ["CANCELED", "ACCEPTED", "ACCEPTED"]
    assert desk.cancel_all().client_order_ids == ("b",)
    assert desk.cancel_all(account="nobody").client_order_ids == ()


def test_cancel_all_reaches_waiting_stops(desk):
    desk.submit("a", "SELL", 10, type="STOP_MARKET", trigger="90.00")
    desk.cancel_all()
    desk.market(80.0)
    assert (desk.status("a"), desk.fills()) == ("CANCELED", [])


def test_facts_trace_back_to_request_and_slice(desk):
    desk.submit("o", "BUY", 10, "99.00")
    desk.market(90.0)
    accepted, filled = (e for e in desk.events if isinstance(e, OrderAccepted | OrderFilled))
    assert accepted.causation_id == "r1"
    assert filled.causation_id == "exchange:paper/2"
    assert filled.ts_event > accepted.ts_event
    assert filled.ts_init == desk.now


def test_view_counts_what_happened(desk):
    desk.submit("a", "BUY", 10)
    desk.submit("b", "BUY", 10, "99.00")
    view = desk.exchange.view()
    assert (view["sequence"], view["orders"], view["open_orders"]) == (1, 2, 1)
    account = view["accounts"]["A"]
    assert account["fills"] == 1
    assert account["cash"] == Decimal("998999.00")
    assert account["positions"][AAA] == {"quantity": 10, "avg_px": Decimal("100.1")}


# -- the fold refuses nonsense


def test_fact_about_an_unknown_order_is_an_illegal_transition(desk):
    event = OrderCanceled(
        client_order_id=ClientOrderId("x"), strategy_id=StrategyId("s"), instrument_id=AAA
    )
    with pytest.raises(InvalidTransition, match="UNKNOWN"):
        desk.fold([event])


def test_fact_about_a_closed_order_is_an_illegal_transition(desk):
    desk.submit("o", "BUY", 10)
    with pytest.raises(InvalidTransition, match="FILLED"):
        desk.fold([*desk.events, desk.events[-1]])


def test_fill_above_the_open_quantity_is_an_illegal_transition(desk):
    desk.submit("o", "BUY", 150, "100.10")  # 100 filled, 50 rest
    with pytest.raises(InvalidTransition, match="filled 100/150"):
        desk.fold([*desk.events, desk.events[-1]])


def test_fact_of_somebody_else_is_an_error(desk):
    foreign = OrderRejected(
        client_order_id=ClientOrderId("o"),
        strategy_id=StrategyId("s"),
        instrument_id=AAA,
        code="DUPLICATE_CLIENT_ORDER_ID",
        reason="",
    )
    desk.fold([foreign])  # this one is counted
    with pytest.raises(AssertionError, match="no fact of an exchange"):
        desk.exchange.apply(Started(epoch=1))


# -- facts that a crash cut off


def restored_up_to_the_acceptance_of(desk, key):
    accepted = [
        number
        for number, event in enumerate(desk.events)
        if isinstance(event, OrderAccepted) and event.client_order_id == key
    ]
    torn = desk.fold(desk.events[: accepted[0] + 1])
    torn.handle(Started(epoch=2), now=5)
    torn.validate()
    return torn


def test_start_cancels_a_market_order_that_a_crash_interrupted(desk):
    desk.submit("o", "BUY", 150)
    (order,) = restored_up_to_the_acceptance_of(desk, "o").orders(AccountId("A"))
    assert (order.status, order.filled_qty) == ("CANCELED", 0)


def test_start_finishes_a_trade_at_the_price_of_the_older_order(desk):
    desk.submit("maker", "SELL", 10, "100.05", account="B")
    desk.submit("taker", "BUY", 20, "100.08")
    torn = restored_up_to_the_acceptance_of(desk, "taker")
    (maker,), (taker,) = torn.fills(AccountId("B")), torn.fills(AccountId("A"))
    assert (maker.last_px, maker.liquidity_side) == (Decimal("100.05"), "MAKER")
    assert (taker.last_px, taker.liquidity_side) == (Decimal("100.05"), "TAKER")
    (order,) = torn.orders(AccountId("A"))
    assert (order.status, order.leaves_qty) == ("PARTIALLY_FILLED", 10)

"""Each fault does what it says outside, leaves the truth inside alone, and comes from the seed."""

import pytest

from trading.effects import Append, Publish, Reply, SetTimer
from trading.exchange.exchange import SimulatedExchange
from trading.exchange.faults import FaultPlan, RequestFault
from trading.machine import Machine
from trading.outcomes import (
    CancelOutcomeUnknown,
    QueryFailed,
    ReplaceOutcomeUnknown,
    SubmitAcknowledged,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    TimerFired,
)
from trading.reports import FillReport, OrderStatusReport

RELEASE = TimerFired(key="faults")


@pytest.fixture
def faulty(open_desk):
    def open_faulty(**plan):
        desk = open_desk(plan=FaultPlan(**plan))
        desk.market(100.0)
        return desk

    return open_faulty


def first_request_suffers(fault):
    return {"schedule": {1: fault}}


def fills_told(desk):
    return [m.trade_id for m in desk.told() if isinstance(m, FillReport)]


def test_faulty_exchange_is_the_machine_that_it_wraps(faulty):
    desk = faulty()
    machine: Machine = desk.exchange
    inside = desk.exchange_inside
    assert (machine.name, machine.stream) == (inside.name, inside.stream)
    assert (machine.follows, machine.subscribes) == ((), ())
    assert machine.state_hash() == inside.state_hash()


def test_without_faults_the_effects_are_those_of_the_exchange(open_desk, faulty):
    plain, wrapped = open_desk(), faulty()
    plain.market(100.0)
    for desk in (plain, wrapped):
        desk.submit("o", "BUY", 150)
        desk.cancel("o")
    assert wrapped.log == plain.log


def test_dropped_request_never_happened(faulty):
    desk = faulty(**first_request_suffers(RequestFault.DROP_REQUEST))
    assert desk.submit("o", "BUY", 10) is None
    assert desk.effects == []
    assert desk.exchange_inside.requests_for("o") == ()
    assert desk.query("o") is None


def test_dropped_response_hides_an_order_that_was_executed(faulty):
    desk = faulty(**first_request_suffers(RequestFault.DROP_RESPONSE))
    assert desk.submit("o", "BUY", 10) is None
    assert desk.fills() == [("o", "10", "100.10")]
    assert len(desk.exchange_inside.requests_for("o")) == 1
    assert desk.query("o").status == "FILLED"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (RequestFault.RESET, "connection reset by the venue"),
        (RequestFault.ERROR_5XX_EXECUTED, "503 Service Unavailable"),
    ],
)
def test_executed_order_with_a_broken_answer_has_an_unknown_outcome(faulty, fault, reason):
    desk = faulty(**first_request_suffers(fault))
    outcome = desk.submit("o", "BUY", 10)
    assert isinstance(outcome, SubmitOutcomeUnknown)
    assert (outcome.client_order_id, outcome.reason) == ("o", reason)
    assert desk.status("o") == "FILLED"


def test_5xx_before_execution_has_an_unknown_outcome_too(faulty):
    desk = faulty(**first_request_suffers(RequestFault.ERROR_5XX))
    assert isinstance(desk.submit("o", "BUY", 10), SubmitOutcomeUnknown)
    assert desk.query("o") is None


def test_429_was_certainly_not_processed(faulty):
    desk = faulty(**first_request_suffers(RequestFault.REFUSE_429))
    outcome = desk.submit("o", "BUY", 10)
    assert isinstance(outcome, SubmitNotSent)
    assert outcome.reason == "429 Too Many Requests"
    assert desk.exchange_inside.requests_for("o") == ()
    assert isinstance(desk.submit("o", "BUY", 10), SubmitAcknowledged)


@pytest.mark.parametrize("fault", [RequestFault.REFUSE_429, RequestFault.ERROR_5XX_EXECUTED])
def test_broken_answers_fit_their_requests(faulty, fault):
    desk = faulty(requests={fault: 1.0})
    assert isinstance(desk.cancel("o"), CancelOutcomeUnknown)
    assert isinstance(desk.replace("o", quantity=5), ReplaceOutcomeUnknown)
    failed = desk.cancel_all()
    assert isinstance(failed, QueryFailed)
    assert failed.query == "CancelAllOrders"


def test_delayed_answer_comes_by_the_timer(faulty):
    desk = faulty(**first_request_suffers(RequestFault.DELAY), delay_ns=1_000)
    assert desk.submit("o", "BUY", 10) is None
    assert desk.status("o") == "FILLED"
    assert desk.effects[-1] == SetTimer("faults", desk.now + 1_000)
    desk.now += 500
    assert [type(e) for e in desk.handle(RELEASE)] == [SetTimer]
    desk.now += 500
    (reply,) = desk.handle(RELEASE)
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, SubmitAcknowledged)
    assert desk.handle(RELEASE) == []


def test_duplicated_fills_are_told_two_to_five_times(faulty):
    desk = faulty(duplicate_fills=1.0)
    for number in range(40):
        desk.submit(f"o{number}", "BUY", 1)
    told = fills_told(desk)
    counts = {told.count(trade_id) for trade_id in told}
    assert counts == {2, 3, 4, 5}
    assert len(desk.fills()) == 40


def test_held_fill_arrives_behind_later_messages(faulty):
    desk = faulty(reorder_fills=1.0)
    desk.submit("late", "BUY", 250)  # two fills, and the rest is canceled
    assert [type(m) for m in desk.told()] == [OrderStatusReport, OrderStatusReport]
    desk.submit("rest", "BUY", 10, "99.00")
    assert [m.venue_seq for m in desk.told()] == [1, 4, 5, 2, 3]


def test_held_fill_arrives_by_the_timer_when_nothing_overtakes_it(faulty):
    desk = faulty(reorder_fills=1.0, hold_ns=1_000)
    desk.submit("late", "BUY", 10)
    assert fills_told(desk) == []
    assert isinstance(desk.effects[-1], SetTimer)
    desk.now += 1_000
    desk.handle(RELEASE)
    assert fills_told(desk) == ["paper-T1"]


def test_fills_overtake_the_answer_but_never_their_facts(faulty):
    desk = faulty(fills_before_reply=1.0)
    desk.submit("o", "BUY", 150)
    kinds = [type(e) for e in desk.effects]
    assert kinds == [Append] * 5 + [Publish] * 3 + [Reply]


def test_mute_venue_publishes_nothing_but_trades_and_answers(faulty):
    desk = faulty(mute=1.0, mute_ns=100)
    assert not any(isinstance(effect, Publish) for effect in desk.log)
    assert isinstance(desk.submit("o", "BUY", 10), SubmitAcknowledged)
    assert desk.told() == []
    assert desk.fills() == [("o", "10", "100.10")]
    desk.now += 100
    desk.submit("p", "BUY", 10)
    assert [m.venue_seq for m in desk.told()] == [3, 4]


def test_held_fill_that_comes_free_in_a_mute_time_is_lost(faulty):
    desk = faulty(mute=1.0, mute_ns=100, reorder_fills=1.0, hold_ns=10)
    desk.now += 100
    desk.submit("o", "BUY", 10)
    desk.market(100.0)
    desk.now += 10
    assert desk.handle(RELEASE) == []
    assert fills_told(desk) == []


EVERYTHING = {
    "requests": dict.fromkeys(RequestFault, 0.1),
    "duplicate_fills": 0.3,
    "reorder_fills": 0.3,
    "fills_before_reply": 0.3,
    "mute": 0.3,
    "mute_ns": 5,
}


def trade_a_while(desk):
    for number in range(60):
        desk.submit(f"o{number}", "BUY" if number % 2 else "SELL", 5)
        if number % 4 == 0:
            desk.market(100.0)
    return desk.log


def test_same_seed_gives_the_same_faults_and_another_seed_does_not(faulty):
    first = trade_a_while(faulty(seed=1, **EVERYTHING))
    assert trade_a_while(faulty(seed=1, **EVERYTHING)) == first
    assert trade_a_while(faulty(seed=2, **EVERYTHING)) != first


def test_faults_are_counted_and_every_kind_occurs(faulty):
    desk = faulty(seed=3, **EVERYTHING)
    trade_a_while(desk)
    counted = desk.exchange.view()["faults"]
    assert set(RequestFault) <= set(counted)
    assert {"muted", "mute", "duplicate_fills", "reorder_fills"} <= set(counted)
    reached = 60 - sum(counted[f] for f in ("drop_request", "refuse_429", "error_5xx"))
    assert sum(desk.exchange_inside.view()["requests"].values()) == reached


@pytest.mark.parametrize("seed", range(5))
def test_every_fact_passes_untouched_and_the_record_restores_the_venue(faulty, seed):
    desk = faulty(seed=seed, **EVERYTHING)
    trade_a_while(desk)
    restored = desk.fold(desk.events)
    assert isinstance(restored, SimulatedExchange)
    restored.validate()
    assert restored.state_hash() == desk.exchange.state_hash()


def test_probability_is_met(faulty):
    desk = faulty(seed=11, requests={RequestFault.DROP_RESPONSE: 0.25})
    answers = [desk.submit(f"o{n}", "BUY", 1, "90.00") for n in range(400)]
    assert 75 <= answers.count(None) <= 125


def test_schedule_does_not_shift_the_seeded_faults(faulty):
    requests = {RequestFault.DROP_RESPONSE: 0.5}
    plain = faulty(seed=4, requests=requests)
    scheduled = faulty(seed=4, requests=requests, schedule={1: RequestFault.DROP_RESPONSE})
    silent = [
        [desk.submit(f"o{n}", "BUY", 1, "90.00") is None for n in range(30)]
        for desk in (plain, scheduled)
    ]
    assert silent[0][1:] == silent[1][1:]


@pytest.mark.parametrize(
    "plan",
    [
        {"mute": 1.5},
        {"requests": {RequestFault.RESET: -0.1}},
        {"requests": {RequestFault.RESET: 0.6, RequestFault.DELAY: 0.6}},
        {"hold_ns": -1},
    ],
)
def test_impossible_plan_is_refused(plan):
    with pytest.raises(ValueError):
        FaultPlan(**plan)

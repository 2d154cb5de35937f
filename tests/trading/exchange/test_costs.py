"""Fees, slippage and latency: what a trade costs beyond its price."""

from decimal import Decimal

import pytest

from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.outcomes import TimerFired


def test_fee_adds_shares_and_value():
    fees = Fees(per_share=Decimal("0.005"), taker_bps=Decimal(2), maker_bps=Decimal(-1))
    assert fees.commission(Decimal(100), Decimal(50), is_maker=False) == Decimal("1.50")
    assert fees.commission(Decimal(100), Decimal(50), is_maker=True) == Decimal("0.00")


def test_fee_is_at_least_the_minimum():
    fees = Fees(per_share=Decimal("0.005"), minimum=Decimal(1))
    assert fees.commission(Decimal(10), Decimal(50), is_maker=False) == Decimal("1.00")
    assert fees.commission(Decimal(1000), Decimal(50), is_maker=False) == Decimal("5.00")


def test_maker_rebate_is_a_negative_commission():
    fees = Fees(maker_bps=Decimal(-1))
    assert fees.commission(Decimal(100), Decimal(100), is_maker=True) == Decimal("-1.00")


def test_fee_is_rounded_half_to_even_to_the_cent():
    fees = Fees(per_share=Decimal("0.005"))
    assert fees.commission(Decimal(1), Decimal(1), is_maker=False) == Decimal("0.00")
    assert fees.commission(Decimal(3), Decimal(1), is_maker=False) == Decimal("0.02")


def test_fees_leave_the_cash_of_both_sides(open_desk):
    fees = Fees(per_share=Decimal("0.01"), maker_bps=Decimal(0), taker_bps=Decimal(10))
    desk = open_desk(fees=fees, liquidity=Liquidity(levels=0))
    desk.market(100.0)
    desk.submit("maker", "SELL", 10, "100.00", account="B")
    desk.submit("taker", "BUY", 10)
    assert desk.exchange.cash("A") == Decimal(1000000) - 1000 - Decimal("1.10")
    assert desk.exchange.cash("B") == Decimal(1000000) + 1000 - Decimal("0.10")


def test_slippage_moves_taker_fills_against_the_taker(open_desk):
    desk = open_desk(slippage=Slippage(bps=Decimal(10)))
    desk.market(100.0)
    desk.submit("buy", "BUY", 10)
    desk.submit("sell", "SELL", 10)
    assert desk.fills() == [("buy", "10", "100.20"), ("sell", "10", "99.80")]


def test_slippage_never_passes_the_limit(open_desk):
    desk = open_desk(slippage=Slippage(bps=Decimal(10)))
    desk.market(100.0)
    desk.submit("buy", "BUY", 10, "100.15")
    assert desk.fills() == [("buy", "10", "100.15")]


def test_slippage_spares_makers_and_trades_between_our_orders(open_desk):
    desk = open_desk(slippage=Slippage(bps=Decimal(10)))
    desk.market(100.0)
    desk.submit("maker", "SELL", 10, "100.05", account="B")
    desk.submit("taker", "BUY", 10)
    assert {price for _, _, price in desk.fills()} == {"100.05"}


def test_slippage_of_everything_is_refused():
    with pytest.raises(ValueError, match="below 10000"):
        Slippage(bps=Decimal(10_000))


def test_requests_queue_behind_each_other():
    latency = Latency(fixed_ns=100, per_request_ns=10)
    first = latency.effective_at(1000, busy_until=0)
    second = latency.effective_at(1001, busy_until=first)
    assert (first, second) == (1110, 1120)
    assert latency.effective_at(5000, busy_until=second) == 5110


def test_negative_latency_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Latency(fixed_ns=-1)


def test_delayed_request_is_recorded_at_once_and_acted_on_when_its_time_has_come(open_desk):
    desk = open_desk(latency=Latency(fixed_ns=1_000))
    desk.market(100.0)
    assert desk.submit("o", "BUY", 10) is None
    sent_at = desk.now
    assert len(desk.exchange.requests_for("o")) == 1
    assert desk.fills() == []
    assert desk.effects[-1].at == sent_at + 1_000
    assert desk.cancel("o") is None  # stands behind the order
    desk.now = sent_at + 999
    desk.handle(TimerFired(key="latency"))
    assert desk.fills() == [("o", "10", "100.10")]
    assert desk.effects[-1].at == sent_at + 1_001
    desk.handle(TimerFired(key="latency"))
    assert desk.effects[0].outcome.code == "ORDER_CLOSED"


def test_delayed_request_that_a_restart_forgot_is_unknown(open_desk):
    desk = open_desk(latency=Latency(fixed_ns=1_000))
    desk.market(100.0)
    desk.submit("o", "BUY", 10)
    desk.restart()
    desk.now += 10_000
    desk.handle(TimerFired(key="latency"))
    assert desk.effects == []
    assert desk.exchange.orders("A") == ()
    assert len(desk.exchange.requests_for("o")) == 1


def test_without_latency_there_is_no_timer(desk):
    desk.submit("o", "BUY", 10)
    assert not any(hasattr(effect, "at") for effect in desk.log)

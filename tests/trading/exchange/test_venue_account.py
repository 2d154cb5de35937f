from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.exchange.venue_account import VenueAccount
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, TradeId, VenueOrderId
from trading.reports import FillReport
from trading.values import OrderSide

AAA = InstrumentId("AAA.XNAS")


def fill(number, signed, price, commission="0"):
    return FillReport(
        account_id=AccountId("A"),
        client_order_id=ClientOrderId("o"),
        venue_order_id=VenueOrderId("v"),
        trade_id=TradeId(f"T{number}"),
        instrument_id=AAA,
        side=OrderSide.BUY if signed > 0 else OrderSide.SELL,
        last_qty=abs(Decimal(signed)),
        last_px=Decimal(price),
        commission=Decimal(commission),
    )


def account_after(*trades):
    account = VenueAccount(AccountId("A"), Decimal(10_000))
    for number, trade in enumerate(trades):
        account.apply_fill(fill(number, *trade))
    account.validate()
    return account


def test_buying_more_averages_the_price():
    account = account_after((10, "100", "1"), (30, "104", "1"))
    assert account.quantity(AAA) == 40
    assert account.avg_px(AAA) == 103
    assert account.cash == 10_000 - 1000 - 3120 - 2
    assert (account.commissions, account.realized_pnl) == (2, 0)


def test_selling_a_part_realises_profit_and_keeps_the_average():
    account = account_after((40, "103"), (-10, "105"))
    assert account.realized_pnl == 20
    assert account.avg_px(AAA) == 103


def test_selling_through_zero_opens_a_short_at_the_new_price():
    account = account_after((10, "100"), (-25, "110"))
    assert account.realized_pnl == 100
    assert account.quantity(AAA) == -15
    assert account.avg_px(AAA) == 110


def test_buying_back_a_short_realises_its_profit():
    account = account_after((-20, "50"), (20, "45"))
    assert account.realized_pnl == 100
    assert account.open_positions() == {}
    assert account.avg_px(AAA) == 0
    assert account.cash == 10_100


def test_tampered_cash_is_found():
    account = account_after((10, "100"))
    account.cash += Decimal("0.01")
    with pytest.raises(AssertionError, match="cash"):
        account.validate()


def test_tampered_position_is_found():
    account = account_after((10, "100"))
    account.positions[AAA].quantity += 1
    with pytest.raises(AssertionError, match="positions"):
        account.validate()


def test_repeated_trade_id_is_found():
    account = account_after((10, "100"))
    account.apply_fill(fill(0, 10, "100"))
    with pytest.raises(AssertionError, match="trade id"):
        account.validate()


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 99_999)),
        min_size=1,
        max_size=30,
    )
)
def test_average_and_profit_equal_exact_fractions(trades):
    """Against the text-book rule on average prices, in fractions."""
    account = account_after(*((quantity, f"{cents / 100:.2f}") for quantity, cents in trades))
    held, average, profit = 0, Fraction(0), Fraction(0)
    for quantity, cents in trades:
        price = Fraction(cents, 100)
        if held * quantity >= 0:
            average = (held * average + quantity * price) / (held + quantity)
        else:
            closed = min(abs(quantity), abs(held)) * (1 if held > 0 else -1)
            profit += closed * (price - average)
            if abs(quantity) > abs(held):
                average = price
        held += quantity
    assert account.quantity(AAA) == held
    assert abs(Fraction(account.realized_pnl) - profit) < Fraction(1, 10**15)
    if held:
        assert abs(Fraction(account.avg_px(AAA)) - average) < Fraction(1, 10**15)
    value = Fraction(account.cash) + held * Fraction(account.avg_px(AAA))
    assert abs(value - 10_000 - profit) < Fraction(1, 10**15)

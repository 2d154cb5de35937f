"""Cash and positions of an account against a naive computation in fractions."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.account import Account
from trading.events import OrderFilled
from trading.values import OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def fill(trade_id, side, quantity, price, commission="0", strategy="a", instrument="AAPL.XNAS"):
    return OrderFilled(
        client_order_id="c",
        strategy_id=strategy,
        instrument_id=instrument,
        venue_order_id="v",
        trade_id=trade_id,
        side=side,
        last_qty=Decimal(quantity),
        last_px=Decimal(price),
        commission=Decimal(commission),
    )


def test_cash_pays_for_buys_sells_and_commissions():
    account = Account(Decimal(1000))
    account.apply_fill(fill("1", BUY, "3", "100.01", "0.35"))
    assert account.cash == Decimal("699.62")
    assert account.apply_fill(fill("2", SELL, "3", "101.01", "0.35")) == 3
    assert account.cash == Decimal("1002.30")
    assert account.equity({}) == account.cash


def test_a_repeated_fill_is_ignored():
    account = Account(Decimal(1000))
    account.apply_fill(fill("1", BUY, "3", "100"))
    assert account.apply_fill(fill("1", BUY, "3", "100")) == 0
    assert (account.cash, account.position("AAPL.XNAS").quantity) == (700, 3)
    assert account.has_fill("1")


def test_strategies_are_kept_apart_and_the_account_nets():
    account = Account(Decimal(1000))
    account.apply_fill(fill("1", BUY, "5", "10", strategy="a"))
    account.apply_fill(fill("2", SELL, "5", "12", strategy="b"))
    assert account.position("AAPL.XNAS").is_flat
    assert account.strategy_position("a", "AAPL.XNAS").quantity == 5
    assert account.strategy_position("b", "AAPL.XNAS").quantity == -5
    assert account.exposure({"AAPL.XNAS": Decimal(11)}) == (0, 0)
    account.validate()


def test_a_position_without_a_price_counts_at_cost():
    account = Account(Decimal(1000))
    account.apply_fill(fill("1", BUY, "3", "100"))
    account.apply_fill(fill("2", SELL, "2", "50", instrument="KO.XNYS"))
    assert account.equity({}) == 1000
    assert account.equity({"AAPL.XNAS": Decimal(110)}) == 1030
    assert account.exposure({"KO.XNYS": Decimal(40)}) == (380, 220)


def test_an_unknown_position_is_flat_and_leaves_no_trace():
    account = Account(Decimal(1))
    assert account.position("X.Y").is_flat
    assert account.strategy_position("a", "X.Y").is_flat
    assert (account.positions(), account.strategy_positions()) == ({}, {})


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from([BUY, SELL]),
            st.decimals("0.001", "1000", places=3),
            st.decimals("0.01", "900", places=2),
            st.decimals("-0.5", "2", places=4),
            st.sampled_from("ab"),
            st.sampled_from(["AAPL.XNAS", "KO.XNYS"]),
        ),
        max_size=40,
    ),
    st.decimals("0.01", "900", places=2),
)
def test_cash_positions_and_equity_are_what_a_naive_sum_says(rows, price):
    account = Account(Decimal("12345.67"))
    cash = Fraction("12345.67")
    held = defaultdict(Fraction)
    by_strategy = defaultdict(Fraction)
    seen = set()
    for number, side, quantity, at, commission, strategy, instrument in rows:
        account.apply_fill(fill(str(number), side, quantity, at, commission, strategy, instrument))
        if number in seen:
            continue
        seen.add(number)
        signed = side.sign * Fraction(quantity)
        cash -= signed * Fraction(at) + Fraction(commission)
        held[instrument] += signed
        by_strategy[strategy, instrument] += signed
    prices = dict.fromkeys(held, price)
    values = [quantity * Fraction(price) for quantity in held.values()]
    assert Fraction(account.cash) == cash
    assert {key: Fraction(p.quantity) for key, p in account.positions().items()} == held
    assert {k: Fraction(p.quantity) for k, p in account.strategy_positions().items()} == by_strategy
    assert Fraction(account.equity(prices)) == cash + sum(values)
    assert [Fraction(x) for x in account.exposure(prices)] == [sum(map(abs, values)), sum(values)]
    account.validate()

"""Accounts that were there before us, against a naive ledger: paid and margined, fees in units, moved cash."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.account import EXTERNAL, Account
from trading.events import AccountOpened, CashAdjusted, OrderFilled
from trading.fills import commission_value, moved_units
from trading.values import OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL
STOCK, COIN, FUTURE = "AAPL.XNAS", "BTC/USD.KRAKEN", "ESZ6.XCME"


def fill(number, side, quantity, price, instrument=STOCK, **fields):
    return OrderFilled(
        client_order_id="c",
        strategy_id=fields.pop("strategy", "a"),
        instrument_id=instrument,
        venue_order_id="v",
        trade_id=f"t{number}",
        side=side,
        last_qty=Decimal(quantity),
        last_px=Decimal(price),
        commission=Decimal(fields.pop("commission", "0")),
        **{name: Decimal(value) for name, value in fields.items() if name == "commission_qty"},
        is_margined=instrument == FUTURE,
    )


def opened(cash, *positions, margined=()):
    return AccountOpened(
        account_id="A",
        cash=Decimal(cash),
        positions=tuple((key, Decimal(units), Decimal(price)) for key, units, price in positions),
        margined=margined,
    )


def test_units_that_the_venue_keeps_are_not_in_the_position_and_are_a_cost():
    account = Account(Decimal(1000))
    account.apply(fill(1, BUY, "2", "100", COIN, commission_qty="0.01"))
    position = account.position(COIN)

    assert (account.cash, position.quantity) == (800, Decimal("1.99"))
    assert (position.avg_px, position.realized_pnl, position.commissions) == (100, 0, 1)
    assert account.equity({COIN: Decimal(100)}) == 999
    account.validate()


def test_units_kept_of_a_sale_leave_the_position_too():
    account = Account(Decimal(0))
    account.apply(opened("0", (COIN, "5", "100")))
    account.apply(fill(1, SELL, "2", "110", COIN, commission_qty="0.5"))
    position = account.position(COIN)

    assert (account.cash, position.quantity) == (220, Decimal("2.5"))
    assert (position.realized_pnl, position.commissions) == (25, 55)
    account.validate()


def test_a_margined_instrument_moves_cash_by_what_it_realises():
    account = Account(Decimal(1000))
    account.apply(fill(1, BUY, "50", "4000", FUTURE, commission="2"))
    assert (account.cash, account.equity({FUTURE: Decimal(4001)})) == (998, 1048)
    assert account.exposure({FUTURE: Decimal(4001)}) == (200_050, 200_050)
    assert account.equity({}) == 998

    realized = account.apply(fill(2, SELL, "30", "4010", FUTURE, commission="2"))

    assert (realized, account.cash) == (300, 1296)
    assert account.equity({FUTURE: Decimal(4010)}) == 1496
    account.validate()


def test_an_account_begins_with_what_it_held():
    account = Account(Decimal(77))
    account.apply(opened("500", (STOCK, "10", "20"), (FUTURE, "-2", "100"), margined=(FUTURE,)))

    assert (account.cash, account.capital) == (500, 700)
    assert account.strategy_position(EXTERNAL, STOCK).quantity == 10
    assert account.equity({STOCK: Decimal(21), FUTURE: Decimal(90)}) == 500 + 210 + 20
    assert account.apply(fill(1, SELL, "10", "25", strategy=EXTERNAL)) == 50
    assert account.cash == 750
    account.validate()


def test_moved_cash_is_capital_and_no_profit():
    account = Account(Decimal(100))
    account.apply(CashAdjusted(account_id="A", amount=Decimal("-1.5"), reason="fee"))

    assert (account.cash, account.capital, account.adjusted) == (
        Decimal("98.5"),
        Decimal("98.5"),
        Decimal("-1.5"),
    )
    assert account.realized_pnl() == account.commissions() == 0
    account.validate()


def test_an_account_with_positions_cannot_be_opened():
    account = Account(Decimal(100))
    account.apply(fill(1, BUY, "1", "1"))
    with pytest.raises(AssertionError):
        account.apply(opened("5"))


prices = st.decimals("0.01", "5000", places=2)
quantities = st.decimals("0.001", "50", places=3)
trades = st.tuples(
    st.sampled_from([STOCK, COIN, FUTURE]),
    st.sampled_from([BUY, SELL]),
    quantities,
    prices,
    st.decimals("-1", "1", places=4),
    st.decimals("-0.01", "0.4", places=4),
    st.sampled_from(["a", "b", EXTERNAL]),
)
steps = st.lists(trades | st.decimals("-500", "500", places=2), max_size=30)
beginnings = st.none() | st.tuples(
    st.decimals("-1000", "100000", places=2),
    st.dictionaries(
        st.sampled_from([STOCK, COIN, FUTURE]),
        st.tuples(st.decimals("-20", "20", places=3).filter(bool), prices),
    ),
)


class Naive:
    """Money as a list of flows, positions as a list of trades, in fractions."""

    def __init__(self, cash):
        self.paid_in = Fraction(cash)
        self.flows = []
        self.trades = defaultdict(list)

    def open(self, cash, held):
        self.paid_in = Fraction(cash)
        for key, (units, price) in held.items():
            self.trades[key].append((Fraction(units), Fraction(price)))
            if key != FUTURE:
                self.paid_in += Fraction(units) * Fraction(price)
                self.flows.append(-Fraction(units) * Fraction(price))

    def trade(self, key, side, quantity, price, commission, kept):
        signed = side.sign * Fraction(quantity)
        if key == FUTURE:
            self.trades[key].append((signed, Fraction(price)))
            self.flows.append(-Fraction(commission))
            return
        self.trades[key].append((signed - Fraction(kept), Fraction(price)))
        self.flows.append(-signed * Fraction(price) - Fraction(commission))

    def held(self, key):
        return sum((units for units, _ in self.trades[key]), Fraction(0))

    def equity(self, marks):
        """Everything paid in, every flow, and what is held at market; of futures the profit of each trade."""
        total = self.paid_in + sum(self.flows)
        for key, price in marks.items():
            if key == FUTURE:
                total += sum(units * (price - at) for units, at in self.trades[key])
            else:
                total += self.held(key) * price
        return total


@settings(deadline=None, max_examples=200)
@given(beginnings, steps, prices, prices, prices)
def test_no_unit_and_no_money_appears_or_vanishes(beginning, steps, stock, coin, future):
    account, naive = Account(Decimal(1000)), Naive(Decimal(1000))
    if beginning is not None:
        cash, held = beginning
        positions = [(key, units, price) for key, (units, price) in held.items()]
        account.apply(opened(cash, *positions, margined=(FUTURE,)))
        naive.open(cash, held)
    for number, step in enumerate(steps):
        if isinstance(step, Decimal):
            account.apply(CashAdjusted(account_id="A", amount=step, reason="moved"))
            naive.paid_in += Fraction(step)
            continue
        key, side, quantity, price, commission, kept, strategy = step
        kept = kept if key == COIN else Decimal(0)
        one = fill(
            number,
            side,
            quantity,
            price,
            key,
            commission=commission,
            commission_qty=kept,
            strategy=strategy,
        )
        account.apply(one)
        account.apply(one)
        naive.trade(key, side, quantity, price, commission, kept)
        account.validate()
    marks = {STOCK: stock, COIN: coin, FUTURE: future}
    for key in marks:
        assert Fraction(account.position(key).quantity) == naive.held(key)
    exact = naive.equity({key: Fraction(price) for key, price in marks.items()})
    assert Fraction(account.equity(marks)) == exact
    assert Fraction(account.capital) == naive.paid_in
    profit = Fraction(account.realized_pnl()) - Fraction(account.commissions())
    for key, price in marks.items():
        profit += Fraction(account.position(key).unrealized_pnl(price))
    assert Fraction(account.capital) + profit == exact


@given(st.sampled_from([BUY, SELL]), quantities, prices, st.decimals("0", "1", places=4))
@settings(deadline=None, max_examples=100)
def test_what_a_fill_moves_and_costs(side, quantity, price, kept):
    one = fill(1, side, quantity, price, COIN, commission="0.5", commission_qty=kept)
    assert moved_units(one) == side.sign * quantity - kept
    assert commission_value(one) == Decimal("0.5") + kept * price

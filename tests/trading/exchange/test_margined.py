"""A margined instrument at the venue: the price is not paid, and both sides count the same cash."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.account import Account
from trading.events import OrderFilled
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.instruments import Instrument
from trading.reconciliation import fill_facts

FUTURE = Instrument(instrument_id="AAA.XNAS", is_margined=True)


def test_profit_and_commission_alone_move_the_cash(open_desk):
    desk = open_desk(instruments=(FUTURE,), fees=Fees(per_share=Decimal("0.01")))
    desk.market(100.0)
    desk.submit("1", "BUY", 10, "101")
    assert desk.exchange.cash("A") == Decimal("999999.90")
    assert desk.told()[-1].is_margined
    desk.market(110.0)
    desk.submit("2", "SELL", 10, "105")

    (bought,), (sold,) = desk.fills("1"), desk.fills("2")
    profit = 10 * (Decimal(sold[2]) - Decimal(bought[2]))
    assert desk.exchange.cash("A") == 1_000_000 + profit - Decimal("0.20")


def test_an_unrealised_loss_takes_buying_power(open_desk):
    desk = open_desk(
        instruments=(FUTURE,),
        accounts={"A": Decimal(2_000)},
        buying_power=BuyingPower(max_leverage=Decimal(2)),
    )
    desk.market(100.0)
    desk.submit("1", "BUY", 30, "101")
    desk.market(50.0)

    assert desk.submit("2", "BUY", 1, "51").code == "INSUFFICIENT_CASH"
    assert desk.submit("3", "SELL", 30, "49").venue_order_id


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 90), st.integers(9_800, 10_200)),
        min_size=1,
        max_size=25,
    )
)
def test_our_account_and_the_venues_are_equal_after_every_fill(new_desk, trades):
    desk = new_desk(
        instruments=(FUTURE,), fees=Fees(taker_bps=Decimal("1.7"), increment=Decimal("1e-8"))
    )
    account = Account(Decimal(1_000_000))
    for number, (side, quantity, cents) in enumerate(trades):
        desk.market(cents / 100)
        desk.submit(str(number), side, quantity)
        for report in desk.exchange.fills("A"):
            facts = fill_facts(None, report, 1)
            account.apply_fill(next(fact for fact in facts if isinstance(fact, OrderFilled)))
        account.validate()
        desk.exchange.validate()
        assert account.cash == desk.exchange.cash("A")
        assert account.position("AAA.XNAS").quantity == desk.exchange.positions("A").get(
            "AAA.XNAS", 0
        )

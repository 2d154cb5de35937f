"""The ledger: money to the cent, one mark per slice, measures that can be checked by hand."""

from decimal import Decimal
from fractions import Fraction
from math import isclose, sqrt
from statistics import fmean, stdev

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.codec import decode, encode
from trading.commands import SubmitOrder
from trading.curve import Curve
from trading.data import Bar, BarSlice, BookTop
from trading.effects import Append
from trading.events import (
    AccountOpened,
    AccountReconciled,
    CashAdjusted,
    EquityMarked,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)
from trading.instruments import Instrument
from trading.ledger import Ledger, LedgerConfig
from trading.outcomes import JournalRecovered, JournalUnavailable, LinkUp
from trading.values import OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL
AAPL, KO = "AAPL.XNAS", "KO.XNYS"
DAY = 86_400 * 10**9
CONFIG = LedgerConfig(
    venue="paper",
    account_id="DEMO",
    initial_cash=Decimal(1000),
    instruments=(Instrument(instrument_id=AAPL), Instrument(instrument_id=KO)),
    capital={"trend": Decimal(600), "pairs": Decimal(400)},
)


class Books:
    """A ledger with its two streams."""

    def __init__(self):
        self.ledger = Ledger(CONFIG)
        self.account, self.own = [], []

    def tell(self, *events):
        for event in events:
            self.account.append(event)
            assert self.ledger.handle(event, 1) == []
        self.ledger.validate()
        return self

    def trade(self, key, side, quantity, price, strategy="trend", instrument=AAPL, commission=0):
        return self.tell(
            submitted(key, side, quantity, strategy, instrument),
            fill(key, f"t{key}", side, quantity, price, strategy, instrument, commission),
        )

    def mark(self, sequence, **prices):
        bars = tuple(bar({"aapl": AAPL, "ko": KO}[name], price) for name, price in prices.items())
        effects = self.ledger.handle(
            BarSlice(sequence=sequence, ts_event=sequence * DAY, bars=bars), 5
        )
        self.own += [decode(encode(effect.event)) for effect in effects]
        return effects

    def restarted(self):
        ledger = Ledger(CONFIG)
        for event in (*self.own, *self.account):
            ledger.apply(event)
        return ledger

    @property
    def view(self):
        return self.ledger.view()


def about(key, strategy="trend", instrument=AAPL):
    return {"client_order_id": key, "strategy_id": strategy, "instrument_id": instrument}


def submitted(key, side=BUY, quantity=10, strategy="trend", instrument=AAPL):
    order = SubmitOrder(
        **about(key, strategy, instrument),
        account_id="DEMO",
        side=side,
        quantity=Decimal(quantity),
    )
    return OrderSubmitted(**about(key, strategy, instrument), order=order, epoch=1)


def fill(key, trade_id, side, quantity, price, strategy="trend", instrument=AAPL, commission=0):
    return OrderFilled(
        **about(key, strategy, instrument),
        venue_order_id="v",
        trade_id=trade_id,
        side=side,
        last_qty=Decimal(quantity),
        last_px=Decimal(price),
        commission=Decimal(commission),
    )


def bar(instrument, price):
    return Bar(instrument_id=instrument, open=price, high=price, low=price, close=price)


def top(instrument, bid, ask):
    return BookTop(
        instrument_id=instrument,
        bid_px=bid,
        ask_px=ask,
        bid_size=1.0,
        ask_size=1.0,
        microprice=bid,
        imbalance=0.0,
    )


def test_its_names_follow_from_venue_and_account():
    ledger = Ledger(CONFIG)
    assert (ledger.name, ledger.stream) == ("ledger:DEMO", "ledger:DEMO")
    assert (ledger.follows, ledger.subscribes) == (("account:paper:DEMO",), ("book.paper.",))


def test_money_follows_the_fills_and_the_prices():
    books = Books().trade("1", BUY, 10, "20", commission="0.35")
    books.trade("2", SELL, 4, "22", commission="0.35")
    books.mark(1, aapl=21.0)
    view = books.view
    assert view["cash"] == Decimal("887.30")
    assert view["equity"] == Decimal("1013.30")
    assert (view["realized_pnl"], view["unrealized_pnl"]) == (8, 6)
    assert (view["gross"], view["net"], view["commissions"]) == (126, 126, Decimal("0.70"))
    (position,) = view["positions"]
    assert position["instrument_id"] == AAPL
    assert (position["quantity"], position["avg_px"], position["last_px"]) == (6, 20, 21)


def test_a_repeated_fill_counts_once():
    books = Books().trade("1", BUY, 10, "20")
    books.tell(books.account[-1])
    assert (books.view["cash"], len(books.view["recent_fills"])) == (800, 1)


def test_a_slice_is_marked_once_with_what_the_account_is_worth():
    books = Books().trade("1", BUY, 10, "20").trade("2", SELL, 5, "40", "pairs", KO)
    (effect,) = books.mark(3, aapl=21.0, ko=39.0)
    assert isinstance(effect, Append)
    assert effect.event == EquityMarked(
        ts_event=3 * DAY,
        ts_init=5,
        account_id="DEMO",
        sequence=3,
        equity=Decimal(1015),
        cash=Decimal(1000),
        gross=Decimal(405),
        net=Decimal(15),
        capital=Decimal(1000),
        by_strategy=(
            ("trend", Decimal(10), Decimal(210)),
            ("pairs", Decimal(5), Decimal(195)),
        ),
    )
    assert books.mark(3, aapl=99.0) == []
    assert books.mark(2, aapl=99.0) == []
    assert books.view["equity"] == 1015


def test_a_mark_survives_a_restart_and_is_not_repeated():
    books = Books().trade("1", BUY, 10, "20")
    books.mark(1, aapl=21.0)
    again = books.restarted()
    assert again.state_hash() == books.ledger.state_hash()
    assert again.handle(BarSlice(sequence=1, bars=(bar(AAPL, 22.0),)), 9) == []
    assert again.view()["equity"] == 1000, "at cost until the first price"


@pytest.mark.parametrize("price", [float("nan"), float("inf"), 0.0, -1.0, 1e-9])
def test_a_price_that_makes_no_sense_is_counted_and_dropped(price):
    books = Books().trade("1", BUY, 10, "20")
    books.mark(1, aapl=21.0)
    books.mark(2, aapl=price)
    assert books.view["positions"][0]["last_px"] == 21
    assert books.view["bad_prices"] == 1


@pytest.mark.parametrize("side", [float("nan"), 0.0, -1.0, float("inf")])
def test_a_book_with_a_side_that_makes_no_sense_is_counted_and_dropped(side):
    books = Books().trade("1", BUY, 10, "20")
    for bid, ask in ((side, 22.0), (20.0, side), (22.0, 21.0)):
        books.ledger.handle(top(AAPL, bid, ask), 1)
    assert books.view["positions"][0]["last_px"] is None
    assert books.view["bad_prices"] == 3


def test_an_unknown_instrument_is_counted_and_dropped():
    books = Books()
    books.ledger.handle(top("WHO.XNAS", 1.0, 2.0), 1)
    assert books.view["bad_prices"] == 1


def test_a_book_top_values_at_its_middle():
    books = Books().trade("1", BUY, 10, "20")
    books.ledger.handle(top(AAPL, 20.98, 21.02), 1)
    assert books.view["equity"] == 1010


def test_without_a_journal_nothing_is_marked():
    books = Books()
    books.ledger.handle(JournalUnavailable(stream=books.ledger.stream, reason="full"), 1)
    assert books.mark(1, aapl=21.0) == []
    books.ledger.handle(JournalRecovered(stream=books.ledger.stream), 1)
    assert len(books.mark(2, aapl=21.0)) == 1


def test_orders_are_counted_by_how_they_end():
    books = Books().trade("1", BUY, 10, "20")
    books.tell(
        submitted("2"),
        OrderAccepted(**about("2"), venue_order_id="v"),
        OrderCanceled(**about("2")),
        submitted("3"),
        OrderRejected(**about("3"), code="FUNDS", reason="too poor"),
        OrderDenied(**about("4"), code="KILL_SWITCH", reason="latched"),
        submitted("5"),
        submitted("6", strategy="EXTERNAL"),
        AccountReconciled(account_id="DEMO", cash=Decimal(0), order_count=0, fill_count=0),
    )
    assert books.view["orders"] == {
        "submitted": 4,
        "filled": 1,
        "canceled": 1,
        "expired": 0,
        "rejected": 1,
        "denied": {"KILL_SWITCH": 1},
        "open": 2,
    }
    assert [row["client_order_id"] for row in books.view["recent_orders"]] == list("654321")


def test_trades_are_orders_with_fills():
    books = Books().tell(submitted("1"), submitted("2"))
    books.tell(fill("1", "a", BUY, 4, "20"), fill("1", "b", BUY, 6, "20"))
    assert books.view["strategies"]["trend"]["trades"] == 1


def test_only_the_newest_orders_and_fills_are_shown():
    books = Books()
    for number in range(60):
        books.trade(str(number), BUY if number % 2 else SELL, 1, "20")
    assert len(books.view["recent_fills"]) == len(books.view["recent_orders"]) == 50
    assert books.view["recent_fills"][0]["trade_id"] == "t59"


def test_each_strategy_is_measured_against_its_capital():
    books = Books().trade("1", BUY, 10, "20").trade("2", BUY, 1, "40", "pairs", KO)
    for day, price in enumerate([21.0, 19.0, 24.0], start=1):
        books.mark(day, aapl=price, ko=40.0)
    strategies = books.view["strategies"]
    trend = strategies["trend"]
    assert (trend["profit"], trend["exposure"]) == (40, 240)
    assert isclose(trend["return"], 40 / 600)
    assert isclose(trend["max_drawdown"], 20 / 610)
    returns = [610 / 600 - 1, 590 / 610 - 1, 640 / 590 - 1]
    assert isclose(trend["sharpe"], sqrt(252) * fmean(returns) / stdev(returns))
    assert (strategies["pairs"]["profit"], strategies["pairs"]["sharpe"]) == (0, None)


def test_a_strategy_without_capital_shows_a_profit_and_no_return():
    books = Books().trade("1", BUY, 10, "20", "EXTERNAL")
    books.mark(1, aapl=21.0)
    external = books.view["strategies"]["EXTERNAL"]
    assert (external["profit"], external["return"], external["sharpe"]) == (10, 0.0, None)


def test_the_drawdown_is_measured_from_the_peak():
    books = Books().trade("1", BUY, 10, "20")
    books.mark(1, aapl=40.0)
    books.mark(2, aapl=10.0)
    books.ledger.handle(top(AAPL, 25.0, 25.0), 1)
    assert isclose(books.view["max_drawdown"], 300 / 1200)
    assert isclose(books.view["drawdown"], 150 / 1200)


def test_a_day_counts_with_its_last_value():
    curve, once = Curve(Decimal(100)), Curve(Decimal(100))
    for ts_event, value in [(1, 105), (2, 102), (DAY, 104), (DAY + 5, 99), (2 * DAY, 101)]:
        curve.add(ts_event, Decimal(value))
    for day, value in enumerate([102, 99, 101]):
        once.add(day * DAY, Decimal(value))
    assert curve.sharpe() == once.sharpe()
    assert isclose(curve.max_drawdown, 6 / 105)


@pytest.mark.parametrize("values", [[], [101], [101, -5, 7], [100, 100, 100]])
def test_a_curve_that_says_nothing_has_no_sharpe_ratio(values):
    curve = Curve(Decimal(100))
    for day, value in enumerate(values):
        curve.add(day * DAY, Decimal(value))
    assert curve.sharpe() is None


def test_links_and_other_messages_are_none_of_its_business():
    assert Ledger(CONFIG).handle(LinkUp(peer="broker:paper:DEMO"), 1) == []


def test_the_view_is_made_of_plain_values():
    books = Books().trade("1", BUY, 10, "20")
    books.mark(1, aapl=21.0)
    assert msgspec.json.encode(books.view)


trades = st.lists(
    st.tuples(
        st.sampled_from([BUY, SELL]),
        st.integers(1, 30),
        st.decimals("1", "99", places=2),
        st.sampled_from(["trend", "pairs", "KILL"]),
        st.sampled_from([AAPL, KO]),
        st.decimals("0", "1", places=3),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=80)
@given(trades, st.decimals("1", "99", places=2), st.decimals("1", "99", places=2))
def test_equity_equals_the_naive_sum_and_what_the_strategies_earned(trades, aapl, ko):
    books = Books()
    cash, held = Fraction(1000), {AAPL: 0, KO: 0}
    for number, (side, quantity, price, strategy, instrument, commission) in enumerate(trades):
        books.trade(str(number), side, quantity, price, strategy, instrument, commission)
        cash -= side.sign * quantity * Fraction(price) + Fraction(commission)
        held[instrument] += side.sign * quantity
    (effect,) = books.mark(1, aapl=float(aapl), ko=float(ko))
    worth = cash + held[AAPL] * Fraction(aapl) + held[KO] * Fraction(ko)
    assert Fraction(effect.event.equity) == worth
    assert Fraction(effect.event.cash) == cash
    profits = [Fraction(profit) for _, profit, _ in effect.event.by_strategy]
    assert 1000 + sum(profits) == worth
    assert books.restarted().state_hash() == books.ledger.state_hash()


def opened(cash, *positions):
    return AccountOpened(
        account_id="DEMO",
        cash=Decimal(cash),
        positions=tuple((key, Decimal(units), Decimal(price)) for key, units, price in positions),
    )


def test_it_begins_with_what_the_account_held():
    books = Books().tell(opened("500", (AAPL, 10, "20")))
    books.mark(1, aapl=30.0)
    view = books.view
    assert (view["cash"], view["equity"], view["initial"]) == (500, 800, 700)
    assert view["strategies"]["EXTERNAL"]["profit"] == 100
    assert (view["drawdown"], view["max_drawdown"]) == (0, 0)


def test_cash_that_was_moved_is_nobodys_profit_and_no_drawdown():
    books = Books().trade("1", BUY, 10, "20")
    books.mark(1, aapl=20.0)
    books.tell(CashAdjusted(account_id="DEMO", amount=Decimal(-500), reason="moved"))
    books.mark(2, aapl=20.0)
    view = books.view
    assert (view["equity"], view["initial"]) == (500, 500)
    assert view["max_drawdown"] == 0
    assert {name: one["profit"] for name, one in view["strategies"].items()} == {
        "trend": 0,
        "pairs": 0,
    }
    assert books.restarted().state_hash() == books.ledger.state_hash()


def test_a_margined_position_counts_with_its_profit():
    books = Books()
    books.tell(submitted("1"), margined_fill("1", BUY, 10, "20"))
    books.mark(1, aapl=21.0)
    view = books.view
    assert (view["cash"], view["equity"], view["gross"]) == (1000, 1010, 210)
    assert books.own[-1].equity == 1010


def margined_fill(key, side, quantity, price):
    return msgspec.structs.replace(fill(key, f"t{key}", side, quantity, price), is_margined=True)

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import SubmitOrder
from trading.execution import CLOSE, OPEN, Occasion, PlannerConfig, plan, quantity_for
from trading.identifiers import AccountId, InstrumentId, StrategyId, derive_client_order_id
from trading.instruments import Instrument
from trading.values import AssetClass, OrderSide, OrderType, TimeInForce

A, B, C = (InstrumentId(f"{name}.XNAS") for name in "ABC")
INSTRUMENTS = {name: Instrument(instrument_id=name) for name in (A, B, C)}
CONFIG = PlannerConfig(
    account_id=AccountId("DEMO"),
    strategy_id=StrategyId("s"),
    capital=Decimal(10_000),
    band=Decimal("0.01"),
)
OCCASION = Occasion(
    ts_event=100, ts_signal=90, correlation_id="feed:paper/7", causation_id="strategy:s/7", now=200
)
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def planned(
    weights: Mapping[InstrumentId, float],
    held: Mapping[InstrumentId, object] | None = None,
    prices: Mapping[InstrumentId, float] | None = None,
    instruments: Mapping[InstrumentId, Instrument] = INSTRUMENTS,
) -> list[SubmitOrder]:
    units = {name: Decimal(str(quantity)) for name, quantity in (held or {}).items()}
    prices = dict.fromkeys(weights, 50.0) if prices is None else prices
    return plan(weights, units, prices, instruments, CONFIG, OCCASION)


def brief(orders: list[SubmitOrder]) -> list[tuple[str, str, int, bool]]:
    return [(o.instrument_id[0], o.side.value, int(o.quantity), o.reduce_only) for o in orders]


@pytest.mark.parametrize(
    ("weight", "held", "expected"),
    [
        (0.5, 0, [("A", "BUY", 100, False)]),
        (-0.5, 0, [("A", "SELL", 100, False)]),
        (0.5, 40, [("A", "BUY", 60, False)]),
        (0.5, 130, [("A", "SELL", 30, True)]),
        (-0.5, -130, [("A", "BUY", 30, True)]),
        (0.0, 130, [("A", "SELL", 130, True)]),
        (0.0, 0, []),
        (0.5, 100, []),
        (0.5, -40, [("A", "BUY", 40, True), ("A", "BUY", 100, False)]),
        (-0.5, 40, [("A", "SELL", 40, True), ("A", "SELL", 100, False)]),
        (0.00499, 0, []),
    ],
)
def test_target_against_holding(
    weight: float, held: int, expected: list[tuple[str, str, int, bool]]
) -> None:
    assert brief(planned({A: weight}, {A: held})) == expected


def test_quantity_is_rounded_down_to_whole_lots() -> None:
    hundreds = {A: Instrument(instrument_id=A, lot_size=Decimal(100))}
    orders = planned({A: 0.999}, prices={A: 33.0}, instruments=hundreds)
    assert [order.quantity for order in orders] == [300]


def test_opening_below_the_smallest_quantity_is_left_out() -> None:
    coarse = {A: Instrument(instrument_id=A, min_quantity=Decimal(10))}
    assert planned({A: 0.045}, instruments=coarse) == []
    assert [o.quantity for o in planned({A: 0.05}, instruments=coarse)] == [10]


def test_change_within_the_band_is_left_alone_unless_it_closes() -> None:
    assert planned({A: 0.5}, {A: 99}) == []
    assert brief(planned({A: 0.5}, {A: 98})) == [("A", "BUY", 2, False)]
    assert brief(planned({A: 0.0}, {A: 1})) == [("A", "SELL", 1, True)]


def test_reductions_come_first_then_openings_each_by_instrument() -> None:
    orders = planned({C: 0.1, B: -0.1, A: 0.1}, {C: 100, B: 60, A: 0})
    assert brief(orders) == [
        ("B", "SELL", 60, True),
        ("C", "SELL", 80, True),
        ("A", "BUY", 20, False),
        ("B", "SELL", 20, False),
    ]


def test_instrument_without_a_price_is_left_alone() -> None:
    assert brief(planned({A: 0.1, B: 0.1}, prices={B: 50.0})) == [("B", "BUY", 20, False)]


def test_order_carries_where_it_comes_from() -> None:
    (order,) = planned({A: 0.1})
    assert order == SubmitOrder(
        client_order_id=derive_client_order_id(
            CONFIG.account_id, CONFIG.strategy_id, A, 100, "target", OPEN
        ),
        account_id=CONFIG.account_id,
        strategy_id=CONFIG.strategy_id,
        instrument_id=A,
        side=BUY,
        quantity=Decimal(20),
        order_type=OrderType.MARKET,
        purpose="target",
        ts_event=100,
        ts_init=200,
        ts_signal=90,
        expires_at=200 + CONFIG.order_ttl_ns,
        correlation_id="feed:paper/7",
        causation_id="strategy:s/7",
        arrival_px=Decimal("50.0"),
    )


def test_half_done_change_of_side_derives_the_same_id_for_what_is_left() -> None:
    way_out, opening = planned({A: -0.5}, {A: 40})
    (again,) = planned({A: -0.5}, {A: 0})
    assert again.client_order_id == opening.client_order_id != way_out.client_order_id
    assert way_out.client_order_id == derive_client_order_id(
        CONFIG.account_id, CONFIG.strategy_id, A, 100, "target", CLOSE
    )


weights = st.floats(-1.0, 1.0, allow_nan=False).map(lambda w: 0.0 if abs(w) < 1e-4 else w)
prices = st.integers(100, 200_000).map(lambda ticks: ticks / 100)
units = st.integers(-500, 500)


@settings(deadline=None, max_examples=300)
@given(
    book=st.dictionaries(st.sampled_from([A, B, C]), st.tuples(weights, prices, units), min_size=1)
)
def test_orders_lead_towards_the_target_and_never_beyond(
    book: dict[InstrumentId, tuple[float, float, int]],
) -> None:
    targets = {name: weight for name, (weight, _, _) in book.items()}
    held = {name: units for name, (_, _, units) in book.items()}
    orders = planned(targets, held, {name: price for name, (_, price, _) in book.items()})
    assert len({order.client_order_id for order in orders}) == len(orders)
    assert orders == planned(targets, held, {n: p for n, (_, p, _) in reversed(book.items())})
    assert [o.reduce_only for o in orders] == sorted((o.reduce_only for o in orders), reverse=True)
    after = {name: Decimal(quantity) for name, quantity in held.items()}
    for order in orders:
        name = order.instrument_id
        before = after[name]
        assert order.quantity > 0
        assert order.quantity == order.quantity.to_integral_value()
        after[name] += order.side.sign * order.quantity
        if order.reduce_only:
            assert abs(after[name]) < abs(before)
            assert after[name] * before >= 0
        else:
            assert abs(after[name]) > abs(before)
    for name, (weight, price, quantity) in book.items():
        limit = Decimal(repr(abs(weight))) * CONFIG.capital
        traded = after[name] != quantity
        if traded:
            assert abs(after[name]) * Decimal(repr(price)) <= limit
            assert after[name] * Decimal(repr(weight)) >= 0
        if weight == 0:
            assert after[name] == 0


def test_plan_made_twice_is_equal_to_the_byte() -> None:
    first, second = (planned({A: -0.5, B: 0.3}, {A: 40}) for _ in range(2))
    assert msgspec.msgpack.encode(first) == msgspec.msgpack.encode(second)


@settings(deadline=None, max_examples=200)
@given(
    weight=weights,
    price=prices,
    lots_held=st.integers(-300, 300),
    lot=st.sampled_from([Decimal(s) for s in ("0.001", "0.1", "1", "10")]),
    least=st.sampled_from([0, 1, 5]),
)
def test_plan_lands_on_the_target_unless_the_way_is_shorter_than_the_band(
    weight: float, price: float, lots_held: int, lot: Decimal, least: int
) -> None:
    instrument = Instrument(instrument_id=A, lot_size=lot, min_quantity=lot * least)
    held = lots_held * lot
    orders = planned({A: weight}, {A: held}, {A: price}, {A: instrument})
    exact = Fraction(repr(abs(weight))) * Fraction(CONFIG.capital) / Fraction(repr(price))
    target = int(exact / Fraction(lot)) * lot * (1 if weight > 0 else -1)
    after = held + sum(order.side.sign * order.quantity for order in orders)
    assert all(order.quantity % lot == 0 for order in orders)
    assert all(order.quantity >= instrument.min_quantity for order in orders)
    way = abs(target - held)
    is_short = target != 0 and way * Decimal(repr(price)) < CONFIG.band * CONFIG.capital
    if is_short:
        assert orders == []
    else:
        assert abs(after - target) < max(instrument.min_quantity, lot)
    assert len({order.client_order_id for order in orders}) == len(orders)


@pytest.mark.parametrize("price", [0.004, 1e-9])
def test_price_below_half_a_tick_is_a_price_all_the_same(price: float) -> None:
    (order,) = planned({A: 0.0}, {A: 7}, {A: price})
    assert (order.side, order.quantity, order.reduce_only) == (SELL, 7, True)


COIN = Instrument(
    instrument_id=InstrumentId("BTC/USD.X"),
    asset_class=AssetClass.CRYPTO,
    lot_size=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(10),
)


def test_money_becomes_whole_lots() -> None:
    assert quantity_for(Decimal(100), 33.3, INSTRUMENTS[A]) == 3
    assert quantity_for(Decimal(100), Decimal(60_000), COIN) == Decimal("0.0016")


@pytest.mark.parametrize("notional", ["0", "0.01", "9.99"])
def test_money_that_is_too_little_is_no_order(notional: str) -> None:
    assert quantity_for(Decimal(notional), 100.0, COIN) == 0


@pytest.mark.parametrize(
    ("notional", "price"), [("1", 0.0), ("1", -1.0), ("1", float("nan")), ("NaN", 1.0)]
)
def test_money_without_a_price_is_an_error(notional: str, price: float) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity_for(Decimal(notional), price, COIN)


@settings(deadline=None, max_examples=200)
@given(
    st.decimals("0", "1000000", places=2),
    st.decimals("0.01", "100000", places=2),
    st.sampled_from([COIN, INSTRUMENTS[A]]),
)
def test_no_more_than_the_money_is_spent(
    notional: Decimal, price: Decimal, instrument: Instrument
) -> None:
    units = quantity_for(notional, price, instrument)
    assert units % instrument.lot_size == 0
    assert units * price <= notional
    assert units == 0 or units * price >= instrument.min_notional
    if notional >= price * instrument.lot_size + instrument.min_notional:
        assert (units + instrument.lot_size) * price > notional


def test_what_trades_around_the_clock_is_ordered_until_canceled() -> None:
    (stock,) = planned({A: 0.5})
    (coin,) = planned({COIN.instrument_id: 0.5}, instruments={COIN.instrument_id: COIN})
    assert (stock.time_in_force, coin.time_in_force) == (TimeInForce.DAY, TimeInForce.GTC)


def test_a_change_below_the_smallest_value_is_left_alone() -> None:
    name = InstrumentId("X.Y")
    large = Instrument(instrument_id=name, min_notional=Decimal(500))
    assert planned({name: 0.049}, instruments={name: large}) == []
    assert len(planned({name: 0.05}, instruments={name: large})) == 1

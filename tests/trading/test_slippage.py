"""The slippage report, to the cent."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.algorithms.facts import ChildPlanned, ExecutionStarted
from trading.algorithms.parameters import Bracket, ChildRole, Listing, Twap
from trading.commands import ExecuteOrder, SubmitOrder
from trading.events import Event, OrderFilled, OrderSubmitted
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.slippage import GroupBy, SlippageReport, quantile, slippage_report, summarize
from trading.values import NANOS_PER_SECOND, ZERO, OrderSide

D = Decimal
SECOND = NANOS_PER_SECOND
KEY = InstrumentId("A.X")
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def started(key: str, arrival: str | None, at: int = 0, algorithm: Any = None) -> ExecutionStarted:
    order = ExecuteOrder(
        client_order_id=ClientOrderId(key),
        strategy_id=StrategyId("s"),
        side=BUY,
        quantity=D(100),
        listings=(Listing(Venue("v"), AccountId("a"), KEY),),
        algorithm=algorithm or Twap(window_ns=10, slices=2),
    )
    return ExecutionStarted(
        ts_init=at,
        parent_order_id=order.client_order_id,
        order=order,
        arrival_px=None if arrival is None else D(arrival),
    )


def order(key: str, sent: str | None, side: OrderSide = BUY, **more: Any) -> SubmitOrder:
    fields: dict[str, Any] = {
        "client_order_id": ClientOrderId(key),
        "account_id": AccountId("a"),
        "strategy_id": StrategyId("s"),
        "instrument_id": KEY,
        "side": side,
        "quantity": D(100),
        "arrival_px": None if sent is None else D(sent),
    }
    return SubmitOrder(**{**fields, **more})


def planned(parent: str, child: SubmitOrder, role: ChildRole = ChildRole.PART) -> ChildPlanned:
    return ChildPlanned(
        parent_order_id=ClientOrderId(parent), order=child, venue=Venue("v"), role=role, step=0
    )


def trades(child: SubmitOrder, *fills: tuple[str, str], fee: str = "0", at: int = 0) -> list[Event]:
    """The order and its fills (quantity, price), as the account journals them."""
    about: dict[str, Any] = {
        "client_order_id": child.client_order_id,
        "strategy_id": child.strategy_id,
        "instrument_id": child.instrument_id,
    }
    events: list[Event] = [OrderSubmitted(**about, order=child, epoch=1)]
    for index, (quantity, price) in enumerate(fills):
        events.append(
            OrderFilled(
                **about,
                ts_init=at,
                venue_order_id=VenueOrderId("V"),
                trade_id=TradeId(f"{child.client_order_id}/{index}"),
                side=child.side,
                last_qty=D(quantity),
                last_px=D(price),
                commission=D(fee),
            )
        )
    return events


def report(executions: list[Event], **accounts: list[Event]) -> SlippageReport:
    return slippage_report(executions, [(Venue(name), events) for name, events in accounts.items()])


def test_shortfall_of_a_parent_splits_into_delay_and_spread() -> None:
    one, two = order("c1", "100"), order("c2", "101")
    executions = [started("p", "100", at=5 * SECOND), planned("p", one), planned("p", two)]
    events = trades(one, ("10", "100.1"), fee="0.5", at=7 * SECOND) + trades(two, ("10", "101.2"))
    (row,) = report(executions, v=events).rows
    assert (row.order_id, row.algorithm, row.filled_qty) == ("p", "twap", D(20))
    assert row.avg_px == D("100.65")
    assert row.shortfall == D(13)
    assert (row.delay_cost, row.spread_cost, row.fees) == (D(10), D(3), D("0.5"))
    assert row.shortfall_bps == D(65)
    assert row.started_at == 5 * SECOND


def test_a_sale_below_arrival_is_a_cost_and_above_it_a_gain() -> None:
    bad, good = order("bad", "100", SELL), order("good", "100", SELL)
    rows = report([], v=trades(bad, ("10", "99")) + trades(good, ("10", "101"))).rows
    assert {row.order_id: row.shortfall for row in rows} == {"bad": D(10), "good": D(-10)}
    assert {row.algorithm for row in rows} == {"direct"}


def test_parts_at_two_venues_are_two_rows_of_one_order() -> None:
    east, west = order("c1", "100"), order("c2", "100")
    executions = [started("p", "100"), planned("p", east), planned("p", west)]
    found = report(
        executions,
        east=trades(east, ("10", "101")),
        west=trades(west, ("30", "100"), at=4 * SECOND),
    )
    (whole,) = summarize(found.rows, GroupBy.ALGORITHM)
    assert (whole.orders, whole.shortfall, whole.arrival_value) == (1, D(10), D(4000))
    assert whole.shortfall_bps == whole.median_bps == whole.worst_bps == D(25)
    by_venue = {group.name: group.shortfall_bps for group in summarize(found.rows, GroupBy.VENUE)}
    assert by_venue == {"east": D(100), "west": D(0)}


def test_exits_of_a_bracket_are_measured_by_themselves() -> None:
    entry, stop = order("c1", "100"), order("c2", "95", SELL)
    bracket = Bracket(take_profit_px=D(110), stop_loss_px=D(90))
    executions = [
        started("p", "100", algorithm=bracket),
        planned("p", entry),
        planned("p", stop, ChildRole.STOP_LOSS),
    ]
    rows = report(executions, v=trades(entry, ("1", "101")) + trades(stop, ("1", "90"))).rows
    assert {(row.order_id, row.side, row.algorithm, row.shortfall) for row in rows} == {
        ("p", BUY, "bracket", D(1)),
        ("c2", SELL, "bracket", D(5)),
    }


def test_without_an_arrival_price_an_order_is_counted_and_left_out() -> None:
    found = report(
        [started("p", None), planned("p", order("c1", "100"))],
        v=trades(order("c1", "100"), ("1", "1")) + trades(order("x", None), ("1", "1")),
    )
    assert (found.rows, found.unmeasured) == ((), 2)


def test_without_the_price_when_it_was_sent_the_shortfall_is_not_split() -> None:
    child = order("c1", None)
    (row,) = report([started("p", "100"), planned("p", child)], v=trades(child, ("1", "101"))).rows
    assert (row.shortfall, row.delay_cost, row.spread_cost) == (D(1), None, None)
    (group,) = summarize([row], GroupBy.STRATEGY)
    assert group.spread_cost is None


def test_fills_count_once_and_currencies_stay_apart() -> None:
    child = order("c1", "100")
    events = trades(child, ("1", "101"))
    (row,) = report([], v=events + events[1:]).rows
    assert row.filled_qty == D(1)
    other = trades(order("c2", "100"), ("1", "101"))
    import msgspec

    other[1] = msgspec.structs.replace(other[1], currency="EUR")
    groups = summarize(report([], v=events + other).rows, GroupBy.INSTRUMENT)
    assert [(group.name, group.currency) for group in groups] == [("A.X", "EUR"), ("A.X", "USD")]


def test_a_fee_in_units_is_worth_its_price() -> None:
    import msgspec

    events = trades(order("c1", "100"), ("1", "100"))
    events[1] = msgspec.structs.replace(events[1], commission_qty=D("0.001"))
    (row,) = report([], v=events).rows
    assert row.fees == D("0.1")


def test_delay_is_from_the_decision_to_the_first_fill() -> None:
    child = order("c1", "100", ts_signal=2 * SECOND, ts_init=3 * SECOND)
    (row,) = report([], v=trades(child, ("1", "100"), at=5 * SECOND)).rows
    assert row.delay_ns == 3 * SECOND
    (group,) = summarize([row], GroupBy.ALGORITHM)
    assert group.mean_delay_s == D(3)


def test_nothing_filled_is_an_empty_report() -> None:
    found = report([started("p", "1")], v=trades(order("c", "1")))
    assert (found.rows, found.unmeasured, summarize(found.rows, GroupBy.VENUE)) == ((), 0, ())


def test_quantiles_are_linear_between_neighbours() -> None:
    assert quantile([D(1)], D("0.9")) == D(1)
    assert quantile([D(0), D(10)], D("0.5")) == D(5)
    assert quantile([D(0), D(10), D(20)], D("0.9")) == D(18)
    assert quantile([D(0), D(10), D(20)], D(1)) == D(20)


prices = st.integers(1, 10_000).map(lambda cents: D(cents) / 100)


@settings(deadline=None, max_examples=60)
@given(
    data=st.lists(
        st.tuples(prices, prices, prices, st.integers(1, 50), st.sampled_from(OrderSide)),
        min_size=1,
        max_size=6,
    )
)
def test_parts_add_up_and_groups_add_up(
    data: list[tuple[Decimal, Decimal, Decimal, int, OrderSide]],
) -> None:
    events: list[Event] = []
    for index, (arrival, _, price, quantity, side) in enumerate(data):
        child = order(f"c{index}", str(arrival), side)
        events += trades(child, (str(quantity), str(price)))
    rows = report([], v=events).rows
    assert all(row.delay_cost == 0 and row.spread_cost == row.shortfall for row in rows)
    total = sum((row.shortfall for row in rows), ZERO)
    paid = sum((s.sign * q * (price - arrival) for arrival, _, price, q, s in data), ZERO)
    assert total == paid
    for by in GroupBy:
        groups = summarize(rows, by)
        assert sum((group.shortfall for group in groups), ZERO) == total
        assert sum(group.orders for group in groups) == len(data)
        assert all(group.median_bps <= group.p90_bps <= group.worst_bps for group in groups)

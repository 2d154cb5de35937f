"""Allocation keeps the contract of a strategy, and its weights are those of `construct`."""

from decimal import Decimal

import numpy as np
import pytest

from trading.allocation.assumptions import Assumptions
from trading.allocation.construction import construct
from trading.allocation.mandate import Mandate
from trading.commands import SubmitOrder
from trading.data import Bar, BarsHistory, BarSlice
from trading.effects import Send
from trading.identifiers import AccountId, InstrumentId, MachineName, StrategyId, Venue
from trading.instruments import Instrument
from trading.outcomes import LinkUp
from trading.strategies.allocation import CHOICES, Allocation
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.search_space import Span
from trading.strategies.strategy import Bars
from trading.values import OrderSide

STRATEGIES = [
    *(Allocation(method=method, lookback_bars=60, weight_max=0.4) for method in CHOICES),
    Allocation(method="minimum_variance", lookback_bars=40, weight_min=-0.3, budget=0.8),
    Allocation(method="risk_parity", lookback_bars=30, rebalance_months=2, weight_min=0.05),
]


def name_of(strategy: Allocation) -> str:
    return f"{strategy.method}-{strategy.lookback}"


@pytest.fixture(scope="module")
def two_years(bars: Bars) -> Bars:
    return bars.rows(len(bars) - 420, len(bars))


def month_start(bars: Bars) -> int:
    """The last row that begins a month."""
    months = bars.ts.astype("datetime64[ns]").astype("datetime64[M]")
    return int(np.flatnonzero(months[1:] != months[:-1])[-1]) + 1


def test_live_equals_batch_to_the_bit_at_every_bar(two_years: Bars) -> None:
    strategy = Allocation(lookback_bars=20, weight_max=0.5)
    bars = two_years.rows(0, 190)
    batch, lookback = strategy.targets(bars), strategy.lookback
    assert not batch[: lookback - 1].any()
    assert batch[lookback - 1 :].any(axis=1).all()
    for row in range(lookback - 1, len(bars)):
        live = strategy.targets(bars.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_every_method_is_causal_and_live_equals_batch(
    strategy: Allocation, two_years: Bars
) -> None:
    bars, lookback = two_years, strategy.lookback
    batch = strategy.targets(bars)
    assert not batch[: lookback - 1].any()
    assert batch[lookback:].any()
    assert np.abs(batch).sum(axis=1).max() <= 1.0 + 1e-12
    for row in (lookback - 1, *range(lookback, len(bars), 29), len(bars) - 1):
        live = strategy.targets(bars.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")
    now = 300
    close = bars.close.copy()
    close[now + 1 :] = close[now + 1 :][::-1] * 3.0
    changed = strategy.targets(Bars.of_closes(bars.ts, bars.instrument_ids, close))
    np.testing.assert_array_equal(changed[: now + 1], batch[: now + 1])


@pytest.mark.parametrize("method", CHOICES)
def test_weights_are_constructed_from_the_returns_before_the_month(
    method: str, two_years: Bars
) -> None:
    strategy = Allocation(method=method, lookback_bars=60, weight_max=0.4, risk_aversion=8.0)
    start = month_start(two_years)
    returns = two_years.close[1:] / two_years.close[:-1] - 1.0
    expected = construct(
        method,
        returns[start - 60 : start],
        two_years.instrument_ids,
        Mandate(weight_max=0.4),
        Assumptions(covariance="ledoit_wolf", risk_aversion=8.0),
    )
    weights = strategy.targets(two_years)
    np.testing.assert_array_equal(weights[start:], np.tile(expected, (len(two_years) - start, 1)))
    assert weights[-1].sum() == pytest.approx(1.0, abs=1e-12)


def test_weights_change_only_at_the_start_of_a_month(two_years: Bars) -> None:
    strategy = Allocation(lookback_bars=60)
    weights = strategy.targets(two_years)
    months = two_years.ts.astype("datetime64[ns]").astype("datetime64[M]")
    changed = np.flatnonzero((weights[1:] != weights[:-1]).any(axis=1)) + 1
    assert len(changed) > 5
    for row in changed.tolist():
        assert months[row] != months[row - 1] or row == strategy.lookback - 1


@pytest.mark.parametrize("method", CHOICES)
def test_instrument_without_price_or_movement_gets_nothing_and_disturbs_nobody(
    method: str, two_years: Bars
) -> None:
    strategy = Allocation(method=method, lookback_bars=40, weight_max=0.5)
    bars = two_years.rows(0, 150)
    close = np.column_stack([np.full(150, np.nan), bars.close, np.full(150, 10.0)])
    names = (InstrumentId("NONE.X"), *bars.instrument_ids, InstrumentId("STILL.X"))
    weights = strategy.targets(Bars.of_closes(bars.ts, names, close))
    assert not weights[:, [0, -1]].any()
    np.testing.assert_array_equal(weights[:, 1:-1], strategy.targets(bars))


def test_live_equals_batch_with_gaps_in_the_prices(two_years: Bars) -> None:
    strategy = Allocation(lookback_bars=30, weight_max=0.4)
    close = two_years.close[:200].copy()
    close[:90, 0] = np.nan  # listed late
    close[120, 2] = np.nan  # one price missing
    bars = Bars.of_closes(two_years.ts[:200], two_years.instrument_ids, close)
    batch = strategy.targets(bars)
    assert np.isfinite(batch).all()
    for row in range(strategy.lookback - 1, 200, 7):
        live = strategy.targets(bars.rows(row - strategy.lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row])


def test_too_few_instruments_shrink_the_budget_to_what_the_bounds_allow(two_years: Bars) -> None:
    bars = two_years.rows(0, 150)
    close = bars.close.copy()
    close[:, 2:] = np.nan
    two = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    weights = Allocation(lookback_bars=40, weight_min=0.2, weight_max=0.3).targets(two)[-1]
    np.testing.assert_allclose(weights, [0.3, 0.3, 0.0, 0.0, 0.0, 0.0], atol=1e-15)
    close[:] = np.nan
    none = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    assert not Allocation(lookback_bars=40).targets(none).any()


def test_too_many_instruments_lower_the_minimum_to_an_equal_share(two_years: Bars) -> None:
    weights = Allocation(lookback_bars=40, weight_min=0.25, weight_max=0.5).targets(two_years)[-1]
    np.testing.assert_allclose(weights, 1.0 / 6.0, atol=1e-12)


def test_short_weights_are_scaled_down_together(two_years: Bars) -> None:
    strategy = Allocation(method="mean_variance", lookback_bars=60, weight_min=-0.5, weight_max=0.5)
    weights = strategy.targets(two_years)[-1]
    assert weights.min() < 0.0
    assert np.abs(weights).sum() == pytest.approx(1.0, abs=1e-12)
    assert weights.sum() < 1.0


def test_too_little_history_gives_no_weights(two_years: Bars) -> None:
    strategy = Allocation(lookback_bars=60)
    for count in (0, 1, strategy.lookback - 1):
        weights = strategy.targets(two_years.rows(0, count))
        assert weights.shape == (count, 6)
        assert not weights.any()


def test_prices_are_only_read(two_years: Bars) -> None:
    close = two_years.close[:150].copy()
    close.flags.writeable = False
    strategy = Allocation(lookback_bars=40)
    strategy.targets(Bars.of_closes(two_years.ts[:150], two_years.instrument_ids, close))


def slice_of(bars: Bars, row: int) -> BarSlice:
    prices = zip(bars.instrument_ids, bars.close[row].tolist(), strict=True)
    made = tuple(
        Bar(instrument_id=name, open=close, high=close, low=close, close=close)
        for name, close in prices
    )
    return BarSlice(ts_event=int(bars.ts[row]), sequence=row + 1, bars=made)


def test_live_machine_sends_the_orders_of_the_weights_to_risk(two_years: Bars) -> None:
    strategy, names = Allocation(lookback_bars=40, weight_max=0.4), two_years.instrument_ids
    config = BarStrategyConfig(
        strategy_id=StrategyId("s"),
        venue=Venue("paper"),
        account_id=AccountId("DEMO"),
        capital=Decimal(1_000_000),
        instruments=tuple(Instrument(instrument_id=name) for name in names),
        history=MachineName("replay:prices"),
    )
    machine, last = BarStrategy(config, strategy), 200
    past = tuple(slice_of(two_years, row) for row in range(last))
    machine.handle(LinkUp(peer=MachineName("risk:DEMO")), 0)
    machine.handle(BarsHistory(sequence=last, slices=past), 0)
    effects = machine.handle(slice_of(two_years, last), 0)
    sent = [each.message for each in effects if isinstance(each, Send)]
    assert {each.to for each in effects if isinstance(each, Send)} == {"risk:DEMO"}
    weights = strategy.targets(two_years.rows(0, last + 1))[-1]
    expected = {
        name: int(1_000_000 * weight / price)
        for name, weight, price in zip(names, weights, two_years.close[last], strict=True)
    }
    orders = [each for each in sent if isinstance(each, SubmitOrder)]
    assert {each.instrument_id: each.quantity for each in orders} == expected
    assert all(each.side is OrderSide.BUY for each in orders)


def test_search_names_parameters_whose_bounds_are_accepted() -> None:
    for name, where in Allocation.SEARCH.items():
        values = (where.low, where.high) if isinstance(where, Span) else where.values
        for value in values:
            assert getattr(Allocation(**{name: value}), name) == value  # type: ignore[arg-type]
    assert Allocation.RISK_LEVEL == "low"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "black_litterman"}, "method must be one of mean_variance"),
        ({"method": 3}, "method must be one of"),
        ({"lookback_bars": 19}, "lookback_bars must be a whole number from 20 to 2520, got 19"),
        ({"rebalance_months": 0}, "rebalance_months"),
        ({"weight_max": 0.0}, "weight_max"),
        ({"weight_min": -0.1}, "weight_min must be a number from 0.0"),
        ({"weight_min": 0.4}, "weight_min must be a number from 0.0 to 0.25"),
        ({"method": "minimum_cvar", "weight_min": -1.1}, "weight_min must be a number from -1.0"),
        ({"budget": 0.0}, "budget"),
        ({"risk_aversion": float("nan")}, "risk_aversion"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"Allocation: {message}"):
        Allocation(**changes)  # type: ignore[arg-type]

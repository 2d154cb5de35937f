import numpy as np
import pytest

from actors.feeds.sources import PriceTable
from trading.errors import DataError
from trading.identifiers import InstrumentId
from tune.risk.dependence import dependence_of
from tune.risk.portfolio import BARS_MIN, Portfolio, portfolio_of
from tune.risk.stress import broken_correlation, every_scenario, worst_way_to_lose

A, B, C = (InstrumentId(f"{name}.X") for name in "ABC")
DAY_NS = 86_400 * 10**9


def prices(rows: int = 100) -> PriceTable:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, 3)), axis=0))
    close[10, 1] = np.nan  # B did not trade on that day
    ts = DAY_NS * np.arange(1, rows + 1, dtype=np.int64)
    return PriceTable(ts, (A, B, C), close, close, close, close, np.zeros(close.shape))


def test_portfolio_has_units_prices_and_returns_of_what_is_held() -> None:
    table = prices()
    held = portfolio_of({B: -2.0, A: 3.0, C: 0.0}, 50.0, table)
    assert held.names == (A, B)
    np.testing.assert_array_equal(held.units, [3.0, -2.0])
    np.testing.assert_array_equal(held.prices, table.close[-1, :2])
    assert held.equity == pytest.approx(50 + 3 * held.prices[0] - 2 * held.prices[1])
    assert held.as_of == held.ts[-1] == table.ts[-1]
    # The day without a price of B is left out: one return leads over it.
    assert len(held.returns) == 98
    leap = table.close[11, :2] / table.close[9, :2] - 1
    np.testing.assert_allclose(held.returns[9], leap)


def test_history_ends_at_the_day_that_is_asked_for_and_is_cut_to_its_length() -> None:
    table = prices()
    held = portfolio_of({A: 1.0}, 0.0, table, as_of=int(table.ts[79]) + 5, bars=60)
    assert held.as_of == table.ts[79]
    assert held.prices[0] == table.close[79, 0]
    assert len(held.returns) == 60
    assert len(held.past_close) == 80


@pytest.mark.parametrize(
    ("units", "as_of", "words"),
    [
        ({}, None, "nothing is held"),
        ({A: 0.0}, None, "nothing is held"),
        ({InstrumentId("Z.X"): 1.0}, None, "the prices have no Z.X"),
        ({A: 1.0}, 5, "begin after that date"),
        ({A: 1.0}, DAY_NS * BARS_MIN, f"{BARS_MIN} are needed"),
        ({B: 1.0}, DAY_NS * 11, "B.X has no price at that time"),
    ],
)
def test_unfit_portfolio_is_told_in_one_sentence(
    units: dict[InstrumentId, float], as_of: int | None, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        portfolio_of(units, 0.0, prices(), as_of)


@pytest.fixture
def three() -> Portfolio:
    return portfolio_of({A: 3.0, B: -2.0, C: 5.0}, 0.0, prices(400))


def test_dependence_lists_like_beside_like(three: Portfolio) -> None:
    found = dependence_of(three, seed=1)
    assert found is not None
    assert sorted(found.names) == [A, B, C]
    assert sorted(name for group in found.groups for name in group) == [A, B, C]
    np.testing.assert_allclose(np.diag(found.correlation), 1.0)
    assert 1.0 <= found.bets <= 3.0
    assert dependence_of(portfolio_of({A: 1.0}, 0.0, prices()), 1) is None


def test_reverse_stress_and_broken_correlation_use_the_same_positions(three: Portfolio) -> None:
    found = worst_way_to_lose(three, 10.0)
    assert -(three.exposures @ found.moves) == pytest.approx(10.0)
    broken = broken_correlation(three)
    assert broken.deviation_after >= broken.deviation_before > 0


def test_scenarios_name_the_position_that_loses_most(three: Portfolio) -> None:
    for row in every_scenario(three, {"A": "Information Technology"}):
        assert row.worst in (A, B, C)
        assert row.worst_profit <= 0
        assert row.replayed is None, "these prices begin in 1970"

"""What a portfolio may lose."""

from pathlib import Path

import numpy as np
import pytest

from serve.desk.analysis.prices import prices_of
from serve.desk.analysis.risk import risk_analysis
from serve.desk.analysis.risk_answers import RiskAnalysis
from serve.desk.answers import Source
from serve.desk.front_desk import FrontDesk
from serve.desk.portfolio import portfolio_of
from tests.serve.analysis.desks import on_prices, simulated, walk, without_cluster
from trading.errors import ClusterUnreachable, DataError, NotFound, UsageError

HELD = [
    {"symbol": "AAPL", "quantity": 100, "entry_price": 100.0},
    {"symbol": "JPM", "value": 5_000},
    {"symbol": "XOM", "quantity": -20},
]


@pytest.fixture
def desk(tmp_path: Path) -> FrontDesk:
    return without_cluster(tmp_path)


def _value_at_risk(found: RiskAnalysis, method: str) -> float:
    return next(row.value_at_risk for row in found.estimates if row.method == method)


def test_value_at_risk_of_one_position_is_its_past(tmp_path: Path) -> None:
    close = walk(3, 501)
    found = risk_analysis(
        on_prices(tmp_path, {"A": close, "B": walk(4, 501)}), [{"symbol": "A", "quantity": 10}]
    )
    losses = np.sort(-(close[1:] / close[:-1] - 1.0) * 10 * close[-1])
    assert losses[474 - 2] <= _value_at_risk(found, "historical") <= losses[474 + 2]
    normal = 1.6448536 * losses.std(ddof=1) + losses.mean()
    assert _value_at_risk(found, "normal") == pytest.approx(normal, rel=5e-3)
    assert found.diversification_ratio == 1.0
    assert found.correlations is None
    assert found.portfolio.concentration_risk == 1.0
    wealth = close / close[0]
    fall = (1 - wealth / np.maximum.accumulate(wealth)).max()
    assert found.maximum_drawdown == pytest.approx(fall)


def test_components_add_up_and_hedges_are_negative(desk: FrontDesk) -> None:
    found = risk_analysis(desk, HELD)
    whole = sum(row.component_value_at_risk for row in found.positions)
    assert whole == pytest.approx(_value_at_risk(found, "historical"), rel=0.15)
    hedge = next(row for row in found.positions if row.symbol == "XOM")
    assert hedge.component_value_at_risk < 0
    assert found.portfolio.net_exposure == pytest.approx(sum(row.value for row in found.positions))
    assert sum(abs(row.weight) for row in found.positions) == pytest.approx(1.0)
    apple = next(row for row in found.positions if row.symbol == "AAPL")
    assert apple.unrealized_pnl == pytest.approx(100 * (apple.price - 100.0))


def test_tail_and_confidence_mean_the_same(desk: FrontDesk) -> None:
    tail, level = risk_analysis(desk, HELD, 0.05), risk_analysis(desk, HELD, 0.95)
    assert tail.estimates == level.estimates
    assert tail.confidence_level == level.confidence_level == 0.95
    assert "tail" in tail.confidence_read_as
    assert tail.confidence_read_as != level.confidence_read_as
    worse = risk_analysis(desk, HELD, 0.01)
    for before, after in zip(tail.estimates, worse.estimates, strict=True):
        assert after.value_at_risk > before.value_at_risk
        assert before.expected_shortfall >= before.value_at_risk


def test_a_longer_horizon_loses_more(desk: FrontDesk) -> None:
    day, fortnight = risk_analysis(desk, HELD), risk_analysis(desk, HELD, time_horizon=10)
    assert _value_at_risk(fortnight, "normal") > 2 * _value_at_risk(day, "normal")
    assert fortnight.horizon_days == 10


def test_the_same_seed_repeats_the_simulation(desk: FrontDesk) -> None:
    one, two = risk_analysis(desk, HELD), risk_analysis(desk, HELD)
    assert one == two
    assert one.monte_carlo is not None
    assert one.monte_carlo.levels[0].value_at_risk < one.monte_carlo.levels[1].value_at_risk
    simulated = _value_at_risk(one, "monte-carlo-student")
    assert simulated == pytest.approx(one.monte_carlo.levels[0].value_at_risk)
    without = risk_analysis(desk, HELD, use_monte_carlo=False)
    assert without.monte_carlo is None
    assert [row.method for row in without.estimates] == ["historical", "normal", "cornish-fisher"]


def test_twice_the_positions_lose_twice_as_much(desk: FrontDesk) -> None:
    one = risk_analysis(desk, [{"symbol": "AAPL", "quantity": 10}])
    two = risk_analysis(desk, [{"symbol": "AAPL", "quantity": 10}] * 2)
    assert two.positions[0].quantity == 20
    for before, after in zip(one.estimates, two.estimates, strict=True):
        assert after.value_at_risk == pytest.approx(2 * before.value_at_risk)
    assert [s.profit for s in two.stress_tests] == pytest.approx(
        [2 * s.profit for s in one.stress_tests]
    )


def test_beta_of_the_market_is_one(desk: FrontDesk) -> None:
    symbols = prices_of(desk).symbols
    found = risk_analysis(desk, [{"symbol": name, "value": 1_000} for name in symbols])
    assert found.portfolio_beta == pytest.approx(1.0, abs=1e-9)
    assert found.portfolio.effective_positions == pytest.approx(20.0)
    assert found.diversification_ratio is not None
    assert found.diversification_ratio > 1.0


def test_a_crisis_hurts_and_comes_first(desk: FrontDesk) -> None:
    found = risk_analysis(desk, [{"symbol": "BAC", "quantity": 100}])
    profits = [row.profit for row in found.stress_tests]
    assert profits == sorted(profits)
    crisis = next(row for row in found.stress_tests if row.scenario == "crisis_2008")
    assert crisis.profit < 0
    assert crisis.replayed_profit is not None
    assert crisis.replayed_profit < 0


def test_nothing_held_is_a_clear_answer(desk: FrontDesk) -> None:
    found = risk_analysis(desk, [])
    assert found.portfolio.positions_count == 0
    assert found.estimates == []
    assert found.portfolio_beta is None
    assert found.data is None
    assert "no risk" in found.notes[0]
    assert risk_analysis(desk, [{"symbol": "AAPL", "quantity": 0}]).positions == []


def test_the_clusters_portfolio_is_measured_and_moves_with_it(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    held = portfolio_of(trading.snapshot())
    found = risk_analysis(desk)
    assert found.source is Source.PAPER
    assert found.measured == "the cluster's portfolio"
    assert {row.symbol for row in found.positions} == {row.symbol for row in held.positions}
    equity = held.accounts[0].equity
    assert equity is not None
    assert found.portfolio.total_value == pytest.approx(float(equity))
    assert found.as_of == held.as_of
    assert found.data is not None
    assert found.data.last == held.as_of
    trading.advance(8)
    assert risk_analysis(desk) != found


def test_a_cluster_that_is_down_is_said_so(desk: FrontDesk) -> None:
    with pytest.raises(ClusterUnreachable):
        risk_analysis(desk)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"symbol": "AAPL"}, "quantity or value"),
        ({"symbol": "AAPL", "quantity": 1, "value": 2}, "quantity or value"),
        ({"symbol": "AAPL", "quantity": "many"}, "quantity"),
        ({"symbol": "AAPL", "quantity": float("nan")}, "finite"),
        ({"symbol": "AAPL", "quantity": 1, "colour": "red"}, "colour"),
        ({"quantity": 1}, "symbol"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(
    desk: FrontDesk, entry: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError, match=f"entry 2: .*{told}"):
        risk_analysis(desk, [{"symbol": "XOM", "quantity": 1}, entry])


def test_wrong_questions_are_refused(desk: FrontDesk, tmp_path: Path) -> None:
    for confidence in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="var_confidence"):
            risk_analysis(desk, HELD, confidence)
    with pytest.raises(UsageError, match="time_horizon"):
        risk_analysis(desk, HELD, time_horizon=0)
    with pytest.raises(NotFound, match="TSLA"):
        risk_analysis(desk, [{"symbol": "TSLA", "quantity": 1}])
    with pytest.raises(UsageError, match="200"):
        risk_analysis(desk, [{"symbol": "AAPL", "quantity": 1}] * 201)
    short = on_prices(tmp_path, {"A": walk(1, 30)})
    with pytest.raises(DataError, match="60 are needed"):
        risk_analysis(short, [{"symbol": "A", "quantity": 1}])

"""How much to stake."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.desk.analysis.kelly import kelly_criterion, kelly_of_strategies
from tests.serve.analysis.desks import without_cluster
from trading.errors import NotFound, UsageError


def test_a_fair_coin_that_pays_three_to_one(tmp_path: Path) -> None:
    found = kelly_criterion(0.5, 3.0, 1_000.0)
    assert found.kelly_fraction == pytest.approx(0.25)
    assert found.full.amount == pytest.approx(250.0)
    assert found.half.amount == pytest.approx(125.0)
    assert found.chosen.amount == pytest.approx(62.5)
    assert found.edge == pytest.approx(0.5)
    growth = 0.5 * math.log(1 + 2 * 0.25) + 0.5 * math.log(1 - 0.25)
    assert found.full.growth_per_bet == pytest.approx(growth)
    assert found.full.expected_profit == pytest.approx(125.0)


def test_a_bad_bet_is_not_made() -> None:
    found = kelly_criterion(0.4, 2.0, 1_000.0)
    assert not found.is_favourable
    assert found.full.amount == found.chosen.amount == 0.0
    assert found.chosen.loss_probability == {"0.1": 0.0, "0.25": 0.0, "0.5": 0.0, "0.9": 0.0}
    assert "No bet" in found.recommendation


@settings(deadline=None)
@given(
    p=st.floats(0.05, 0.95),
    odds=st.floats(1.05, 20.0),
    fraction=st.floats(0.05, 1.0),
    confidence=st.floats(0.0, 1.0),
)
def test_no_stake_grows_faster_or_risks_less(
    p: float, odds: float, fraction: float, confidence: float
) -> None:
    found = kelly_criterion(p, odds, 100.0, fraction, confidence)
    assert 0.0 <= found.chosen.fraction <= found.full.fraction + 1e-12
    assert found.full.growth_per_bet is not None
    for other in (found.half, found.chosen):
        assert other.growth_per_bet is not None
        assert other.growth_per_bet <= found.full.growth_per_bet + 1e-12
    for depth, risk in found.half.loss_probability.items():
        assert 0.0 <= risk <= found.full.loss_probability[depth] + 1e-9
    if p * odds <= 1.0:
        assert found.full.fraction == pytest.approx(0.0, abs=1e-9)


def test_no_confidence_stakes_nothing() -> None:
    assert kelly_criterion(0.6, 2.0, 100.0, 1.0, 0.0).chosen.amount == pytest.approx(0.0)
    assert kelly_criterion(0.6, 2.0, 100.0, 1.0, 0.5).chosen.amount == pytest.approx(10.0)


@pytest.mark.parametrize(
    "wrong",
    [(0.0, 2.0, 1.0), (1.0, 2.0, 1.0), (0.5, 1.0, 1.0), (0.5, math.inf, 1.0), (0.5, 2.0, 0.0)],
)
def test_numbers_out_of_range_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError):
        kelly_criterion(*wrong)
    with pytest.raises(UsageError, match="fraction"):
        kelly_criterion(0.5, 2.0, 1.0, 0.0)
    with pytest.raises(UsageError, match="confidence"):
        kelly_criterion(0.5, 2.0, 1.0, 0.5, 2.0)


def test_strategies_share_the_capital_by_their_backtests(tmp_path: Path) -> None:
    desk = without_cluster(tmp_path)
    found = kelly_of_strategies(desk, ["momentum_trader", "mean_reversion", "momentum"])
    assert [row.strategy for row in found.strategies] == ["momentum", "mean_reversion"]
    assert sum(row.weight for row in found.strategies) + found.cash == pytest.approx(1.0)
    assert all(row.weight >= 0 for row in found.strategies)
    assert found.data.bars == 1260
    less = kelly_of_strategies(desk, ["momentum", "mean_reversion"], fraction=0.25)
    assert less.cash > found.cash
    with pytest.raises(NotFound):
        kelly_of_strategies(desk, ["astrology"])
    with pytest.raises(UsageError):
        kelly_of_strategies(desk, ["momentum"], bars=1)

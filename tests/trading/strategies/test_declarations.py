"""What strategies say about themselves: where they may be searched, and how risky they are."""

from typing import Any

import pytest

from trading.strategies.allocation import Allocation
from trading.strategies.enhanced_momentum import EnhancedMomentum
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.neural_arbitrage import NeuralArbitrage
from trading.strategies.pairs import Pairs
from trading.strategies.search_space import Span

CLASSES: list[Any] = [Allocation, EnhancedMomentum, MeanReversion, Momentum, NeuralArbitrage, Pairs]


@pytest.mark.parametrize("kind", CLASSES)
def test_search_names_parameters_and_its_bounds_are_accepted(kind: Any) -> None:
    for name, where in kind.SEARCH.items():
        assert name in kind.__struct_fields__
        values = (where.low, where.high) if isinstance(where, Span) else where.values
        for value in values:
            assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize("kind", CLASSES)
def test_defaults_lie_in_the_search(kind: Any) -> None:
    for name, where in kind.SEARCH.items():
        default = getattr(kind(), name)
        if isinstance(where, Span):
            assert where.low <= default <= where.high
        else:
            assert default in where.values


@pytest.mark.parametrize("kind", CLASSES)
def test_risk_level_is_named(kind: Any) -> None:
    assert kind.RISK_LEVEL in {"low", "medium", "high"}


def test_momentum_may_be_swept_over_formation_and_skip() -> None:
    assert {"formation_bars", "skip_bars"} <= set(Momentum.SEARCH)

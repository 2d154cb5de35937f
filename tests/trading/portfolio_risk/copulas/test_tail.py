import numpy as np
import pytest

from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.clayton import Clayton
from trading.portfolio_risk.copulas.pair import PairCopula
from trading.portfolio_risk.copulas.tail import tail_concentration

NAMES = ("AAPL", "KO")


def test_shares_are_counted_by_hand():
    uniforms = np.array([[0.1, 0.2], [0.15, 0.9], [0.5, 0.1], [0.95, 0.85]])
    lower, upper = tail_concentration(uniforms, NAMES, 0.2)
    assert lower.tolist() == [[1.0, 0.5], [0.5, 1.0]]
    assert upper[0, 1] == pytest.approx(1.0 / 1.5)


def test_draws_show_the_distribution_at_the_level():
    copula = PairCopula(Clayton(2.0), NAMES)
    found = tail_concentration(copula.sample(100_000, np.random.default_rng(1)), NAMES, 0.02)
    expected = copula.cdf(np.array([[0.02, 0.02]]))[0] / 0.02
    assert found.lower[0, 1] == pytest.approx(expected, abs=0.03)
    assert found.lower[0, 1] == pytest.approx(copula.tail_dependence().lower[0, 1], abs=0.03)
    assert found.upper[0, 1] < 0.1


def test_an_empty_tail_is_not_a_number():
    lower, _ = tail_concentration(np.full((3, 2), 0.5), NAMES, 0.1)
    assert np.isnan(lower).all()


def test_wrong_use_is_refused():
    for level in (0.0, 0.6, float("nan")):
        with pytest.raises(UsageError, match="must be between 0 and 0"):
            tail_concentration(np.full((3, 2), 0.5), NAMES, level)
    with pytest.raises(DataError, match="KO: value 0 is 1"):
        tail_concentration(np.array([[0.5, 1.0]]), NAMES, 0.1)

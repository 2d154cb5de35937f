import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.portfolio_risk.correlation.effective_number import effective_bets, participation_ratio


def letters(count: int) -> tuple[str, ...]:
    return tuple(f"A{number}" for number in range(count))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 12))
def test_participation_is_that_of_the_eigenvalues(seed: int, size: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(size, 20))
    correlation = np.atleast_2d(np.corrcoef(rows))
    values = np.linalg.eigvalsh(correlation)
    found = participation_ratio(correlation, letters(size))
    assert found == pytest.approx(values.sum() ** 2 / (values**2).sum())
    assert 1.0 - 1e-9 <= found <= size + 1e-9


def test_independent_assets_count_each_and_copies_count_once() -> None:
    assert participation_ratio(np.eye(5), letters(5)) == 5.0
    assert participation_ratio(np.ones((5, 5)), letters(5)) == 1.0
    assert participation_ratio(np.kron(np.eye(3), np.ones((2, 2))), letters(6)) == 3.0


def test_bets_by_hand() -> None:
    """Two risks of 1 with correlation 0.5: (1 + 1)^2 / (1 + 1 + 2 x 0.5); long against short: 4 / 1."""
    covariance = np.array([[1.0, 0.5], [0.5, 1.0]])
    names = ("A", "B")
    assert effective_bets(covariance, np.array([1.0, 1.0]), names) == pytest.approx(4 / 3)
    assert effective_bets(covariance, np.array([1.0, -1.0]), names) == pytest.approx(4.0)
    assert effective_bets(covariance, np.array([7.0, 0.0]), names) == pytest.approx(1.0)


def test_equal_independent_risks_count_each() -> None:
    deviation = np.array([0.01, 0.02, 0.05, 0.1])
    found = effective_bets(np.diag(deviation**2), 1000.0 / deviation, letters(4))
    assert found == pytest.approx(4.0)


def test_unfit_input_is_refused() -> None:
    with pytest.raises(DataError, match="nothing is held"):
        effective_bets(np.eye(2), np.zeros(2), ("A", "B"))
    with pytest.raises(DataError, match="B: the exposure is nan"):
        effective_bets(np.eye(2), np.array([1.0, np.nan]), ("A", "B"))
    with pytest.raises(DataError, match="singular"):
        effective_bets(np.ones((2, 2)), np.ones(2), ("A", "B"))
    with pytest.raises(DataError, match="diagonal"):
        participation_ratio(np.eye(2) * 3.0, ("A", "B"))

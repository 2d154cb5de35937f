import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.nearest import nearest_correlation
from trading.portfolio_risk.correlation.patchy import patchy_correlation

NAMES = ("A", "B", "C")


def patchy_returns(seed: int, bars: int = 400, assets: int = 6) -> FloatArray:
    rng = np.random.default_rng(seed)
    returns = 0.01 * (rng.normal(size=(bars, 1)) + rng.normal(size=(bars, assets)))
    return np.where(rng.random((bars, assets)) < 0.3, np.nan, returns)


def broken(seed: int, size: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.uniform(-1.0, 1.0, (size, size)), 1)
    return matrix + matrix.T + np.eye(size)


def test_published_example() -> None:
    """Higham (2002), section 4: off-diagonal 0.7607 and 0.1573, distance 0.5278."""
    matrix = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    found = nearest_correlation(matrix, NAMES)
    assert found[0, 1] == pytest.approx(0.7607, abs=5e-5)
    assert found[1, 2] == pytest.approx(0.7607, abs=5e-5)
    assert found[0, 2] == pytest.approx(0.1573, abs=5e-5)
    assert np.linalg.norm(found - matrix) == pytest.approx(0.5278, abs=5e-5)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 8))
def test_repair_is_a_correlation_and_no_other_is_nearer(seed: int, size: int) -> None:
    matrix = broken(seed, size)
    found = nearest_correlation(matrix, tuple(map(str, range(size))))
    assert np.linalg.eigvalsh(found)[0] >= -1e-12
    assert (np.diag(found) == 1.0).all()
    distance = np.linalg.norm(found - matrix)
    rng = np.random.default_rng(seed)
    for near in (0.0, 0.9, 0.999):
        other = np.corrcoef(rng.normal(size=(size, size + 2)))
        assert np.linalg.norm(near * found + (1 - near) * other - matrix) >= distance - 1e-7


def test_valid_correlation_comes_back_as_it_is() -> None:
    matrix = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]])
    assert (nearest_correlation(matrix, NAMES) == matrix).all()


def test_patchy_is_pandas_where_that_is_a_correlation() -> None:
    returns = patchy_returns(0)
    found = patchy_correlation(returns, tuple("ABCDEF"), overlap_min=60)
    assert found == pytest.approx(pd.DataFrame(returns).corr().to_numpy(), abs=1e-12)


def test_pieces_that_contradict_each_other_are_repaired() -> None:
    """A follows B in one stretch, B follows C in another, and A runs against C in a third."""
    rng = np.random.default_rng(0)
    returns = np.full((300, 3), np.nan)
    for start, (first, second), sign in ((0, (0, 1), 1), (100, (1, 2), 1), (200, (0, 2), -1)):
        part = 0.01 * rng.normal(size=100)
        returns[start : start + 100, first] = part
        returns[start : start + 100, second] = sign * part + 0.001 * rng.normal(size=100)
    pairs = pd.DataFrame(returns).corr().to_numpy()
    assert np.linalg.eigvalsh(pairs)[0] < -0.5
    found = patchy_correlation(returns, NAMES)
    assert np.linalg.eigvalsh(found)[0] >= -1e-12
    assert found == pytest.approx(nearest_correlation(pairs, NAMES), abs=1e-8)
    assert found[0, 1] > 0.3
    assert found[0, 2] < -0.3


def test_unfit_matrices_are_refused() -> None:
    good = np.eye(3)
    for matrix, message in (
        (np.eye(2), "shape"),
        (np.where(good == 1, np.nan, 0), "finite"),
        (good + np.triu(np.full((3, 3), 0.1), 1), "not symmetric"),
        (good * 2.0, "diagonal"),
        (np.where(good == 1, 1.0, -1.5), r"correlation of A and B is -1\.5"),
    ):
        with pytest.raises(DataError, match=message):
            nearest_correlation(matrix, NAMES)


def test_unfit_histories_are_refused() -> None:
    returns = patchy_returns(1, assets=3)
    apart, absent, still, broken_return = (returns.copy() for _ in range(4))
    apart[:250, 0] = np.nan
    apart[250:, 2] = np.nan
    absent[:, 1] = np.nan
    still[:, 2] = 0.0
    broken_return[5, 0] = -np.inf
    for history, message in (
        (apart, "A and C have 0 returns in common, at least 60"),
        (absent, "B have 0 returns in common"),
        (still, "C does not move"),
        (broken_return, "A: return 5 is -inf"),
        (returns[:, :2], "shape"),
    ):
        with pytest.raises(DataError, match=message):
            patchy_correlation(history, NAMES)
    with pytest.raises(UsageError, match="overlap_min is 1"):
        patchy_correlation(returns, NAMES, overlap_min=1)

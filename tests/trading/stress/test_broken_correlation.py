import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.stress.broken_correlation import (
    correlation_breakdown,
    worst_correlation,
)

NAMES = ("A", "B")
COVARIANCE = np.array([[4e-4, 0.0], [0.0, 1e-4]])


def test_when_correlation_goes_to_one_deviations_add_up_by_hand() -> None:
    found = correlation_breakdown(np.array([100.0, 200.0]), COVARIANCE, NAMES)
    assert found.deviation_before == pytest.approx(math.sqrt(8.0))
    assert found.deviation_after == pytest.approx(4.0)
    assert found.multiple == pytest.approx(math.sqrt(2.0))


def test_when_strength_is_half_correlation_is_half_way() -> None:
    found = correlation_breakdown(np.array([100.0, 200.0]), COVARIANCE, NAMES, strength=0.5)
    assert found.deviation_after == pytest.approx(math.sqrt(4 + 4 + 2 * 0.5 * 4))


def test_when_portfolio_is_hedged_the_worst_correlation_adds_all_deviations() -> None:
    exposures = np.array([100.0, -200.0])
    to_one = correlation_breakdown(exposures, COVARIANCE, NAMES)
    worst = correlation_breakdown(
        exposures, COVARIANCE, NAMES, crisis=worst_correlation(exposures), volatility_multiple=3.0
    )
    assert to_one.deviation_after == pytest.approx(0.0, abs=1e-9)
    assert worst.deviation_after == pytest.approx(12.0)


def test_when_there_was_no_risk_the_multiple_is_infinite() -> None:
    assert correlation_breakdown(np.zeros(2), COVARIANCE, NAMES).multiple == math.inf


def test_when_crisis_matrix_contradicts_itself_the_nearest_of_higham_is_used() -> None:
    wanted = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    found = correlation_breakdown(np.ones(3), np.eye(3), ("A", "B", "C"), crisis=wanted)
    expected = [[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]]
    assert found.covariance == pytest.approx(np.array(expected), abs=5e-5)
    assert np.linalg.eigvalsh(found.covariance)[0] >= -1e-12


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.floats(0.0, 1.0))
def test_when_any_matrix_is_blended_it_stays_a_covariance(
    seed: int, size: int, strength: float
) -> None:
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(size, size))
    covariance = mixed @ mixed.T + 0.01 * np.eye(size)
    crisis = np.tril(generator.uniform(-1.0, 1.0, (size, size)), -1)
    crisis = crisis + crisis.T + np.eye(size)
    names = tuple("ABCDEF"[:size])
    exposures = generator.normal(size=size)
    found = correlation_breakdown(exposures, covariance, names, strength, crisis)
    largest = float(np.abs(exposures) @ np.sqrt(np.diag(covariance)))
    assert np.linalg.eigvalsh(found.covariance)[0] >= -1e-9 * np.trace(covariance)
    assert np.diag(found.covariance) == pytest.approx(np.diag(covariance))
    assert found.deviation_after <= largest * (1 + 1e-9)
    worst = correlation_breakdown(exposures, covariance, names, crisis=worst_correlation(exposures))
    assert worst.deviation_after == pytest.approx(largest)


@pytest.mark.parametrize(
    ("crisis", "message"),
    [
        (np.ones((3, 3)), "have shape"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "not between -1 and 1"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "not between -1 and 1"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), "symmetric"),
        (np.array([[0.9, 0.5], [0.5, 1.0]]), "1 on the diagonal"),
    ],
)
def test_when_crisis_matrix_is_none_error_says_why(crisis: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        correlation_breakdown(np.ones(2), COVARIANCE, NAMES, crisis=crisis)


def test_when_settings_are_out_of_range_error_says_so() -> None:
    with pytest.raises(UsageError, match=r"strength is 1\.5"):
        correlation_breakdown(np.ones(2), COVARIANCE, NAMES, strength=1.5)
    with pytest.raises(UsageError, match="volatility multiple is nan"):
        correlation_breakdown(np.ones(2), COVARIANCE, NAMES, volatility_multiple=math.nan)
    with pytest.raises(DataError, match="B does not move"):
        correlation_breakdown(np.ones(2), np.diag([1.0, 0.0]), NAMES)
    with pytest.raises(DataError, match=r"finite matrix of shape \(2, 2\)"):
        correlation_breakdown(np.ones(2), np.eye(3), NAMES)

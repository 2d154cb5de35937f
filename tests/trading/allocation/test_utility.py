import numpy as np
import pytest

from trading.allocation.utility import utility_gain
from trading.errors import UsageError

COVARIANCE = np.array([[4e-4, 1e-4], [1e-4, 1e-4]])
MEAN = np.array([1e-3, 2e-4])


def test_gain_is_that_by_hand() -> None:
    held, target = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    before = 1e-3 - 2.0 * 4e-4
    after = 0.6e-3 - 2.0 * (0.25 * 4e-4 + 0.5 * 1e-4 + 0.25 * 1e-4)
    gain = utility_gain(held, target, MEAN, COVARIANCE, 4.0, 21)
    assert gain == pytest.approx(21 * (after - before), rel=1e-12)


def test_best_weights_gain_over_all_others() -> None:
    best = np.linalg.solve(3.0 * COVARIANCE, MEAN)
    for held in np.random.default_rng(2).normal(0.0, 2.0, (50, 2)):
        assert utility_gain(held, best, MEAN, COVARIANCE, 3.0, 5) > 0.0
    assert utility_gain(best, best, MEAN, COVARIANCE, 3.0, 5) == 0.0


@pytest.mark.parametrize(
    ("aversion", "bars", "message"),
    [(1.0, 0, "1 bar away"), (-1.0, 1, "0 or more, got -1.0"), (np.nan, 1, "got nan")],
)
def test_unusable_question_is_refused(aversion: float, bars: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        utility_gain(np.ones(2), np.ones(2), MEAN, COVARIANCE, aversion, bars)

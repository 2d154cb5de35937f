import numpy as np
import pytest

from trading.strategies.rolling_hedge import rolling_hedge


def linked(seed: int = 0, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(seed)
    x = noise.normal(0, 0.01, count).cumsum() + 3.0
    return 0.5 + 1.5 * x + noise.normal(0, 0.004, count), x


def test_every_row_is_the_regression_of_its_window() -> None:
    y, x = linked()
    result = rolling_hedge(y, x, 60)
    assert result.beta.shape == result.score.shape == (141,)
    for row in range(59, 200, 7):
        window = slice(row - 59, row + 1)
        slope, intercept = np.polyfit(x[window], y[window], 1)
        residual = y[window] - intercept - slope * x[window]
        assert result.beta[row - 59] == pytest.approx(slope, rel=1e-8)
        assert result.score[row - 59] == pytest.approx(residual[-1] / residual.std(), rel=1e-6)


@pytest.mark.parametrize("window", [30, 31, 130])
def test_row_is_the_same_to_the_bit_whatever_stands_around_it(window: int) -> None:
    y, x = linked(1)
    whole = rolling_hedge(y, x, window)
    for row in range(window - 1, 200):
        alone = rolling_hedge(y[row - window + 1 : row + 1], x[row - window + 1 : row + 1], window)
        assert alone.beta[0] == whole.beta[row - window + 1]
        assert alone.score[0] == whole.score[row - window + 1]


def test_unknown_price_makes_its_windows_unknown() -> None:
    y, x = linked(2)
    x[100] = np.nan
    unknown = np.isnan(rolling_hedge(y, x, 60).score)
    assert np.flatnonzero(unknown).tolist() == list(range(41, 101))


def test_flat_leg_has_no_ratio() -> None:
    y, _ = linked(3)
    assert np.isnan(rolling_hedge(y, np.full(200, 2.0), 60).beta).all()


def test_spread_that_does_not_move_has_no_score() -> None:
    _, x = linked(4)
    assert np.isnan(rolling_hedge(x, x, 60).score).all()

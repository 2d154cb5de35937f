import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from trading.errors import DataError
from trading.forecasting.conformal import Calibration, calibrate, calibrated
from trading.forecasting.prediction import COVERAGES, LEVELS, Prediction

NORMAL = norm.ppf(LEVELS)
STEPS = 3


def drawn(
    windows: int, rng: np.random.Generator, width: float = 1.0
) -> tuple[Prediction, np.ndarray]:
    """Windows of very different deviation; quantiles `width` times as wide as the truth."""
    scale = rng.uniform(0.002, 0.08, windows)
    reach = scale[:, None] * np.sqrt(np.arange(1, STEPS + 1))
    quantiles = reach[..., None] * NORMAL * width
    return Prediction(quantiles, scale), reach * rng.standard_normal((windows, STEPS))


def coverage(prediction: Prediction, outcomes: np.ndarray) -> list[float]:
    q = prediction.log_returns
    return [
        float(np.mean((q[..., 3 - i] <= outcomes) & (outcomes <= q[..., 5 + i]))) for i in range(4)
    ]


@pytest.mark.parametrize("width", [0.0, 0.05, 0.5, 1.0, 2.0, 20.0])
def test_model_of_any_width_covers_what_it_says(width: float) -> None:
    """3 standard errors of two samples, and 1/n more than the promise."""
    rng = np.random.default_rng(11)
    calibration = calibrate(*drawn(4_000, rng, width))
    prediction, outcomes = drawn(8_000, rng, width)
    found = coverage(calibrated(prediction, calibration), outcomes)
    for expected, share in zip(COVERAGES, found, strict=True):
        luck = 3.0 * math.sqrt(expected * (1 - expected) * (1 / 4_000 + 1 / 8_000))
        assert expected - luck <= share <= expected + luck + 1 / 4_000


# A statistical bound is judged on the same draws in every run, else bad luck fails one of thousands.
@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(20, 150), st.floats(0.0, 5.0), st.integers(0, 1_000))
def test_coverage_holds_on_average_for_small_calibrations(
    windows: int, width: float, seed: int
) -> None:
    """The promise is about the mean over calibrations: 120 of them, with `windows` windows each.

    An interval that needs more windows than there are is promised windows / (windows + 1).
    """
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(120):
        calibration = calibrate(*drawn(windows, rng, width))
        means.append(coverage(*_answer(calibration, rng, width)))
    found, error = np.mean(means, axis=0), np.std(means, axis=0) / math.sqrt(120)
    promised = np.minimum(COVERAGES, windows / (windows + 1))
    assert (found >= promised - 4.5 * error - 1e-9).all()


def _answer(calibration: Calibration, rng: np.random.Generator, width: float) -> tuple:
    prediction, outcomes = drawn(200, rng, width)
    return calibrated(prediction, calibration), outcomes


def test_correction_is_the_score_of_the_documented_rank() -> None:
    """Sorted by hand; the 80 and the 99 % interval are on the grid."""
    rng = np.random.default_rng(5)
    prediction, outcomes = drawn(333, rng)
    calibration = calibrate(prediction, outcomes)
    moved = calibrated(prediction, calibration)
    for index, level in ((1, 0.8), (3, 0.99)):
        for step in range(STEPS):
            low, high = (
                prediction.log_returns[:, step, 3 - index],
                prediction.log_returns[:, step, 5 + index],
            )
            y = outcomes[:, step]
            scores = sorted(
                max(a - b, b - c) / s
                for a, b, c, s in zip(low, y, high, prediction.scale, strict=True)
            )
            expected = scores[math.ceil(334 * level) - 1]
            found = (moved.log_returns[:, step, 5 + index] - high) / prediction.scale
            assert found == pytest.approx(np.full(333, expected), rel=2e-5, abs=1e-9)
            assert (found >= expected - 1e-9).all(), "rounded towards less coverage"


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000),
    st.none() | st.lists(st.floats(-0.1, 1.1), min_size=4, max_size=4),
)
def test_quantiles_never_cross_whatever_the_model_and_the_miscoverage(
    seed: int, miscoverage: list[float] | None
) -> None:
    rng = np.random.default_rng(seed)
    quantiles = np.sort(rng.normal(0, rng.uniform(0.001, 1.0), (30, 2, 9)), axis=2)
    prediction = Prediction(quantiles, rng.uniform(0.001, 0.1, 30))
    calibration = calibrate(prediction, rng.normal(0, 0.02, (30, 2)))
    moved = calibrated(prediction, calibration, miscoverage)
    moved.check("calibrated")
    assert (moved.median == prediction.median).all()
    assert (moved.scale == prediction.scale).all()


def test_grid_between_two_points_rounds_to_the_wider_interval() -> None:
    rng = np.random.default_rng(2)
    prediction, outcomes = drawn(5_000, rng)
    calibration = calibrate(prediction, outcomes)
    widths = []
    for share in np.arange(0.0, 1.0, 0.001):
        moved = calibrated(prediction, calibration, [share] * 4)
        widths.append(moved.log_returns[0, 0, 7] - moved.log_returns[0, 0, 1])
        held = coverage(moved, outcomes)[2]
        assert held >= 1.0 - share - 2 / 5_000
    assert (np.diff(widths) <= 1e-12).all()


def test_prediction_itself_is_not_changed() -> None:
    prediction, outcomes = drawn(50, np.random.default_rng(0))
    before = prediction.log_returns.copy()
    calibrated(prediction, calibrate(prediction, outcomes))
    assert (prediction.log_returns == before).all()


def test_batch_is_calibrated_as_each_window_alone() -> None:
    prediction, outcomes = drawn(50, np.random.default_rng(0))
    calibration = calibrate(prediction, outcomes)
    together = calibrated(prediction, calibration)
    for row in range(50):
        one = Prediction(prediction.log_returns[row : row + 1], prediction.scale[row : row + 1])
        assert (calibrated(one, calibration).log_returns == together.log_returns[row]).all()


def test_shorter_horizon_uses_the_first_steps() -> None:
    prediction, outcomes = drawn(50, np.random.default_rng(0))
    calibration = calibrate(prediction, outcomes)
    short = Prediction(prediction.log_returns[:, :2], prediction.scale)
    expected = calibrated(prediction, calibration).log_returns[:, :2]
    assert (calibrated(short, calibration).log_returns == expected).all()


def test_calibration_for_fewer_steps_is_refused() -> None:
    prediction, outcomes = drawn(50, np.random.default_rng(0))
    short = calibrate(Prediction(prediction.log_returns[:, :2], prediction.scale), outcomes[:, :2])
    with pytest.raises(DataError, match="knows 2 steps, the prediction has 3"):
        calibrated(prediction, short)


def test_calibration_without_windows_or_with_nan_is_refused() -> None:
    prediction, outcomes = drawn(3, np.random.default_rng(0))
    empty = Prediction(prediction.log_returns[:0], prediction.scale[:0])
    with pytest.raises(DataError, match="at least one window"):
        calibrate(empty, outcomes[:0])
    outcomes[0, 0] = np.nan
    with pytest.raises(DataError, match="finite outcomes"):
        calibrate(prediction, outcomes)


def test_manifest_keeps_a_calibration_number_by_number_and_short() -> None:
    prediction, outcomes = drawn(2_000, np.random.default_rng(0))
    calibration = calibrate(prediction, outcomes)
    encoded = msgspec.json.encode(calibration)
    assert msgspec.json.decode(encoded, type=Calibration) == calibration
    assert len(encoded) < 20_000
    assert calibration.grid[-1] == 1.0

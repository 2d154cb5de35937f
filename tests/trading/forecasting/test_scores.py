import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from trading.errors import DataError
from trading.forecasting.prediction import COVERAGES, LEVELS, Prediction
from trading.forecasting.scores import crps, is_inside, naive_errors, pinball, score

NORMAL = norm.ppf(LEVELS)


def prediction_of(quantiles: np.ndarray) -> Prediction:
    return Prediction(quantiles, np.full(len(quantiles), 0.01))


def drawn(windows: int = 40, steps: int = 3, seed: int = 7) -> tuple[Prediction, np.ndarray]:
    rng = np.random.default_rng(seed)
    quantiles = np.sort(rng.normal(0.0, 0.02, (windows, steps, len(LEVELS))), axis=2)
    return prediction_of(quantiles), rng.normal(0.0, 0.02, (windows, steps))


def naive_scores(prediction: Prediction, outcomes: np.ndarray, naive_error: np.ndarray) -> dict:
    """Number by number, from the definitions."""
    sums: dict[str, list[float]] = {}
    for window in range(outcomes.shape[0]):
        for step in range(outcomes.shape[1]):
            q = prediction.log_returns[window, step]
            y = outcomes[window, step]
            losses = [
                lv * (y - x) if y > x else (1 - lv) * (x - y)
                for lv, x in zip(LEVELS, q, strict=True)
            ]
            levels = [0.0, *LEVELS, 1.0]
            ends = [max(q[0] - y, 0.0), *losses, max(y - q[-1], 0.0)]
            area = sum((levels[i + 1] - levels[i]) * (ends[i] + ends[i + 1]) / 2 for i in range(10))
            price, forecast = np.exp(y), np.exp(q[4])
            found = {
                "crps": 2 * area,
                "pinball": sum(losses) / 9,
                "mase": abs(y - q[4]) / naive_error[window],
                "smape": 2 * abs(price - forecast) / (price + forecast),
                "coverage_50": q[3] <= y <= q[5],
                "coverage_80": q[2] <= y <= q[6],
                "coverage_95": q[1] <= y <= q[7],
                "coverage_99": q[0] <= y <= q[8],
            }
            if y != 0:
                found["directional_accuracy"] = 0.5 if q[4] == 0 else (q[4] > 0) == (y > 0)
            for name, value in found.items():
                sums.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in sums.items()}


def test_scores_are_those_of_the_definitions() -> None:
    prediction, outcomes = drawn()
    prediction.log_returns[0, 0, 4] = np.clip(0.0, *prediction.log_returns[0, 0, [3, 5]])
    outcomes[1, 1] = 0.0
    naive_error = np.random.default_rng(1).uniform(0.001, 0.05, len(prediction))
    found = score(prediction, outcomes, naive_error)
    assert found == pytest.approx(naive_scores(prediction, outcomes, naive_error), rel=1e-12)


def test_score_has_the_documented_names() -> None:
    prediction, outcomes = drawn()
    assert list(score(prediction, outcomes, np.ones(len(prediction)))) == [
        "crps", "pinball", "mase", "smape", "directional_accuracy",
        "coverage_50", "coverage_80", "coverage_95", "coverage_99",
    ]  # fmt: skip


def test_crps_of_a_certain_forecast_is_the_distance() -> None:
    """With all quantiles at one point the integral of the definition is |outcome - point|."""
    prediction = prediction_of(np.full((1, 2, 9), 0.03))
    found = crps(prediction, np.array([[0.05, -0.01]]))
    assert found == pytest.approx(np.array([[0.02, 0.04]]), rel=1e-12)


@pytest.mark.parametrize("outcome", [-3.0, -1.0, -0.2, 0.0, 0.7, 2.0, 4.0])
def test_crps_of_normal_quantiles_is_near_the_integral_of_the_definition(outcome: float) -> None:
    below = quad(lambda x: norm.cdf(x) ** 2, -12, outcome, epsabs=1e-10)[0]
    above = quad(lambda x: norm.sf(x) ** 2, outcome, 12, epsabs=1e-10)[0]
    found = crps(prediction_of(NORMAL[None, None]), np.array([[outcome]]))
    assert float(found[0, 0]) == pytest.approx(below + above, abs=0.06)


def test_mean_crps_of_the_true_normal_is_as_much_too_small_as_documented() -> None:
    expected = quad(
        lambda y: norm.pdf(y) * float(crps(prediction_of(NORMAL[None, None]), np.array([[y]]))[0, 0]),
        -10, 10, limit=200, points=list(NORMAL),
    )[0]  # fmt: skip
    assert expected * np.sqrt(np.pi) == pytest.approx(1.0 - 0.034, abs=0.001)


def test_true_quantiles_have_the_least_expected_score() -> None:
    outcomes = np.random.default_rng(3).standard_normal((20_000, 1))
    losses = {}
    for width in (0.7, 0.9, 1.0, 1.1, 1.3):
        quantiles = np.broadcast_to(NORMAL * width, (20_000, 1, 9))
        losses[width] = (
            crps(prediction_of(quantiles), outcomes).mean(),
            pinball(prediction_of(quantiles), outcomes).mean(),
        )
    assert min(losses, key=lambda width: losses[width][0]) == 1.0
    assert min(losses, key=lambda width: losses[width][1]) == 1.0


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(0.1, 10.0), st.floats(-0.5, 0.5))
def test_crps_scales_with_the_unit_and_ignores_a_shift(
    seed: int, unit: float, shift: float
) -> None:
    prediction, outcomes = drawn(5, 2, seed)
    moved = prediction_of(prediction.log_returns * unit + shift)
    expected = unit * crps(prediction, outcomes)
    assert crps(moved, outcomes * unit + shift) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_no_change_forecast_knows_no_direction() -> None:
    prediction = prediction_of(np.tile(0.01 * NORMAL, (50, 1, 1)))
    outcomes = np.random.default_rng(0).normal(0.001, 0.01, (50, 1))
    assert score(prediction, outcomes, np.ones(50))["directional_accuracy"] == 0.5
    assert score(prediction, 0.0 * outcomes, np.ones(50))["directional_accuracy"] == 0.5


def test_interval_holds_its_ends() -> None:
    prediction = prediction_of(np.arange(9.0)[None, None])
    assert is_inside(prediction, np.array([[3.0]])).tolist() == [[[True] * 4]]
    assert is_inside(prediction, np.array([[7.0]])).tolist() == [[[False, False, True, True]]]
    assert is_inside(prediction, np.array([[8.1]])).tolist() == [[[False] * len(COVERAGES)]]


def test_naive_error_is_the_mean_move() -> None:
    close = np.exp(np.array([[0.0, 0.1, -0.1], [1.0, 1.0, 1.5]]))
    assert naive_errors(close) == pytest.approx([0.15, 0.25])


@pytest.mark.parametrize("shape", [(40, 2), (39, 3), (0, 3)])
def test_outcomes_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    prediction, _ = drawn()
    with pytest.raises(DataError, match="an outcome for each step"):
        score(prediction, np.zeros(shape), np.ones(40))

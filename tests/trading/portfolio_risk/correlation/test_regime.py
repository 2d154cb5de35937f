from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.regime import correlation_alarm

NAMES = tuple("ABCD")


def alike(rng: np.random.Generator, bars: int, correlation: float) -> FloatArray:
    common = rng.normal(size=(bars, 1))
    own = rng.normal(size=(bars, 4))
    return 0.01 * (np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own)


def normal(rng: np.random.Generator) -> FloatArray:
    return alike(rng, 300, 0.5)


def student(rng: np.random.Generator) -> FloatArray:
    return np.maximum(alike(rng, 300, 0.5) / np.sqrt(rng.chisquare(4, (300, 1)) / 4), -1.0)


def clustered(rng: np.random.Generator) -> FloatArray:
    """Volatility wanders for all assets at once."""
    logs = np.zeros(400)
    for bar in range(1, 400):
        logs[bar] = 0.97 * logs[bar - 1] + 0.2 * rng.normal()
    return alike(rng, 300, 0.5) * np.exp(logs[100:, None] / 2.0)


@pytest.mark.parametrize("weather", [normal, student, clustered])
def test_false_alarms_come_as_often_as_stated(
    weather: Callable[[np.random.Generator], FloatArray],
) -> None:
    """Of 200 histories without a change; 8 % is the most that was measured at a level of 5 %."""
    rng = np.random.default_rng(0)
    raised = sum(
        correlation_alarm(weather(rng), NAMES, 60, rng, level=0.05, paths=99).is_raised
        for _ in range(200)
    )
    assert binom.cdf(raised, 200, 0.08) < 0.999
    assert binom.sf(raised - 1, 200, 0.015) < 0.999


@pytest.mark.parametrize(("before", "after"), [(0.2, 0.8), (0.7, 0.1)])
def test_planted_break_is_found(before: float, after: float) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        returns = np.vstack([alike(rng, 440, before), alike(rng, 60, after)])
        alarm = correlation_alarm(returns, NAMES, 60, rng)
        assert alarm.is_raised
        assert alarm.p_value <= 0.01
        assert alarm.mean_before == pytest.approx(before, abs=0.12)
        assert alarm.mean_recent == pytest.approx(after, abs=0.2)


def test_distance_is_that_of_a_loop() -> None:
    returns = normal(np.random.default_rng(4))
    alarm = correlation_alarm(returns, NAMES, 50, np.random.default_rng(0), paths=99)
    before = np.corrcoef(returns[:-50], rowvar=False)
    recent = np.corrcoef(returns[-50:], rowvar=False)
    squares = [(before[i, j] - recent[i, j]) ** 2 for i in range(4) for j in range(i)]
    assert alarm.distance == pytest.approx(np.sqrt(np.mean(squares)))


def test_alarm_p_value_and_threshold_say_the_same() -> None:
    rng = np.random.default_rng(6)
    for _ in range(40):
        alarm = correlation_alarm(normal(rng), NAMES, 60, rng, level=0.3, paths=49)
        assert alarm.is_raised == (alarm.p_value <= 0.3) == (alarm.distance > alarm.threshold)


def test_same_seed_gives_the_same_alarm_and_scale_does_not_matter() -> None:
    returns = normal(np.random.default_rng(1))
    once, again, larger = (
        correlation_alarm(each, NAMES, 60, np.random.default_rng(2), paths=99)
        for each in (returns, returns, returns * np.array([1.0, 4.0, 0.25, 2.0]))
    )
    assert once == again
    assert larger.distance == pytest.approx(once.distance)
    assert larger.threshold == pytest.approx(once.threshold)


def test_unfit_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    returns = normal(rng)
    still = returns.copy()
    still[-60:, 2] = 0.0
    for history, names, message in (
        (returns[:, :1], ("A",), "one asset alone"),
        (returns[:100], NAMES, "there are 100 returns, at least 120 are needed"),
        (still, NAMES, "C does not move in the last 60 bars"),
        (returns * np.nan, NAMES, "A has no returns at all"),
    ):
        with pytest.raises(DataError, match=message):
            correlation_alarm(history, names, 60, rng)
    with pytest.raises(UsageError, match="recent is 5 bars"):
        correlation_alarm(returns, NAMES, 5, rng)
    for level, paths in ((0.001, 99), (1.0, 999), (-0.1, 999)):
        with pytest.raises(UsageError, match="the level is"):
            correlation_alarm(returns, NAMES, 60, rng, level=level, paths=paths)

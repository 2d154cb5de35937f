import numpy as np
import pytest
import statsmodels.api as sm
from scipy.fft import dct
from scipy.stats import t

from trading.errors import DataError
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import LEVELS, Prediction
from trading.forecasting.scores import crps, naive_errors, pinball, score
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train.baselines import Predict, baseline_predictions, fit_linear, fit_naive
from tune.train.evaluation import (
    WindowShape,
    diebold_mariano,
    evaluate,
    predict_all,
    rolling_origin,
    yearly_origins,
)
from tune.train.windows import Windows, windows_of

DAY = 86_400 * 10**9
SHAPE = WindowShape(input_size=20, horizon=3)


def daily_bars(first: str, last: str, echo: float = 0.0, instruments: int = 2) -> Bars:
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    days = days[np.is_busday(days)]
    noise = 0.01 * np.random.default_rng(0).standard_normal((days.size, instruments))
    for bar in range(1, days.size):
        noise[bar] += echo * noise[bar - 1]
    ts = days.astype("datetime64[ns]").astype(np.int64) + 21 * 3_600 * 10**9
    names = tuple(InstrumentId(f"S{i}.XNAS") for i in range(instruments))
    return Bars.of_closes(ts, names, 100.0 * np.exp(noise.cumsum(axis=0)))


def windows(echo: float = 0.0) -> tuple[Windows, Windows]:
    bars = daily_bars("2015-01-01", "2018-12-31", echo)
    middle = int(bars.ts[700])
    return (
        windows_of(bars, 20, 3, end_ts=middle),
        windows_of(bars, 20, 3, start_ts=middle + 1),
    )


def test_evaluation_is_the_score_beside_those_of_the_baselines() -> None:
    train, test = windows()
    baselines = baseline_predictions(train, test)
    found = evaluate(fit_linear(train, 5), test, baselines)
    naive_error = naive_errors(test.inputs["close"])
    own = fit_linear(train, 5)(test.inputs)
    assert found.metrics.items() >= score(own, test.outcomes, naive_error).items()
    assert found.metrics["windows"] == len(test)
    assert found.metrics["moments"] == len(test) / 2
    scaled = (pinball(own, test.outcomes) / own.scale[:, None]).mean()
    assert found.metrics["pinball_in_deviations"] == pytest.approx(scaled)
    assert set(found.baselines) == {"naive", "seasonal_naive", "ets", "linear"}
    assert found.baselines["ets"] == score(baselines["ets"], test.outcomes, naive_error)


def test_model_that_knows_more_beats_naive_by_more_than_luck() -> None:
    train, test = windows(echo=0.5)
    found = evaluate(fit_linear(train, 5), test, baseline_predictions(train, test))
    assert found.beats_naive
    assert found.metrics["dm_vs_naive"] < -3.0
    assert found.metrics["dm_vs_naive_p"] < 0.01


def test_naive_does_not_beat_itself() -> None:
    train, test = windows()
    found = evaluate(fit_naive(train, 5), test, baseline_predictions(train, test))
    assert not found.beats_naive
    assert (found.metrics["dm_vs_naive"], found.metrics["dm_vs_naive_p"]) == (0.0, 1.0)


def test_model_that_is_sure_of_nonsense_does_not_beat_naive() -> None:
    train, test = windows()

    def predict(inputs: Inputs) -> Prediction:
        naive = fit_naive(train, 5)(inputs)
        return Prediction(0.05 + 0.1 * naive.log_returns, naive.scale)

    found = evaluate(predict, test, baseline_predictions(train, test))
    assert not found.beats_naive
    assert found.metrics["dm_vs_naive"] > 3.0


def test_windows_are_given_in_batches_and_nothing_is_lost() -> None:
    sizes = []

    def predict(inputs: Inputs) -> Prediction:
        close = inputs["close"]
        sizes.append(len(close))
        return Prediction(np.repeat(close[:, :1, None], len(LEVELS), axis=2), close[:, 0])

    close = np.arange(1.0, 2_501.0)[:, None]
    found = predict_all(predict, {"close": close})
    assert sizes == [1_024, 1_024, 452]
    assert (found.scale == close[:, 0]).all()


def test_no_window_is_refused() -> None:
    with pytest.raises(DataError, match="no window"):
        predict_all(fit_naive(windows()[0], 5), {"close": np.empty((0, 20))})


@pytest.mark.parametrize(("count", "horizon"), [(300, 1), (300, 5), (60, 12), (1_250, 5)])
def test_statistic_is_that_of_the_cosine_transform_of_scipy(count: int, horizon: int) -> None:
    rng = np.random.default_rng(count + horizon)
    differences = np.convolve(rng.standard_normal(count + 4), np.ones(5) / 5, "valid") + 0.1
    freedom = int(min(0.4 * count ** (2 / 3), count / horizon))
    spectrum = dct(differences, type=2, norm="ortho")[1 : freedom + 1] ** 2
    expected = differences.mean() / np.sqrt(spectrum.mean() / count)
    statistic, chance = diebold_mariano(differences, np.arange(count), horizon)
    assert statistic == pytest.approx(expected)
    assert chance == pytest.approx(2 * t.sf(abs(expected), freedom))


def test_statistic_is_near_that_of_a_newey_west_regression_on_a_constant() -> None:
    differences = np.random.default_rng(2).standard_normal(5_000) + 0.05
    fit = sm.OLS(differences, np.ones(5_000)).fit(cov_type="HAC", cov_kwds={"maxlags": 10})
    statistic, _ = diebold_mariano(differences, np.arange(5_000), 1)
    assert statistic == pytest.approx(float(fit.tvalues[0]), rel=0.1)


def test_windows_of_one_moment_count_as_one() -> None:
    """Twenty copies of one instrument are no more evidence than it is alone."""
    differences = np.random.default_rng(0).standard_normal(200) + 0.2
    alone = diebold_mariano(differences, np.arange(200), 3)
    copies = diebold_mariano(np.repeat(differences, 20), np.repeat(np.arange(200), 20), 3)
    assert copies == pytest.approx(alone)


def test_equal_forecasts_are_called_different_about_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(500):
        noise = rng.standard_normal(404)
        overlapping = np.convolve(noise, np.ones(5) / 5, "valid")
        rejected += diebold_mariano(overlapping, np.arange(400), 5)[1] < 0.05
    assert 0.03 < rejected / 500 < 0.08


@pytest.mark.parametrize("differences", [np.ones(5), np.zeros(100), np.full(100, 0.3)])
def test_too_few_or_constant_differences_say_nothing(differences: np.ndarray) -> None:
    assert diebold_mariano(differences, np.arange(differences.size), 2) == (0.0, 1.0)


def test_origins_are_the_last_years_that_the_bars_fill() -> None:
    def years(first: str, last: str, count: int) -> list[str]:
        ts = daily_bars(first, last).ts
        return [str(np.datetime64(day, "ns").astype("datetime64[D]")) for day in yearly_origins(ts, count)]  # fmt: skip

    assert years("2014-06-01", "2018-12-31", 2) == ["2017-01-01", "2018-01-01", "2019-01-01"]
    assert years("2014-06-01", "2018-06-30", 2) == ["2016-01-01", "2017-01-01", "2018-01-01"]
    with pytest.raises(DataError, match="do not fill 4 calendar years"):
        years("2014-06-01", "2017-12-31", 4)


def test_rolling_evaluation_fits_at_every_origin_and_pools_the_windows() -> None:
    bars = daily_bars("2014-01-01", "2017-12-31", echo=0.5)
    origins, asked = yearly_origins(bars.ts, 3), []

    def fit(train_end_ts: int) -> Predict:
        asked.append(train_end_ts)
        return fit_linear(windows_of(bars, 20, 3, end_ts=train_end_ts - 1), 5)

    found = rolling_origin(fit, bars, SHAPE, origins)
    assert asked == list(origins[:3])
    assert [(each.start_ts, each.end_ts) for each in found.origins] == [
        (origins[i], origins[i + 1]) for i in range(3)
    ]
    parts = [each.evaluation.metrics for each in found.origins]
    weights = [part["windows"] for part in parts]
    assert found.pooled.metrics["windows"] == sum(weights)
    pooled = np.average([part["crps"] for part in parts], weights=weights)
    assert found.pooled.metrics["crps"] == pytest.approx(pooled)
    assert found.pooled.beats_naive


def test_rolling_evaluation_shows_nothing_of_the_future() -> None:
    """All after the second origin is spoiled: what was forecast before it stays the same."""
    bars = daily_bars("2014-01-01", "2017-12-31")
    origins = yearly_origins(bars.ts, 3)
    close = bars.close.copy()
    close[bars.ts >= origins[1]] *= np.exp(
        np.random.default_rng(9).normal(0, 0.1, close[bars.ts >= origins[1]].shape).cumsum(axis=0)
    )
    spoiled = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    results = []
    for each in (bars, spoiled):

        def fit(train_end_ts: int, each: Bars = each) -> Predict:
            return fit_linear(windows_of(each, 20, 3, end_ts=train_end_ts - 1), 5)

        results.append(rolling_origin(fit, each, SHAPE, origins).origins)
    assert results[0][0] == results[1][0]
    assert results[0][1] != results[1][1]


def test_windows_of_an_origin_have_their_outcomes_before_the_next() -> None:
    bars = daily_bars("2014-01-01", "2016-12-31")
    origins = yearly_origins(bars.ts, 2)
    seen = []

    def fit(train_end_ts: int) -> Predict:
        def predict(inputs: Inputs) -> Prediction:
            seen.append((train_end_ts, inputs["close"][:, -1]))
            return fit_naive(windows_of(bars, 20, 3, end_ts=train_end_ts), 5)(inputs)

        return predict

    rolling_origin(fit, bars, SHAPE, origins)
    for (start, closes), end in zip(seen, origins[1:], strict=True):
        days = [int(np.flatnonzero((bars.close == close).any(axis=1))[0]) for close in closes]
        assert bars.ts[min(days)] >= start
        assert bars.ts[max(days) + 3] < end


def test_origin_without_past_is_refused() -> None:
    bars = daily_bars("2014-01-01", "2015-12-31")
    start = int(bars.ts[25])
    with pytest.raises(DataError, match="too few bars before it"):
        rolling_origin(lambda _: fit_naive(windows()[0], 5), bars, SHAPE, [start, int(bars.ts[-1])])


def test_single_origin_is_refused() -> None:
    bars = daily_bars("2014-01-01", "2014-12-31")
    with pytest.raises(DataError, match="at least two origins"):
        rolling_origin(lambda _: fit_naive(windows()[0], 5), bars, SHAPE, [int(bars.ts[100])])


def test_statistic_has_the_sign_of_the_difference_of_the_means() -> None:
    train, test = windows()
    a, b = fit_linear(train, 5)(test.inputs), fit_naive(train, 5)(test.inputs)
    paired = (crps(a, test.outcomes) - crps(b, test.outcomes)).mean()
    found = evaluate(fit_linear(train, 5), test, {"naive": b})
    assert found.metrics["crps"] - found.baselines["naive"]["crps"] == pytest.approx(paired)
    assert np.sign(found.metrics["dm_vs_naive"]) == np.sign(paired)

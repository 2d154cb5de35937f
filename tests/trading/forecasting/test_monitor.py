import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.forecasting import monitor as monitor_module
from trading.forecasting.adaptive import AdaptiveMiscoverage
from trading.forecasting.input_drift import bins_of, population_stability
from trading.forecasting.monitor import ForecastMonitor, Limits
from trading.forecasting.prediction import COVERAGES, LEVELS, Prediction
from trading.forecasting.scores import pinball

DAY = 86_400 * 10**9
NORMAL = np.array([-2.5758, -1.95996, -1.28155, -0.67449, 0, 0.67449, 1.28155, 1.95996, 2.5758])
REFERENCE = np.random.default_rng(100).standard_normal(5_000)
BINS = {"trend": bins_of(REFERENCE)}
LOSS = float(
    pinball(Prediction(np.broadcast_to(NORMAL, (20_000, 1, 9)), np.ones(20_000)),
            np.random.default_rng(101).standard_normal((20_000, 1))).mean()
)  # fmt: skip


def predicted(horizon: int = 2, width: float = 1.0, scale: float = 0.01) -> Prediction:
    """Quantiles of a random walk whose bar deviation is `scale`, `width` times as wide as they should be."""
    reach = scale * np.sqrt(np.arange(1, horizon + 1))
    return Prediction(width * reach[None, :, None] * NORMAL, np.array([scale]))


def lived(
    days: int,
    *,
    width: float = 1.0,
    wildness: float = 1.0,
    shift: float = 0.0,
    horizon: int = 1,
    symbols: int = 5,
) -> ForecastMonitor:
    """A monitor after `days` of forecasts on random walks, as wild as the model thinks times `wildness`."""
    rng = np.random.default_rng(1)
    monitor = ForecastMonitor(BINS, LOSS)
    prices = np.full(symbols, 100.0)
    for day in range(days):
        prices *= np.exp(0.01 * wildness * rng.standard_normal(symbols))
        for number, price in enumerate(prices):
            monitor.bar_closed(f"S{number}", day * DAY, float(price))
            monitor.forecast_made(
                f"S{number}", day * DAY, float(price), predicted(horizon, width),
                {"trend": float(shift + rng.standard_normal())},
            )  # fmt: skip
    return monitor


def test_nothing_seen_is_reported_as_nothing() -> None:
    report = ForecastMonitor(BINS, LOSS).report(7)
    assert (report.forecasts, report.coverage, report.input_drift) == (0, {}, {})
    assert (report.error_ratio, report.alerts, report.updated_at) == (None, (), 7)


def test_forecast_counts_when_its_last_bar_has_closed() -> None:
    monitor = ForecastMonitor({}, LOSS)
    monitor.bar_closed("KO", 0, 100.0)
    monitor.forecast_made("KO", 0, 100.0, predicted(2), {})
    monitor.bar_closed("KO", DAY, 100.5)
    assert monitor.report(0).forecasts == 0
    monitor.bar_closed("KO", 2 * DAY, 104.0)
    report = monitor.report(0)
    assert report.forecasts == 1
    outcomes = np.log(np.array([[1.005, 1.04]]))
    assert report.coverage == {"0.5": 0.5, "0.8": 0.5, "0.95": 0.5, "0.99": 0.5}
    expected = float(pinball(predicted(2), outcomes).mean()) / 0.01 / LOSS
    assert report.error_ratio == pytest.approx(expected)
    assert monitor.miscoverage == AdaptiveMiscoverage().update((0.5, 0.5, 0.5, 0.5))


def test_bar_that_the_forecast_is_made_of_is_no_step_of_it() -> None:
    """The forecast may be told of before the bar is."""
    monitor = ForecastMonitor({}, None)
    monitor.forecast_made("KO", DAY, 100.0, predicted(1), {})
    monitor.bar_closed("KO", DAY, 100.0)
    assert monitor.report(0).forecasts == 0
    monitor.bar_closed("KO", 2 * DAY, 100.0)
    assert monitor.report(0).forecasts == 1
    assert monitor.report(0).error_ratio is None


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1_000), st.integers(1, 3))
def test_what_is_told_twice_counts_once(seed: int, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    once, often = ForecastMonitor(BINS, LOSS), ForecastMonitor(BINS, LOSS)
    price = 100.0
    for day in range(12):
        price *= float(np.exp(0.01 * rng.standard_normal()))
        inputs = {"trend": float(rng.standard_normal())}
        for monitor, times in ((once, 1), (often, int(rng.integers(1, 4)))):
            for _ in range(times):
                monitor.bar_closed("KO", day * DAY, price)
                monitor.forecast_made("KO", day * DAY, price, predicted(horizon), inputs)
        often.bar_closed("KO", (day - 1) * DAY, 1.0)
        often.forecast_made("KO", (day - 1) * DAY, 1.0, predicted(horizon), inputs)
    assert once.report(0) == often.report(0)
    assert once.report(0).forecasts == 12 - horizon
    assert once.miscoverage == often.miscoverage


def test_forecast_on_bars_that_are_past_is_not_counted() -> None:
    monitor = ForecastMonitor({}, LOSS)
    monitor.bar_closed("KO", 5 * DAY, 100.0)
    monitor.forecast_made("KO", 4 * DAY, 100.0, predicted(1), {})
    monitor.bar_closed("KO", 6 * DAY, 100.0)
    assert monitor.report(0).forecasts == 0


def test_good_model_raises_no_alert() -> None:
    report = lived(300).report(0)
    assert report.alerts == ()
    assert report.forecasts == 299 * 5
    assert report.error_ratio == pytest.approx(1.0, abs=0.05)
    for coverage in COVERAGES:
        assert report.coverage[str(coverage)] == pytest.approx(coverage, abs=0.04)


def test_intervals_too_narrow_raise_an_alert_and_are_asked_to_widen() -> None:
    monitor = lived(150, width=0.4)
    alerts = monitor.report(0).alerts
    assert any(alert.startswith("The 80 % interval held ") for alert in alerts)
    assert all(
        share < 1 - coverage
        for share, coverage in zip(monitor.miscoverage.shares, COVERAGES, strict=True)
    )


def test_intervals_too_wide_raise_an_alert_too() -> None:
    assert any("50 % interval held" in alert for alert in lived(150, width=2.0).report(0).alerts)


def test_errors_above_those_of_the_evaluation_raise_an_alert() -> None:
    report = lived(150, wildness=2.5).report(0)
    assert report.error_ratio is not None
    assert report.error_ratio > 1.5
    assert any("times that of the evaluation" in alert for alert in report.alerts)


def test_wild_market_that_the_window_shows_is_no_error_of_the_model() -> None:
    calm, wild = (ForecastMonitor({}, LOSS) for _ in range(2))
    for monitor, scale in ((calm, 0.001), (wild, 0.1)):
        rng, price = np.random.default_rng(3), 100.0
        for day in range(50):
            monitor.bar_closed("KO", day * DAY, price)
            monitor.forecast_made("KO", day * DAY, price, predicted(1, scale=scale), {})
            price *= float(np.exp(scale * rng.standard_normal()))
    assert calm.report(0).error_ratio == pytest.approx(wild.report(0).error_ratio)


def test_other_inputs_than_in_training_raise_an_alert() -> None:
    alerts = lived(80, shift=2.0).report(0).alerts
    assert len(alerts) == 1
    assert alerts[0].startswith("The input trend is not distributed as in training")


def test_few_moments_are_no_evidence_however_many_instruments() -> None:
    monitor = lived(60, width=0.3, wildness=1.0, symbols=20)
    assert monitor.report(0).forecasts > 1_000
    assert monitor.report(0).alerts == ()


def test_drift_of_few_moments_has_a_higher_limit() -> None:
    """The same shift: at 40 moments 1.56 is the limit, at 250 it is 0.25."""
    early, late = lived(40, shift=0.7, symbols=20), lived(250, shift=0.7, symbols=20)
    assert 0.25 < early.report(0).input_drift["trend"] < 1.5
    assert early.report(0).alerts == ()
    assert [alert[:15] for alert in late.report(0).alerts] == ["The input trend"]


def test_drift_is_the_index_of_the_recent_windows() -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_normal(400) + np.linspace(0, 2, 400)
    monitor = ForecastMonitor(BINS, limits=Limits(moments=100))
    for day, value in enumerate(values):
        monitor.forecast_made("KO", day * DAY, 100.0, predicted(1), {"trend": value, "other": 1.0})
    expected = population_stability(*BINS["trend"], values[-100:])
    assert monitor.report(0).input_drift == {"trend": pytest.approx(expected)}


def test_coverage_is_that_of_the_recent_moments() -> None:
    monitor = ForecastMonitor({}, LOSS, limits=Limits(moments=10))
    price = 100.0
    for day in range(40):
        monitor.bar_closed("KO", day * DAY, price)
        monitor.forecast_made("KO", day * DAY, price, predicted(1), {})
        price *= 1.5 if day < 20 else 1.0
    report = monitor.report(0)
    assert report.forecasts == 39
    assert set(report.coverage.values()) == {1.0}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "INSTRUMENTS_MAX", 10)
    monitor = ForecastMonitor(BINS, LOSS, limits=Limits(moments=20))
    for day in range(1_000):
        monitor.forecast_made("KO", day * DAY, 100.0, predicted(2), {"trend": 0.0})
        monitor.bar_closed(f"S{day}", day * DAY, 100.0)
        monitor.forecast_made("JNJ", day * DAY, 100.0, predicted(2), {"trend": 0.0})
        monitor.bar_closed("JNJ", day * DAY, 100.0)
    waiting = [len(each.pending) for each in monitor._instruments.values()]
    assert len(waiting) <= 10
    assert max(waiting) <= monitor_module.PENDING_MAX
    assert len(monitor._inputs) == len(monitor._outcomes) == 20


def test_adaptive_miscoverage_goes_on_from_where_it_was() -> None:
    start = AdaptiveMiscoverage(shares=(0.4, 0.1, 0.02, 0.005))
    monitor = ForecastMonitor({}, miscoverage=start)
    assert monitor.miscoverage == start
    monitor.forecast_made("KO", 0, 100.0, predicted(1), {})
    monitor.bar_closed("KO", DAY, 100.0)
    assert monitor.miscoverage == start.update((0.0,) * 4)


@pytest.mark.parametrize("close", [0.0, -1.0, float("nan"), float("inf")])
def test_close_that_is_no_price_is_refused_by_name(close: float) -> None:
    with pytest.raises(DataError, match="KO: the close"):
        ForecastMonitor({}).bar_closed("KO", 0, close)


def test_levels_of_the_test_are_those_of_the_model() -> None:
    assert len(NORMAL) == len(LEVELS)

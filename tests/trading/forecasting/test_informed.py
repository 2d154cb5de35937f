from decimal import Decimal

import numpy as np
import pytest

from actors.blueprint import Blueprint, ReplayPlan, StrategyPlan, build
from actors.feeds.sources import load_prices
from trading.errors import ConfigError, UsageError
from trading.forecasting.autoregression import Autoregression
from trading.forecasting.drift import Drift
from trading.forecasting.forecaster import with_forecast
from trading.forecasting.informed import Informed, live_strategy
from trading.forecasting.registry import build_forecaster, known_forecasters
from trading.identifiers import AccountId, StrategyId, machine_name
from trading.strategies.bar_strategy import BarStrategy
from trading.strategies.momentum import Momentum
from trading.strategies.neural_trend import NeuralTrend
from trading.strategies.strategy import Bars

PAIR = Informed(NeuralTrend(volatility_bars=20), Autoregression(fit_bars=60))


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices("sp500", ("AAPL", "KO", "XOM"))
    start = len(table) - 700
    return Bars.of_closes(table.ts[start:], table.instrument_ids, table.close[start:])


def test_trailing_window_gives_the_weights_of_all_history(bars: Bars) -> None:
    batch, lookback = PAIR.targets(bars), PAIR.lookback
    assert batch[lookback:].any()
    assert not batch[: lookback - 1].any()
    for row in range(lookback - 1, len(bars), 7):
        live = PAIR.targets(bars.rows(row - lookback + 1, row + 1))
        np.testing.assert_allclose(live[-1], batch[row], rtol=0, atol=1e-12)


def test_weights_are_those_of_the_strategy_on_forecasts(bars: Bars) -> None:
    told = with_forecast(bars, PAIR.forecaster)

    weights = PAIR.strategy.targets(told)

    np.testing.assert_array_equal(
        PAIR.targets(bars)[PAIR.lookback - 1 :], weights[PAIR.lookback - 1 :]
    )


def test_strategy_without_needs_stays_as_it_is() -> None:
    assert live_strategy("momentum", {}) == (Momentum(), {})


def test_forecasts_come_from_the_forecaster_beside_the_strategy() -> None:
    strategy, sources = live_strategy("neural_trend", {}, "drift")
    assert strategy == Informed(NeuralTrend(), Drift())
    assert sources == {}


def test_source_of_forecasts_takes_the_place_of_the_forecaster() -> None:
    strategy, sources = live_strategy("neural_trend", {}, "drift", {"forecast": "desk"})
    assert strategy == NeuralTrend()
    assert sources == {"forecast": "desk"}


@pytest.mark.parametrize(
    ("kind", "published"), [("neural_sentiment", "sentiment"), ("mirror", "leader")]
)
def test_other_needs_are_read_from_a_source_called_like_the_kind(kind: str, published: str) -> None:
    assert live_strategy(kind, {})[1] == {published: published}
    assert live_strategy(kind, {}, signals={published: "other"})[1] == {published: "other"}


def test_strategy_hears_what_it_can_do_without() -> None:
    strategy, sources = live_strategy("enhanced_momentum", {}, signals={"sentiment": "news"})
    assert sources == {"sentiment": "news"}
    assert not isinstance(strategy, Informed)


def test_unknown_kind_of_signal_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"'mirror': there is no published signal 'rumour'"):
        live_strategy("mirror", {}, signals={"rumour": "x"})


def test_forecasters_are_known_by_name() -> None:
    assert set(known_forecasters()) >= {"autoregression", "drift"}
    assert build_forecaster("drift") == Drift()
    with pytest.raises(UsageError, match="'oracle'; known are: autoregression, drift"):
        build_forecaster("oracle")


def test_cluster_builds_a_neural_strategy_with_its_forecaster() -> None:
    blueprint = Blueprint(
        account_id=AccountId("A"),
        initial_cash=Decimal(1_000),
        replay=ReplayPlan(
            source="sp500", symbols=("AAPL",), days=5, pace_ns=0, settle_timeout_ns=1
        ),
        strategies=(
            StrategyPlan(
                strategy_id=StrategyId("n"),
                kind="neural_trend",
                capital=Decimal(1),
                forecaster="drift",
            ),
        ),
    )

    machine = build(blueprint, machine_name("strategy", StrategyId("n")), b"secret")()

    assert isinstance(machine, BarStrategy)
    assert machine.view()["lookback"] == NeuralTrend().lookback + Drift().lookback - 1

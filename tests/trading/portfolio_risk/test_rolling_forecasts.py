from functools import partial

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from trading.errors import DataError, UsageError
from trading.portfolio_risk.backtests import exceptions, kupiec, traffic_light
from trading.portfolio_risk.historical import historical
from trading.portfolio_risk.normal import normal
from trading.portfolio_risk.rolling_forecasts import rolling_forecasts

NAMES = ("AAPL", "KO", "JPM", "XOM")
MONEY = np.full(4, 25_000.0)


@pytest.fixture(scope="module")
def history():
    close = load_prices("sp500", NAMES).close[-2000:]
    return close[1:] / close[:-1] - 1.0


def method(confidence, measure=historical, horizon=1):
    return partial(measure, exposures=MONEY, names=NAMES, confidence=confidence, horizon=horizon)


@pytest.mark.parametrize("refresh", [1, 7])
def test_each_bar_is_forecast_from_the_bars_before_it(history, refresh):
    found = rolling_forecasts(method(0.95), history[:280], MONEY, NAMES, 250, refresh)
    assert len(found.losses) == 30
    for bar in range(30):
        end = 250 + bar - bar % refresh
        said = historical(history[end - 250 : end], MONEY, NAMES, 0.95)
        assert found.values_at_risk[bar] == pytest.approx(said.value_at_risk)
        assert found.shortfalls[bar] == pytest.approx(said.expected_shortfall)
        assert found.losses[bar] == pytest.approx(-(history[250 + bar] @ MONEY))


def test_a_later_return_changes_no_earlier_forecast(history):
    changed = history[:400].copy()
    changed[350:] *= 5
    first, second = (
        rolling_forecasts(method(0.95), rows, MONEY, NAMES, 250)
        for rows in (history[:400], changed)
    )
    assert first.values_at_risk[:101] == pytest.approx(second.values_at_risk[:101])
    assert np.all(second.values_at_risk[110:] > 1.1 * first.values_at_risk[110:])


def test_a_normal_forecast_of_the_crash_year_fails_where_it_should(history):
    said = rolling_forecasts(method(0.99, normal), history, MONEY, NAMES, 500)
    seen = exceptions(said.losses, said.values_at_risk)
    assert kupiec(seen, 0.99).p_value < 0.01
    assert traffic_light(seen, 0.99).zone != "green"


def test_bad_input_is_refused(history):
    with pytest.raises(DataError, match="at least 251 are needed"):
        rolling_forecasts(method(0.95), history[:250], MONEY, NAMES, 250)
    with pytest.raises(UsageError, match="at least 1 bar"):
        rolling_forecasts(method(0.95), history, MONEY, NAMES, 250, 0)
    with pytest.raises(UsageError, match="must be 1 bar"):
        rolling_forecasts(method(0.95, horizon=5), history[:300], MONEY, NAMES, 250)

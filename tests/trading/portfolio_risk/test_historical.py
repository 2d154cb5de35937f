import numpy as np
import pytest
from skfolio.measures import cvar, value_at_risk

from actors.feeds.sources import load_prices
from trading.errors import DataError, UsageError
from trading.portfolio_risk.historical import historical

NAMES = ("AAPL", "KO", "JPM", "XOM")
MONEY = np.array([40_000.0, 25_000.0, -10_000.0, 30_000.0])


@pytest.fixture(scope="module")
def closes():
    return load_prices("sp500", NAMES).close[-1500:]


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_real_history_gives_what_skfolio_gives_on_windows_from_raw_prices(
    closes, confidence, horizon
):
    gains = [
        float(MONEY @ (closes[end] / closes[end - horizon] - 1.0))
        for end in range(horizon, len(closes))
    ]
    found = historical(closes[1:] / closes[:-1] - 1.0, MONEY, NAMES, confidence, horizon)
    assert found.value_at_risk == pytest.approx(value_at_risk(np.array(gains), beta=confidence))
    assert found.expected_shortfall == pytest.approx(cvar(np.array(gains), beta=confidence))
    assert (found.method, found.horizon) == ("historical", horizon)


def test_no_position_loses_nothing(closes):
    found = historical(closes[1:] / closes[:-1] - 1.0, np.zeros(4), NAMES, 0.99)
    assert found.value_at_risk == found.expected_shortfall == 0.0
    assert found.interval == found.shortfall_interval == (0.0, 0.0)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 99.0, float("nan")])
def test_confidence_outside_of_0_and_1_is_refused(closes, confidence):
    with pytest.raises(UsageError, match="between 0 and 1"):
        historical(closes[1:] / closes[:-1] - 1.0, MONEY, NAMES, confidence)


def test_horizon_0_is_refused(closes):
    with pytest.raises(UsageError, match="at least 1"):
        historical(closes[1:] / closes[:-1] - 1.0, MONEY, NAMES, 0.95, 0)


def test_one_observation_is_refused():
    with pytest.raises(DataError, match="there are 1 returns"):
        historical(np.zeros((1, 4)), MONEY, NAMES, 0.95)


def test_an_asset_without_returns_is_named():
    returns = np.zeros((300, 4))
    returns[:, 2] = np.nan
    with pytest.raises(DataError, match="JPM has no returns at all"):
        historical(returns, MONEY, NAMES, 0.95)


def test_a_history_shorter_than_the_tail_is_refused():
    returns = np.random.default_rng(1).normal(0.0, 0.01, (90, 4))
    with pytest.raises(DataError, match="at least 100 are needed"):
        historical(returns, MONEY, NAMES, 0.99)

import math

import msgspec
import numpy as np
import pytest

from trading.backtest.result import BacktestResult, Fills, Trades
from trading.backtest.settings import BacktestSettings
from trading.errors import DataError
from trading.identifiers import InstrumentId
from trading.metrics import activity, dispersion, drawdown, growth, ratios, round_trips, tails
from trading.metrics.benchmark import alpha_beta
from trading.metrics.sharpe_inference import (
    minimum_track_record_bars,
    probabilistic_sharpe,
    sharpe_estimate,
)
from trading.metrics.summary import Metrics, metrics_of

DAY = 86_400_000_000_000
NONE = np.zeros(0, dtype=np.int64)


def result_of(
    equity: list[float], profit: list[float], gross: list[float], traded: list[float]
) -> BacktestResult:
    """A result that began with 100."""
    count, trades = len(equity), len(profit)
    empty, row = np.zeros(count), np.zeros(trades, dtype=np.int64)
    days = np.datetime64("2020-01-06", "D") + np.arange(2 * count)
    ts = days[np.is_busday(days)][:count].astype("datetime64[ns]").astype(np.int64)
    return BacktestResult(
        ts=ts,
        instrument_ids=(InstrumentId("A.XNAS"),),
        settings=BacktestSettings(initial_cash=100.0),
        equity=np.array(equity),
        cash=empty,
        gross=np.array(gross),
        net=empty,
        traded=np.array(traded),
        commission=empty + 0.5,
        slippage=empty + 0.25,
        interest=empty,
        dividends=empty,
        units=empty[:, None],
        fills=Fills(NONE, NONE, *[np.zeros(0)] * 4, NONE),
        trades=Trades(
            row, row, row, row, *[np.zeros(trades)] * 3, np.array(profit), np.zeros(trades), row > 0
        ),
        ruined_at=None,
    )


EQUITY = [110.0, 99.0, 99.0, 132.0, 120.0, 126.0]
RESULT = result_of(
    EQUITY,
    [32.0, -6.0],
    [110.0, 99.0, 0.0, 132.0, 60.0, 0.0],
    [110.0, 0.0, 99.0, 132.0, 60.0, 63.0],
)


def test_figures_by_hand() -> None:
    found = metrics_of(RESULT)
    assert (found.bars, found.trades, found.periods_per_year) == (6, 2, 252.0)
    assert found.total_return == pytest.approx(0.26)
    assert found.annual_return == pytest.approx(1.26**42 - 1)
    assert found.max_drawdown == pytest.approx(0.1)
    assert (found.max_drawdown_bars, found.longest_drawdown_bars) == (2, 2)
    assert found.recovery_factor == pytest.approx(2.6)
    assert (found.win_rate, found.expectancy) == (0.5, 13.0)
    assert found.profit_factor == pytest.approx(32 / 6)
    assert found.exposure == pytest.approx(4 / 6)
    assert found.average_gross == pytest.approx((1 + 1 + 0 + 1 + 0.5 + 0) / 6)
    assert found.turnover == pytest.approx((1 + 0 + 1 + 1 + 0.5 + 0.5) / 6 * 252)
    assert (found.commission, found.slippage) == (3.0, 1.5)
    # returns: +1/10, -1/10, 0, +1/3, -1/11, +1/20
    assert found.omega == pytest.approx((1 / 10 + 1 / 3 + 1 / 20) / (1 / 10 + 1 / 11))
    assert found.value_at_risk == pytest.approx(0.1)
    assert math.isnan(found.alpha)


def test_the_summary_says_what_each_function_says() -> None:
    returns, year = RESULT.returns, 100.0
    benchmark = np.array([math.nan, 0.01, -0.02, 0.03, 0.0, 0.01])
    found = metrics_of(RESULT, year, benchmark)
    estimate = sharpe_estimate(returns)
    relation = alpha_beta(returns, benchmark, year)
    expected = Metrics(
        bars=6,
        periods_per_year=year,
        total_return=growth.total_return(returns),
        annual_return=growth.annual_return(returns, year),
        volatility=dispersion.volatility(returns, year),
        sharpe=ratios.sharpe(returns, year),
        sortino=ratios.sortino(returns, year),
        calmar=ratios.calmar(returns, year),
        omega=ratios.omega(returns),
        max_drawdown=drawdown.max_drawdown(returns),
        max_drawdown_bars=drawdown.max_drawdown_bars(returns),
        longest_drawdown_bars=drawdown.longest_drawdown_bars(returns),
        recovery_factor=ratios.recovery_factor(returns),
        skewness=estimate.skewness,
        kurtosis=estimate.kurtosis,
        tail_ratio=tails.tail_ratio(returns),
        value_at_risk=tails.value_at_risk(returns),
        conditional_value_at_risk=tails.conditional_value_at_risk(returns),
        trades=2,
        win_rate=round_trips.win_rate(RESULT.trades.profit),
        profit_factor=round_trips.profit_factor(RESULT.trades.profit),
        expectancy=round_trips.expectancy(RESULT.trades.profit),
        turnover=activity.annual_turnover(RESULT.traded, RESULT.equity, year),
        exposure=activity.exposure(RESULT.gross),
        average_gross=activity.average_gross(RESULT.gross, RESULT.equity),
        commission=3.0,
        slippage=1.5,
        probabilistic_sharpe=probabilistic_sharpe(estimate),
        minimum_track_record_bars=minimum_track_record_bars(estimate),
        alpha=relation.alpha,
        beta=relation.beta,
    )
    assert msgspec.structs.asdict(found) == pytest.approx(msgspec.structs.asdict(expected))


def test_an_account_that_never_traded_has_no_ratios() -> None:
    found = metrics_of(result_of([100.0] * 5, [], [0.0] * 5, [0.0] * 5))
    zero = (found.total_return, found.annual_return, found.volatility, found.max_drawdown)
    assert zero == (0.0, 0.0, 0.0, 0.0)
    assert (found.exposure, found.turnover, found.trades) == (0.0, 0.0, 0)
    undefined = (found.sharpe, found.sortino, found.calmar, found.omega, found.win_rate)
    assert all(math.isnan(value) for value in undefined)


def test_a_ruined_account_has_lost_everything() -> None:
    found = metrics_of(result_of([50.0, -10.0, -10.0], [-110.0], [200.0, 0.0, 0.0], [100.0] * 3))
    assert found.total_return == pytest.approx(-1.1)
    assert found.annual_return == -1.0
    assert found.max_drawdown == pytest.approx(1.1)
    assert found.average_gross == 4.0


def test_one_bar_is_measured_as_far_as_it_goes() -> None:
    found = metrics_of(result_of([101.0], [], [0.0], [0.0]))
    assert found.total_return == pytest.approx(0.01)
    assert all(
        math.isnan(value)
        for value in (found.periods_per_year, found.annual_return, found.sharpe, found.volatility)
    )


def test_undefined_figures_are_null_in_json() -> None:
    found = msgspec.json.decode(msgspec.json.encode(metrics_of(RESULT)))
    assert found["alpha"] is None
    assert found["bars"] == 6


def test_a_benchmark_of_other_bars_is_refused() -> None:
    with pytest.raises(DataError, match="benchmark has 2 returns and the result 6"):
        metrics_of(RESULT, benchmark=np.zeros(2))

"""One symbol at a glance."""

from pathlib import Path

import numpy as np
import pytest

from serve.desk.analysis.quick import quick_analysis
from tests.serve.analysis.desks import on_prices, walk, without_cluster
from trading.errors import DataError

FLAT = np.full(80, 50.0)


def test_figures_agree_with_a_plain_calculation(tmp_path: Path) -> None:
    close = walk(7, 120)
    found = quick_analysis(on_prices(tmp_path, {"A": close}), "A")
    returns = close[1:] / close[:-1] - 1.0
    assert found.price == pytest.approx(close[-1])
    assert found.change == pytest.approx(close[-1] - close[-2])
    assert found.change_percent == pytest.approx(100 * returns[-1])
    assert found.moving_average_20 == pytest.approx(close[-20:].mean())
    assert found.moving_average_50 == pytest.approx(close[-50:].mean())
    assert found.volatility == pytest.approx(returns[-21:].std(ddof=1) * np.sqrt(252))
    low = close[-20:].mean() - 2 * close[-20:].std()
    assert found.bollinger_position == pytest.approx((close[-1] - low) / (4 * close[-20:].std()))
    assert found.volume is None
    assert found.as_of == found.data.last


def test_a_rising_price_is_bought_until_it_is_stretched(tmp_path: Path) -> None:
    steady = quick_analysis(on_prices(tmp_path, {"A": np.linspace(100, 150, 80)}), "A")
    assert (steady.trend, steady.rsi, steady.recommendation.action) == ("up", 100.0, "hold")
    zigzag = 100 + np.arange(80) * 0.2 + np.where(np.arange(80) % 2, 1.0, -1.0)
    calm = quick_analysis(on_prices(tmp_path, {"A": zigzag}), "A")
    assert (calm.trend, calm.recommendation.action) == ("up", "buy")
    assert calm.recommendation.rule_text


def test_a_falling_price_is_sold(tmp_path: Path) -> None:
    zigzag = 200 - np.arange(80) * 0.2 + np.where(np.arange(80) % 2, 1.0, -1.0)
    found = quick_analysis(on_prices(tmp_path, {"A": zigzag}), "A")
    assert (found.trend, found.recommendation.action) == ("down", "sell")


def test_a_price_that_stands_still_has_no_bands(tmp_path: Path) -> None:
    found = quick_analysis(on_prices(tmp_path, {"A": FLAT}), "A")
    assert found.bollinger_position is None
    assert found.trend == "sideways"
    assert found.volatility == 0.0


def test_a_short_history_leaves_out_what_it_cannot_say(tmp_path: Path) -> None:
    found = quick_analysis(on_prices(tmp_path, {"A": walk(1, 10)}), "A")
    assert found.moving_average_50 is None
    assert found.rsi is None
    assert (found.trend, found.recommendation.action) == ("unknown", "unknown")
    assert '"rsi":null' in found.model_dump_json()
    with pytest.raises(DataError, match="1 prices"):
        quick_analysis(on_prices(tmp_path, {"A": walk(1, 1)}), "A")


def test_another_symbol_gives_another_answer(tmp_path: Path) -> None:
    desk = without_cluster(tmp_path)
    one, other = quick_analysis(desk, "AAPL"), quick_analysis(desk, "XOM")
    assert one.price != other.price
    assert one.rsi != other.rsi
    assert quick_analysis(desk, "AAPL") == one

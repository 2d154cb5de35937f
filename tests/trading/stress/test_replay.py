from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.sources import PriceTable, load_prices, symbols_of
from trading.errors import DataError
from trading.stress.replay import replay, returns_of_window, rows_of_window

DAY = 86_400_000_000_000
FIRST = np.datetime64("2020-01-01", "ns").astype(np.int64)
CRISIS = (date(2007, 10, 9), date(2009, 3, 9))
PANDEMIC = (date(2020, 2, 19), date(2020, 3, 23))


@pytest.fixture(scope="module")
def stocks() -> PriceTable:
    return load_prices("sp500", symbols_of("sp500"))


def days_from(count: int) -> np.ndarray:
    return FIRST + 21 * 3_600_000_000_000 + DAY * np.arange(count, dtype=np.int64)


@pytest.mark.parametrize("window", [CRISIS, PANDEMIC])
def test_when_history_is_real_replay_is_what_raw_closes_say(
    stocks: PriceTable, window: tuple[date, date]
) -> None:
    """Again from the raw closes: shares bought at the first close, the account valued at each."""
    names = stocks.instrument_ids
    generator = np.random.default_rng(7)
    exposures = generator.normal(0.0, 50_000.0, len(names))
    found = replay(stocks.ts, stocks.close, names, exposures, window)

    days = [str(np.datetime64(int(ts), "ns"))[:10] for ts in stocks.ts]
    first, last = days.index(window[0].isoformat()), days.index(window[1].isoformat())
    shares = [exposures[i] / stocks.close[first, i] for i in range(len(names))]
    worth = [
        sum(shares[i] * stocks.close[row, i] for i in range(len(names)))
        for row in range(first, last + 1)
    ]
    day_losses = [before - after for before, after in pairwise(worth)]
    falls = [worth[a] - worth[b] for a in range(len(worth)) for b in range(a, len(worth))]
    assert found.path == pytest.approx([worth[0] - value for value in worth], abs=1e-6)
    assert found.total == pytest.approx(worth[0] - worth[-1], abs=1e-6)
    assert found.by_position.sum() == pytest.approx(found.total, abs=1e-6)
    assert found.worst_day_loss == pytest.approx(max(day_losses), abs=1e-6)
    assert str(found.worst_day) == days[first + 1 + int(np.argmax(day_losses))]
    assert found.drawdown == pytest.approx(max(falls), abs=1e-6)
    start, end = (
        days.index(str(day)) - first for day in (found.drawdown_start, found.drawdown_end)
    )
    assert worth[start] - worth[end] == pytest.approx(found.drawdown, abs=1e-6)


def test_when_twenty_stocks_are_held_through_the_pandemic_the_worst_day_is_known(
    stocks: PriceTable,
) -> None:
    exposures = np.full(20, 5_000.0)
    found = replay(stocks.ts, stocks.close, stocks.instrument_ids, exposures, PANDEMIC)
    assert str(found.worst_day) == "2020-03-16"
    assert 0.25 < found.total / 100_000.0 < 0.45


def test_when_windowed_returns_are_those_between_its_closes(stocks: PriceTable) -> None:
    returns = returns_of_window(stocks.ts, stocks.close, stocks.instrument_ids, *PANDEMIC)
    rows = rows_of_window(stocks.ts, *PANDEMIC)
    naive = stocks.close[rows][5] / stocks.close[rows][4] - 1.0
    assert returns.shape == (23, 20)
    assert returns[4] == pytest.approx(naive)


def test_when_prices_only_rise_there_is_no_worst_day() -> None:
    close = np.array([[1.0], [2.0], [3.0]])
    found = replay(
        days_from(3), close, ("A",), np.array([10.0]), (date(2020, 1, 1), date(2020, 1, 3))
    )
    assert (found.worst_day_loss, found.drawdown) == (0.0, 0.0)
    assert found.worst_day == found.drawdown_end == found.days[0]
    assert found.total == pytest.approx(-20.0)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0)), min_size=2, max_size=12),
    st.floats(-1e4, 1e4),
    st.floats(-1e4, 1e4),
)
def test_when_any_path_is_replayed_drawdown_is_the_largest_fall(
    prices: list[tuple[float, float]], long: float, short: float
) -> None:
    close = np.array(prices)
    window = (date(2020, 1, 1), date(2020, 1, len(close)))
    found = replay(days_from(len(close)), close, ("A", "B"), np.array([long, short]), window)
    worth = [long * a / prices[0][0] + short * b / prices[0][1] for a, b in prices]
    falls = [worth[a] - worth[b] for a in range(len(worth)) for b in range(a, len(worth))]
    assert found.drawdown == pytest.approx(max(falls), abs=1e-6)
    assert found.total == pytest.approx(worth[0] - worth[-1], abs=1e-6)


@pytest.mark.parametrize("price", [np.nan, 0.0, -1.0, np.inf])
def test_when_a_price_is_missing_error_names_asset_and_day(price: float) -> None:
    close = np.ones((4, 2))
    close[2, 1] = price
    window = (date(2020, 1, 1), date(2020, 1, 4))
    with pytest.raises(DataError, match="B has no price on 2020-01-03"):
        replay(days_from(4), close, ("A", "B"), np.ones(2), window)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ((date(2019, 12, 1), date(2020, 1, 3)), "reach from 2020-01-01 to 2020-01-04"),
        ((date(2020, 1, 1), date(2020, 1, 5)), "the window needs 2020-01-01 to 2020-01-05"),
        ((date(2020, 1, 2), date(2020, 1, 2)), "no two closes between"),
        ((date(2020, 1, 3), date(2020, 1, 1)), "no two closes between"),
    ],
)
def test_when_prices_do_not_cover_the_window_error_says_so(
    window: tuple[date, date], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        replay(days_from(4), np.ones((4, 1)), ("A",), np.ones(1), window)


def test_when_arrays_do_not_fit_error_says_so() -> None:
    window = (date(2020, 1, 1), date(2020, 1, 4))
    with pytest.raises(DataError, match="closes have shape"):
        replay(days_from(4), np.ones((3, 1)), ("A",), np.ones(1), window)
    with pytest.raises(DataError, match="the prices are empty"):
        replay(days_from(0), np.ones((0, 1)), ("A",), np.ones(1), window)
    with pytest.raises(DataError, match="A: the exposure is nan"):
        replay(days_from(4), np.ones((4, 1)), ("A",), np.full(1, np.nan), window)

"""Windows against a plain loop over instruments and bars."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.forecasting.history import History, inputs_of
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train.windows import windows_of

DAY = 86_400_000_000_000


def bars_of(close: np.ndarray, **signals: np.ndarray) -> Bars:
    names = tuple(InstrumentId(f"I{column}.X") for column in range(close.shape[1]))
    ts = DAY * (1 + np.arange(len(close)))
    volume = np.arange(close.size, dtype=np.float64).reshape(close.shape)
    return Bars(ts, names, close, close, close, close, volume, signals)


def walk(count: int, instruments: int = 2, seed: int = 0) -> np.ndarray:
    returns = np.random.default_rng(seed).normal(0.0, 0.02, (count, instruments))
    return 50.0 * np.exp(np.cumsum(returns, axis=0))


def looped(bars: Bars, size: int, horizon: int, start: int, end: int) -> list[tuple]:
    """(ts, instrument, closes, outcomes) of every window, one by one."""
    found = []
    for row in range(size - 1, len(bars) - horizon):
        if bars.ts[row] < start or bars.ts[row + horizon] > end:
            continue
        for column in range(len(bars.instrument_ids)):
            closes = bars.close[row - size + 1 : row + 1, column].tolist()
            later = bars.close[row + 1 : row + 1 + horizon, column].tolist()
            if any(not math.isfinite(p) or p <= 0 for p in closes + later):
                continue
            if len(set(closes)) == 1:
                continue
            outcomes = [math.log(price / closes[-1]) for price in later]
            found.append((int(bars.ts[row]), column, closes, outcomes))
    return found


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 30),
    size=st.integers(2, 8),
    horizon=st.integers(1, 5),
    start=st.integers(0, 30),
    end=st.integers(0, 32),
    damage=st.lists(
        st.tuples(st.integers(0, 29), st.integers(0, 1), st.sampled_from([np.nan, 0.0, -1.0])),
        max_size=3,
    ),
)
def test_windows_are_those_of_a_plain_loop(
    count: int, size: int, horizon: int, start: int, end: int, damage: list
) -> None:
    close = walk(count)
    for row, column, value in damage:
        close[row % count, column] = value
    close[: min(count, 4), 1] = 7.0
    bars = bars_of(close)
    found = windows_of(bars, size, horizon, start_ts=start * DAY, end_ts=end * DAY)
    expected = looped(bars, size, horizon, start * DAY, end * DAY)
    assert found.ts.tolist() == [each[0] for each in expected]
    assert found.instrument.tolist() == [each[1] for each in expected]
    assert found.inputs["close"].tolist() == [each[2] for each in expected]
    assert found.outcomes.ravel() == pytest.approx(
        [value for each in expected for value in each[3]], abs=1e-12
    )
    assert found.inputs["close"].shape == (len(expected), size)
    assert found.outcomes.shape == (len(expected), horizon)


def test_features_are_what_a_session_reads_of_the_same_bars() -> None:
    close = walk(20)
    tone = np.random.default_rng(3).uniform(-1, 1, close.shape)
    bars = bars_of(close, sentiment=tone)
    windows = windows_of(bars, 6, 2, ("volume", "time", "sentiment"))
    last = windows.take(windows.ts == windows.ts[-1])
    cut = 20 - 2
    histories = [
        History(f"I{column}", bars.ts[:cut], close[:cut, column], bars.volume[:cut, column],
                tone[:cut, column])
        for column in range(2)
    ]  # fmt: skip
    read = inputs_of(histories, 6, ("volume", "time", "sentiment"))
    assert set(last.inputs) == set(read)
    for name, values in read.items():
        assert last.inputs[name].dtype == values.dtype
        assert (last.inputs[name] == values).all()


def test_window_without_a_feature_is_left_out() -> None:
    close = walk(12, instruments=1)
    tone = np.zeros_like(close)
    tone[6] = np.nan
    windows = windows_of(bars_of(close, sentiment=tone), 3, 1, ("sentiment",))
    assert (windows.ts / DAY).tolist() == [3, 4, 5, 6, 10, 11]


def test_bars_without_a_feature_are_refused_by_name() -> None:
    plain = Bars.of_closes(DAY * np.arange(9), (InstrumentId("A.X"),), walk(9, 1))
    with pytest.raises(DataError, match="no sentiment"):
        windows_of(plain, 3, 1, ("sentiment",))
    with pytest.raises(DataError, match="no volume"):
        windows_of(plain, 3, 1, ("volume",))


def test_stride_takes_every_so_many_bars() -> None:
    bars = bars_of(walk(20, 1))
    every, some = windows_of(bars, 4, 2), windows_of(bars, 4, 2, stride=3)
    assert some.ts.tolist() == every.ts[::3].tolist()

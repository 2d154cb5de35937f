"""Where signals come from: what a file says is known when it was, and stand-ins never look ahead."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.registry import build_strategy
from trading.strategies.signals import (
    FORECAST_DEVIATION,
    FORECAST_RETURN,
    LEADER_WEIGHT,
    SENTIMENT,
)
from trading.strategies.strategy import Bars
from tune.signal_sources import DISCLOSURE_DAYS, SignalSources, price_tone, with_signals

DAY_NS = 86_400 * 10**9
FIRST = date(2020, 1, 6)
IDS = (InstrumentId("AAA.X"), InstrumentId("BBB.X"))


def ns(day: date, hour: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp()) * 10**9


def bars_of(rows: int, seed: int = 1) -> Bars:
    """A bar closes at 21:00 of each day from Monday 6 January 2020 on."""
    steps = np.random.default_rng(seed).normal(0.0005, 0.015, (rows, 2))
    close = 100.0 * np.exp(np.cumsum(steps, axis=0))
    return Bars.of_closes(ns(FIRST, 21) + DAY_NS * np.arange(rows, dtype=np.int64), IDS, close)


TEN = bars_of(10)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def to(text: str) -> str:
        path = tmp_path / "file.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return to


def tone_of(file: str, bars: Bars = TEN) -> FloatArray:
    told, notes = with_signals(bars, (SENTIMENT,), SignalSources(sentiment=file))
    assert notes == (f"Sentiment: {file}.",)
    return told.signals[SENTIMENT]


def known(tone: FloatArray) -> dict[tuple[int, int], float]:
    """Return every score by row and column."""
    return {(int(r), int(c)): float(tone[r, c]) for r, c in np.argwhere(np.isfinite(tone))}


# -- sentiment


def test_when_a_score_has_a_day_it_is_known_from_the_days_end(write: Callable[[str], str]) -> None:
    tone = tone_of(write("time,symbol,score\n2020-01-08,AAA,0.5\n2020-01-09,BBB,-1\n"))
    assert known(tone) == {(3, 0): 0.5, (4, 1): -1.0}  # at the close of the day after


def test_when_a_score_has_a_moment_it_is_known_from_then_on(write: Callable[[str], str]) -> None:
    text = (
        "time,symbol,score\n2020-01-08T20:59:59,AAA,0.1\n2020-01-09T21:00:00,AAA,0.2\n"
        "2020-01-10T21:00:01,AAA,0.3\n2020-01-13T00:00:00,BBB,0.4\n"
    )
    assert known(tone_of(write(text))) == {(2, 0): 0.1, (3, 0): 0.2, (5, 0): 0.3, (7, 1): 0.4}


def test_when_a_moment_has_an_offset_it_counts(write: Callable[[str], str]) -> None:
    text = (
        "time,symbol,score\n2020-01-08T17:00:00-05:00,AAA,0.1\n2020-01-08T21:30:00+01:00,BBB,0.2\n"
    )
    assert known(tone_of(write(text))) == {(3, 0): 0.1, (2, 1): 0.2}


@settings(deadline=None, max_examples=60)
@given(micro=st.integers(-5, 5), row=st.integers(0, 8), hour=st.integers(0, 500_000))
def test_when_a_moment_is_microseconds_from_a_close_it_is_never_known_early(
    tmp_path_factory: pytest.TempPathFactory, micro: int, row: int, hour: int
) -> None:
    closes = TEN.ts + hour * 3_600 * 10**9 // 10 * 10
    bars = Bars.of_closes(closes, IDS, TEN.close)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=int(closes[row]) // 1_000 + micro
    )
    path = tmp_path_factory.mktemp("scores") / "scores.parquet"
    pl.DataFrame({"time": [moment], "symbol": ["AAA"], "score": [0.5]}).write_parquet(path)
    assert known(tone_of(str(path), bars)) == {(row + (micro > 0), 0): 0.5}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_when_there_are_several_scores_of_a_bar_the_latest_wins(
    write: Callable[[str], str], order: Sequence[int]
) -> None:
    lines = [
        f"2020-01-08T{hour}:00:00,AAA,{score}" for hour, score in ((10, 0.1), (12, 0.2), (18, 0.3))
    ]
    text = "\n".join(["time,symbol,score", *(lines[i] for i in order)]) + "\n"
    assert known(tone_of(write(text))) == {(2, 0): 0.3}


def test_when_scores_have_the_same_time_the_later_line_wins(write: Callable[[str], str]) -> None:
    lines = [f"2020-01-{6 + i % 3:02},AAA,{i / 1000}" for i in range(600)]
    tone = tone_of(write("time,symbol,score\n" + "\n".join(lines) + "\n"))
    assert known(tone) == {(1, 0): 0.597, (2, 0): 0.598, (3, 0): 0.599}


def test_when_scores_are_older_or_newer_than_the_bars_none_is_from_the_future(
    write: Callable[[str], str],
) -> None:
    text = "time,symbol,score\n2020-01-01,AAA,0.1\n2020-01-04,AAA,0.2\n2020-01-15,AAA,0.3\n2021-01-01,BBB,0.4\n"
    assert known(tone_of(write(text))) == {(0, 0): 0.2}


def test_when_a_symbol_is_unknown_its_scores_are_left_out(write: Callable[[str], str]) -> None:
    assert known(tone_of(write("time,symbol,score\n2020-01-08,ZZZ,0.5\n2020-01-08,AAA,1\n"))) == {
        (3, 0): 1.0
    }


def test_when_more_columns_are_there_they_are_left_out(write: Callable[[str], str]) -> None:
    assert known(tone_of(write("symbol,score,source,time\nAAA,0.5,news,2020-01-08\n"))) == {
        (3, 0): 0.5
    }


@pytest.mark.parametrize("score", ["1.01", "-1.5", "inf", "NaN"])
def test_when_a_score_is_out_of_range_the_sentence_names_it(
    write: Callable[[str], str], score: str
) -> None:
    file = write(f"time,symbol,score\n2020-01-08,AAA,0.5\n2020-01-09,BBB,{score}\n")
    with pytest.raises(DataError) as caught:
        tone_of(file)
    text = str(caught.value)
    assert file in text
    assert "2020-01-09 BBB" in text
    assert "not from -1 to 1" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,symbol\n2020-01-08,AAA\n", "there is no column 'score'"),
        ("day,symbol,score\n2020-01-08,AAA,0\n", "there is no column 'time'"),
        (
            "time,symbol,score\n2020-01-08,AAA,\n2020-01-08,AAA,0.1\n",
            "column 'score' has empty cells",
        ),
        ("time,symbol,score\n,AAA,0.1\n2020-01-08,AAA,0.1\n", "column 'time' has empty cells"),
        (
            "time,symbol,score\n2020-01-08,,0.1\n2020-01-08,AAA,0.1\n",
            "column 'symbol' has empty cells",
        ),
        ("time,symbol,score\nyesterday,AAA,0.1\n", "'yesterday' is not a time"),
        ("time,symbol,score\n2020-01-08,AAA,good\n", "good"),
        ("", "cannot be read"),
    ],
)
def test_when_a_file_of_scores_is_wrong_the_sentence_says_where(
    write: Callable[[str], str], text: str, words: str
) -> None:
    file = write(text)
    with pytest.raises(DataError) as caught:
        tone_of(file)
    assert file in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.csv", "missing.parquet"])
def test_when_a_file_is_missing_the_sentence_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        tone_of(str(tmp_path / name))


# -- holdings


def leader_of(file: str, bars: Bars = TEN) -> FloatArray:
    told, notes = with_signals(bars, (LEADER_WEIGHT,), SignalSources(holdings=file))
    assert notes == (f"Leader: {file}.",)
    return told.signals[LEADER_WEIGHT]


def holdings(unit: str, *lines: str) -> str:
    return f"report_date,disclosed_date,symbol,{unit}\n" + "\n".join(lines) + "\n"


def test_when_values_are_disclosed_weights_hold_from_the_disclosure_on(
    write: Callable[[str], str],
) -> None:
    file = write(
        holdings(
            "value",
            "2019-12-31,2020-01-08,AAA,300",
            "2019-12-31,2020-01-08,BBB,-100",
            "2019-12-31,2020-01-08,ZZZ,600",
            "2020-01-08,2020-01-11,BBB,50",
        )
    )
    weights = leader_of(file)
    assert np.isnan(weights[:3]).all()  # 8 January ends after the close of its own bar, row 2
    np.testing.assert_allclose(weights[3:6], np.tile([0.3, -0.1], (3, 1)))
    np.testing.assert_allclose(weights[6:], np.tile([0.0, 1.0], (4, 1)))


def test_when_shares_are_disclosed_they_are_valued_on_the_day_reported(
    write: Callable[[str], str],
) -> None:
    file = write(holdings("shares", "2020-01-07,2020-01-09,AAA,10", "2020-01-07,2020-01-09,BBB,30"))
    value = np.array([10.0, 30.0]) * TEN.close[1]
    weights = leader_of(file)
    assert np.isnan(weights[:4]).all()
    np.testing.assert_allclose(weights[4:], np.tile(value / value.sum(), (6, 1)))


def test_when_weights_are_disclosed_they_are_taken_as_they_are(write: Callable[[str], str]) -> None:
    file = write(
        holdings("weight", "2020-01-06,2020-01-06,AAA,0.25", "2020-01-06,2020-01-06,BBB,-0.5")
    )
    np.testing.assert_allclose(leader_of(file)[1:], np.tile([0.25, -0.5], (9, 1)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("report_date,disclosed_date,symbol\n2020-01-06,2020-01-07,AAA\n", "one column `value`"),
        (
            "report_date,disclosed_date,symbol,value,shares\n2020-01-06,2020-01-07,AAA,1,2\n",
            "one column `value`",
        ),
        ("report_date,symbol,value\n2020-01-06,AAA,1\n", "there is no column 'disclosed_date'"),
        (holdings("value", "2020-01-06,2020-01-07,AAA,"), "column 'value' has empty cells"),
        (holdings("value", "2020-01-07,2020-01-06,AAA,1"), "before its report date"),
        (holdings("shares", "2020-01-06,2020-01-07,ZZZ,1"), "no price"),
        (holdings("value", "soon,2020-01-07,AAA,1"), "soon"),
        (holdings("value", "2020-01-06,2020-01-07,AAA,much"), "much"),
    ],
)
def test_when_a_file_of_holdings_is_wrong_the_sentence_says_what(
    write: Callable[[str], str], text: str, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        leader_of(write(text))
    assert words in str(caught.value)


# -- stand-ins


EVERYTHING = (FORECAST_RETURN, FORECAST_DEVIATION, SENTIMENT, LEADER_WEIGHT)


@pytest.fixture(scope="module")
def long_bars() -> Bars:
    return bars_of(900, seed=3)


@pytest.fixture(scope="module")
def told(long_bars: Bars) -> Bars:
    return with_signals(long_bars, EVERYTHING, SignalSources())[0]


def test_when_nothing_was_given_the_notes_say_what_stands_in(long_bars: Bars) -> None:
    bars, notes = with_signals(long_bars, EVERYTHING, SignalSources())
    assert set(bars.signals) == set(EVERYTHING)
    forecast, sentiment, leader = notes
    assert "autoregression" in forecast
    assert "no file of scores was given" in sentiment
    assert "prices themselves" in sentiment
    assert "no file of holdings was given" in leader
    assert f"{DISCLOSURE_DAYS} days later" in leader
    assert long_bars.signals == {}


@pytest.mark.parametrize("rows", [300, 431, 640, 899])
def test_when_the_future_is_cut_off_no_signal_changes(
    told: Bars, long_bars: Bars, rows: int
) -> None:
    short, _ = with_signals(long_bars.rows(0, rows), EVERYTHING, SignalSources())
    for name in EVERYTHING:
        assert np.isfinite(told.signals[name]).any()
        np.testing.assert_allclose(
            short.signals[name], told.signals[name][:rows], rtol=1e-12, err_msg=name
        )


def test_when_the_future_is_another_the_stand_ins_of_the_past_are_the_same(
    told: Bars, long_bars: Bars
) -> None:
    close = long_bars.close.copy()
    close[500:] *= np.linspace(1.0, 9.0, 400)[:, None]
    other = Bars.of_closes(long_bars.ts, IDS, close)
    changed, _ = with_signals(other, EVERYTHING, SignalSources())
    for name in EVERYTHING:
        np.testing.assert_allclose(
            changed.signals[name][:500], told.signals[name][:500], rtol=1e-12, err_msg=name
        )


def test_when_no_holdings_are_given_momentum_is_disclosed_45_days_after_the_quarter(
    told: Bars, long_bars: Bars
) -> None:
    ours = build_strategy("momentum", {}).targets(long_bars)
    day = [datetime.fromtimestamp(ts / 1e9, UTC).date() for ts in long_bars.ts.tolist()]
    ends = [
        row
        for row in range(len(day) - 1)
        if day[row + 1].month in (1, 4, 7, 10) and day[row + 1].day == 1
    ]
    expected = np.full(ours.shape, np.nan)
    for row in ends:
        if ours[row].any() or np.isfinite(expected[row]).any():
            # The day it is disclosed on ends after that day's bar: one row more.
            expected[row + DISCLOSURE_DAYS + 1 :] = ours[row]
    np.testing.assert_allclose(told.signals[LEADER_WEIGHT], expected)


def test_when_momentum_went_to_cash_the_leader_is_followed_there() -> None:
    rise = 100.0 * np.exp(0.001 * np.arange(500))
    fall = rise[-1] * np.exp(-0.004 * np.arange(1, 501))
    close = np.concatenate([rise, fall])[:, None] * np.ones(2)
    close *= np.exp(np.random.default_rng(5).normal(0, 0.002, close.shape))
    ts = ns(FIRST, 21) + DAY_NS * np.arange(1000, dtype=np.int64)
    told, _ = with_signals(Bars.of_closes(ts, IDS, close), (LEADER_WEIGHT,), SignalSources())
    weights = told.signals[LEADER_WEIGHT]
    assert weights[450].sum() > 0
    assert (weights[-1] == 0).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_when_prices_wander_their_tone_is_from_minus_one_to_one_and_has_the_sign_of_the_move(
    seed: int,
) -> None:
    close = bars_of(120, seed).close
    tone = price_tone(close)
    seen = np.isfinite(tone)
    assert seen[-1].all()
    assert (np.abs(tone[seen]) <= 1).all()
    change = np.vstack([[np.nan, np.nan], np.diff(close, axis=0)])
    assert (np.sign(tone[seen]) == np.sign(change[seen])).all()
    np.testing.assert_array_equal(price_tone(close[:100]), tone[:100])


def test_when_the_tone_is_worked_out_by_hand_it_is_the_same() -> None:
    close = bars_of(80).close
    returns = close[1:] / close[:-1] - 1.0
    window = returns[79 - 63 : 79, 0]  # the 63 newest returns
    expected = {np.tanh(returns[-1, 0] / window.std(ddof=d) / 2.0) for d in (0, 1)}
    assert min(abs(price_tone(close)[-1, 0] - each) for each in expected) < 1e-9


# -- what is there already, and what is not


def test_when_a_signal_is_there_already_it_is_left_alone() -> None:
    mine = replace(TEN, signals={SENTIMENT: np.full((10, 2), 0.25)})
    bars, notes = with_signals(mine, (SENTIMENT,), SignalSources(sentiment="missing.csv"))
    assert notes == ()
    assert (bars.signals[SENTIMENT] == 0.25).all()


def test_when_nothing_is_needed_nothing_is_read() -> None:
    bars, notes = with_signals(TEN, (), SignalSources("nobody", "missing.csv", "missing.csv"))
    assert bars is TEN
    assert notes == ()


def test_when_a_forecaster_is_unknown_the_sentence_lists_those_that_are() -> None:
    with pytest.raises(
        UsageError, match=r"no forecaster 'oracle'; known are: .*autoregression.*drift"
    ):
        with_signals(TEN, (FORECAST_RETURN,), SignalSources("oracle"))


def test_when_nothing_provides_a_signal_the_sentence_names_it() -> None:
    with pytest.raises(UsageError, match="nothing provides the signal 'weather'"):
        with_signals(TEN, ("weather", SENTIMENT), SignalSources())

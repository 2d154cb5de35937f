import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.events import ForecastPublished, LeaderTraded, SentimentPublished, SignalPublished
from trading.identifiers import InstrumentId, TradeId
from trading.indicators.periods import IntArray
from trading.strategies.published import PublishedSignals, problem_of
from trading.strategies.signals import (
    FORECAST_DEVIATION,
    FORECAST_RETURN,
    LEADER_WEIGHT,
    SENTIMENT,
)

A, B, ELSEWHERE = (InstrumentId(f"{name}.XNAS") for name in ("A", "BRK.B", "ELSE"))
NAMES = (A, B)
ALL = {"sentiment": "news", "forecast": "desk", "leader": "whale"}


def tone(ts: int, name: InstrumentId = A, score: str = "0.5") -> SentimentPublished:
    return SentimentPublished(ts_event=ts, source="news", instrument_id=name, score=Decimal(score))


def forecast(ts: int, expires: int, expected: str = "0.01", **more: Any) -> ForecastPublished:
    given_: dict[str, Any] = {
        "ts_event": ts,
        "source": "desk",
        "instrument_id": A,
        "expected_return": Decimal(expected),
        "deviation": Decimal("0.02"),
        "horizon_bars": 5,
        "expires_at": expires,
    }
    return ForecastPublished(**given_ | more)


def trade(ts: int, key: str, name: InstrumentId = A, **more: Any) -> LeaderTraded:
    given_: dict[str, Any] = {
        "ts_event": ts,
        "source": "whale",
        "instrument_id": name,
        "trade_id": TradeId(key),
        "quantity": Decimal(10),
        "price": Decimal(30),
        "capital": Decimal(1_000),
    }
    return LeaderTraded(**given_ | more)


def heard(*facts: SignalPublished, decided_at: int = 0) -> PublishedSignals:
    published = PublishedSignals(ALL, NAMES)
    for fact in facts:
        published.apply(fact, decided_at)
    return published


def times(*ts: int) -> IntArray:
    return np.array(ts, dtype=np.int64)


def test_tone_is_the_newest_score_since_the_bar_before() -> None:
    published = heard(tone(20, score="0.9"), tone(15), tone(21, B, "-0.25"), tone(99))
    np.testing.assert_array_equal(
        published.signals(times(10, 20, 30))[SENTIMENT],
        [[math.nan, math.nan], [0.9, math.nan], [math.nan, -0.25]],
    )


def test_tone_from_before_the_window_is_not_that_of_its_first_bar() -> None:
    published = heard(tone(10), tone(11))
    assert published.signals(times(20, 30), before=10)[SENTIMENT][0, 0] == 0.5
    published = heard(tone(9), tone(10))
    assert np.isnan(published.signals(times(20, 30), before=10)[SENTIMENT]).all()


def test_forecast_holds_until_it_expires_or_a_newer_one_replaces_it() -> None:
    published = heard(forecast(10, 100, "0.01"), forecast(30, 40, "0.03"), forecast(60, 61, "0.06"))
    rows = published.signals(times(5, 10, 29, 30, 40, 41, 60, 62))
    np.testing.assert_array_equal(
        rows[FORECAST_RETURN][:, 0],
        [math.nan, 0.01, 0.01, 0.03, 0.03, math.nan, 0.06, math.nan],
    )
    np.testing.assert_array_equal(
        np.isnan(rows[FORECAST_RETURN]), np.isnan(rows[FORECAST_DEVIATION])
    )


def test_trades_become_weights_at_the_first_bar_that_closes_at_their_time_or_later() -> None:
    published = heard(
        trade(20, "1"),
        trade(21, "2", B, quantity=Decimal(-2), price=Decimal(100)),
        trade(22, "3", quantity=Decimal(-5), price=Decimal(40)),
        trade(35, "4", ELSEWHERE, capital=Decimal(2_000)),
    )
    weights = published.signals(times(10, 20, 30, 40))[LEADER_WEIGHT]
    assert np.isnan(weights[0]).all()
    np.testing.assert_allclose(weights[1:], [[0.3, 0.0], [0.2, -0.2], [0.1, -0.1]])


def test_trade_that_is_told_twice_counts_once() -> None:
    published = heard(trade(20, "1"), trade(20, "1"), trade(25, "1"))
    np.testing.assert_allclose(published.signals(times(30))[LEADER_WEIGHT], [[0.3, 0.0]])


TRADES = st.lists(
    st.builds(
        trade,
        st.integers(1, 60),
        st.uuids().map(str),
        st.sampled_from([A, B, ELSEWHERE]),
        quantity=st.integers(-5, 5).map(Decimal),
        price=st.integers(1, 50).map(Decimal),
        capital=st.integers(100, 1_000).map(Decimal),
    ),
    max_size=12,
)


@given(TRADES)
@settings(deadline=None, max_examples=60)
def test_leader_weights_are_those_of_the_loop(trades: list[LeaderTraded]) -> None:
    trades.sort(key=lambda each: each.ts_event)
    ts = np.arange(0, 50, 7, dtype=np.int64)
    weights = heard(*trades).signals(ts)[LEADER_WEIGHT]
    for now, row in zip(ts.tolist(), weights, strict=True):
        known = [each for each in trades if each.ts_event <= now]
        for column, name in enumerate(NAMES):
            own = [each for each in known if each.instrument_id == name]
            if not known:
                assert math.isnan(row[column])
            elif not own:
                assert row[column] == 0.0
            else:
                value = sum(each.quantity for each in own) * own[-1].price
                assert row[column] == pytest.approx(float(value / known[-1].capital))


FACTS = st.lists(
    st.one_of(
        st.builds(tone, st.integers(1, 100), st.sampled_from(NAMES)),
        st.builds(
            lambda ts, life, expected: forecast(ts, ts + life, expected),
            st.integers(1, 100),
            st.integers(1, 40),
            st.sampled_from(["0.01", "-0.02", "0.03"]),
        ),
        st.builds(trade, st.integers(1, 100), st.uuids().map(str), st.sampled_from(NAMES)),
    ),
    max_size=25,
)


@given(FACTS, st.integers(1, 5))
@settings(deadline=None, max_examples=80)
def test_windows_that_move_on_see_the_rows_of_all_history(
    facts: list[SignalPublished], length: int
) -> None:
    ordered = sorted(facts, key=lambda fact: fact.ts_event)
    ts = np.arange(10, 110, 9, dtype=np.int64)
    batch = heard(*ordered).signals(ts)
    live = PublishedSignals(ALL, NAMES)
    for row in range(len(ts)):
        told = [
            f for f in ordered if f.ts_event <= ts[row] and (not row or f.ts_event > ts[row - 1])
        ]
        for fact in told:
            live.apply(fact, 0)
        first = max(0, row - length + 1)
        seen = live.signals(ts[first : row + 1], int(ts[first - 1]) if first else 0)
        for name, array in seen.items():
            np.testing.assert_array_equal(array[-1], batch[name][row], err_msg=name)
            np.testing.assert_array_equal(array, batch[name][first : row + 1], err_msg=name)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (tone(1, score="1.01"), "the score is 1.01, must be from -1 to 1"),
        (tone(1, score="NaN"), "the score is NaN, not a finite number"),
        (forecast(5, 5), "expires before it is known"),
        (forecast(5, 9, deviation=Decimal(0)), "the deviation is 0, must be above 0"),
        (forecast(5, 9, horizon_bars=0), "the horizon is 0 bars"),
        (forecast(5, 9, "Infinity"), "the expected_return is Infinity"),
        (trade(1, "x", price=Decimal(0)), "the price is 0, must be above 0"),
        (trade(1, "x", capital=Decimal(-1)), "the capital is -1"),
        (trade(1, "x", quantity=Decimal("NaN")), "the quantity is NaN"),
        (trade(1, ""), "no trade_id"),
    ],
)
def test_wrong_fact_is_told_counted_and_without_effect(fact: SignalPublished, words: str) -> None:
    assert words in problem_of(fact)
    published = heard(fact)
    assert published.view() == {"heard": 1, "late": 0, "invalid": 1, "stale": 0}
    for array in published.signals(times(10)).values():
        assert np.isnan(array).all()


def test_fact_behind_the_decision_is_counted_as_late_and_there_for_the_next() -> None:
    published = heard(tone(10), tone(11), decided_at=10)
    assert published.view()["late"] == 1
    np.testing.assert_array_equal(published.signals(times(10, 20))[SENTIMENT][:, 0], [0.5, 0.5])


def test_facts_of_other_sources_and_kinds_are_not_heard() -> None:
    published = PublishedSignals({"sentiment": "news"}, NAMES)
    other = SentimentPublished(ts_event=5, source="rumour", instrument_id=A, score=Decimal("0.5"))
    facts: Sequence[SignalPublished] = (other, forecast(5, 9), trade(5, "1"))
    for fact in facts:
        published.apply(fact, 0)
    assert published.view()["heard"] == 0
    assert set(published.signals(times(10))) == {SENTIMENT}


def test_each_source_has_one_stream() -> None:
    assert PublishedSignals({"sentiment": "x", "forecast": "x", "leader": "a"}, NAMES).streams == (
        "signals:a",
        "signals:x",
    )
    assert PublishedSignals({}, NAMES).streams == ()


def test_forecast_that_expired_on_its_way_is_discarded_and_counted_as_stale() -> None:
    published = PublishedSignals(ALL, NAMES)
    published.apply(forecast(10, 20), decided_at=20)
    assert published.view() == {"heard": 1, "late": 0, "invalid": 0, "stale": 1}
    assert np.isnan(published.signals(times(10, 20, 30))[FORECAST_RETURN]).all()


def test_late_forecast_that_has_not_expired_is_there_for_the_next_decision() -> None:
    published = PublishedSignals(ALL, NAMES)
    published.apply(forecast(10, 30), decided_at=20)
    assert published.view() == {"heard": 1, "late": 1, "invalid": 0, "stale": 0}
    assert published.signals(times(20, 30))[FORECAST_RETURN][-1, 0] == 0.01


def test_forecast_that_expires_while_it_is_the_newest_is_counted_once() -> None:
    published = heard(forecast(10, 20), forecast(10, 45, instrument_id=B))
    for ts in (times(20), times(20, 30), times(30, 40)):
        published.signals(ts)
    assert published.view()["stale"] == 1
    published.signals(times(40, 50))
    assert published.view()["stale"] == 2


def test_forecast_that_was_replaced_in_time_is_not_stale() -> None:
    published = heard(forecast(10, 20), forecast(19, 29), forecast(28, 39))
    for ts in (times(10), times(10, 20), times(20, 30)):
        assert np.isfinite(published.signals(ts)[FORECAST_RETURN][-1, 0])
    assert published.view() == {"heard": 3, "late": 0, "invalid": 0, "stale": 0}

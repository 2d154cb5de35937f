"""A source asks once per bar, publishes each bar once, and never what came too late."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trading.commands import RequestBars
from trading.data import Bar, BarsHistory, BarSlice
from trading.effects import AppendShared, AskModel, Effect, Send
from trading.events import ForecastPublished
from trading.forecasting.expiry import expiry_after
from trading.forecasting.source import ForecastSource, ForecastSourceConfig
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.messages import Message
from trading.outcomes import ModelAnswer, ModelAnswered, ModelFailed, Started
from trading.strategies.published import problem_of

A, B = InstrumentId("A.XNAS"), InstrumentId("B.XNAS")
DAY = 86_400 * 10**9
SIZE = 4
NOW = 1_700_000_000 * 10**9


def config(**changes: Any) -> ForecastSourceConfig:
    facts = {
        "source": "desk",
        "venue": Venue("paper"),
        "instruments": (A, B),
        "history": MachineName("replay:prices"),
        "model": "walk@1",
        "input_size": SIZE,
        "horizon_bars": 5,
        "valid_bars": 1,
        "timeout_ns": 10**9,
    }
    return ForecastSourceConfig(**{**facts, **changes})


def slice_of(sequence: int, closes: Sequence[float] | None = None) -> BarSlice:
    found = closes or (10.0 + sequence % 3, 20.0 - sequence % 2)
    bars = tuple(
        Bar(instrument_id=name, open=x, high=x, low=x, close=x)
        for name, x in zip((A, B), found, strict=True)
    )
    return BarSlice(
        ts_event=sequence * DAY, sequence=sequence, bars=bars, correlation_id=f"feed/{sequence}"
    )


def history_of(last: int, count: int = SIZE) -> BarsHistory:
    slices = tuple(slice_of(i) for i in range(max(1, last - count + 1), last + 1))
    return BarsHistory(ts_event=last * DAY, sequence=last, slices=slices)


def answered(sequence: int, *names: InstrumentId, **changes: Any) -> ModelAnswered:
    facts = {
        "model": "walk@1",
        "provider": "cpu",
        "data_cutoff": 0,
        "expected_return": 0.0123456789,
        "deviation": 0.02,
        "quantiles": (-0.05, 0.01, 0.06),
    }
    answers = tuple(
        ModelAnswer(instrument_id=name, **{**facts, **changes}) for name in names or (A, B)
    )
    return ModelAnswered(sequence=sequence, answers=answers)


class Desk:
    """The machine, a journal that can be full, and a clock."""

    def __init__(self, **changes: Any) -> None:
        self.machine = ForecastSource(config(**changes))
        self.now = NOW
        self.journal: list[ForecastPublished] = []
        self.questions: list[AskModel] = []
        self.requests: list[RequestBars] = []
        self.is_full = False

    def tell(self, *messages: Message) -> "Desk":
        for message in messages:
            self.perform(self.machine.handle(message, self.now))
            self.machine.validate()
        return self

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case AskModel():
                    self.questions.append(effect)
                case Send(to, RequestBars() as request):
                    assert to == "replay:prices"
                    self.requests.append(request)
                case AppendShared(stream, event, more):
                    assert stream == "signals:desk"
                    if not self.is_full:
                        self.journal += [event, *more]
                        self.tell(event, *more)

    def restarted(self) -> "Desk":
        desk = Desk()
        desk.machine = ForecastSource(self.machine.config)
        for fact in self.journal:
            desk.machine.apply(fact)
        desk.journal, desk.now = list(self.journal), self.now
        return desk

    @property
    def counts(self) -> dict[str, int]:
        view = self.machine.view()
        return {name: view[name] for name in ("asked", "published", "late", "failed", "waiting")}


def test_first_bar_after_the_history_is_asked_about_and_its_answer_published() -> None:
    desk = Desk().tell(Started(epoch=0))
    assert desk.requests[0].count == SIZE
    desk.tell(history_of(9), ModelFailed(sequence=9, reason="cold"), slice_of(10))
    question = desk.questions[-1]
    assert (question.sequence, question.horizon, question.timeout_ns) == (10, 5, 10**9)
    assert [each.symbol for each in question.histories] == [A, B]
    np.testing.assert_array_equal(question.histories[0].close, [11.0, 12.0, 10.0, 11.0])
    np.testing.assert_array_equal(question.histories[0].ts, np.arange(7, 11) * DAY)
    desk.now += 3_000_000
    desk.tell(answered(10))
    first = desk.journal[0]
    assert first == ForecastPublished(
        ts_event=10 * DAY + 3_000_000,
        ts_init=desk.now,
        correlation_id="feed/10",
        causation_id="forecast:desk/10",
        source="desk",
        instrument_id=A,
        expected_return=Decimal("0.0123457"),
        deviation=Decimal("0.02"),
        horizon_bars=5,
        expires_at=11 * DAY + DAY // 2,
        model="walk@1",
        as_of=10 * DAY,
        provider="cpu",
        latency_us=3_000,
        quantiles=(Decimal("-0.05"), Decimal("0.01"), Decimal("0.06")),
    )
    assert [fact.instrument_id for fact in desk.journal] == [A, B]
    assert not any(problem_of(fact) for fact in desk.journal)
    assert desk.counts == {"asked": 2, "published": 1, "late": 0, "failed": 1, "waiting": 0}


def test_answer_behind_a_newer_bar_is_late_and_the_newest_bar_is_asked_about() -> None:
    desk = Desk().tell(history_of(9))
    desk.tell(slice_of(10), slice_of(11), slice_of(12))
    assert [each.sequence for each in desk.questions] == [9]  # one question at a time
    desk.tell(answered(9))
    assert desk.journal == []
    assert [each.sequence for each in desk.questions] == [9, 12]
    desk.tell(answered(12))
    assert {fact.as_of for fact in desk.journal} == {12 * DAY}
    assert desk.counts == {"asked": 2, "published": 1, "late": 1, "failed": 0, "waiting": 0}


def test_answer_behind_its_own_expiry_is_late_though_no_bar_has_closed() -> None:
    desk = Desk().tell(history_of(9))
    desk.now += 2 * DAY
    desk.tell(answered(9))
    assert desk.journal == []
    assert desk.counts["late"] == 1


def test_failure_is_counted_with_its_reason_and_the_next_bar_is_asked_about() -> None:
    desk = Desk().tell(history_of(9), ModelFailed(sequence=9, reason="no answer within 1 s"))
    assert desk.machine.view()["last_failure"] == "no answer within 1 s"
    assert len(desk.questions) == 1  # the same bar is not asked about again
    desk.tell(slice_of(10))
    assert desk.questions[-1].sequence == 10


def test_outcome_of_an_earlier_life_or_a_second_one_has_no_effect() -> None:
    desk = Desk().tell(history_of(9), answered(8), ModelFailed(sequence=7, reason="x"))
    assert desk.counts["waiting"] == 1
    desk.tell(answered(9), answered(9), ModelFailed(sequence=9, reason="x"))
    assert len(desk.journal) == 2
    assert desk.counts == {"asked": 1, "published": 1, "late": 0, "failed": 0, "waiting": 0}


def test_restarted_source_does_not_publish_a_bar_twice() -> None:
    desk = Desk().tell(history_of(9), answered(9))
    again = desk.restarted().tell(Started(epoch=0), history_of(9))
    assert again.questions == []
    assert again.machine.state_hash() == desk.machine.state_hash()
    again.tell(slice_of(10))
    assert again.questions[-1].sequence == 10


def test_source_that_died_before_the_answer_asks_again_after_its_restart() -> None:
    desk = Desk().tell(history_of(9))
    again = desk.restarted().tell(history_of(9), answered(9))
    assert {fact.as_of for fact in again.journal} == {9 * DAY}


def test_started_on_a_running_source_asks_nothing_twice() -> None:
    desk = Desk().tell(history_of(9), Started(epoch=0), history_of(9))
    assert len(desk.questions) == 1


def test_forecasts_that_the_journal_did_not_take_count_as_failed() -> None:
    desk = Desk().tell(history_of(9))
    desk.is_full = True
    desk.tell(answered(9))
    assert desk.counts["waiting"] == 1
    desk.is_full = False
    desk.tell(slice_of(10), answered(10))
    assert desk.counts == {"asked": 2, "published": 1, "late": 0, "failed": 1, "waiting": 0}
    assert "journal" in desk.machine.view()["last_failure"]


def test_gap_in_the_slices_is_filled_from_history_before_anything_is_asked() -> None:
    desk = Desk().tell(history_of(9), answered(9), slice_of(12))
    assert len(desk.questions) == 1
    assert len(desk.requests) == 1
    desk.tell(history_of(11))
    np.testing.assert_array_equal(desk.questions[-1].histories[0].ts, np.arange(9, 13) * DAY)


def test_instrument_that_cannot_be_read_is_left_out() -> None:
    desk = Desk()
    flat = tuple(slice_of(i, (10.0 + i, 7.0)) for i in range(6, 10))
    desk.tell(BarsHistory(sequence=9, slices=flat))
    assert [each.symbol for each in desk.questions[0].histories] == [A]
    desk.tell(answered(9, A))
    assert [fact.instrument_id for fact in desk.journal] == [A]


def test_bars_of_the_training_are_not_asked_about_and_never_published() -> None:
    desk = Desk(trained_until=9 * DAY).tell(history_of(9), slice_of(10))
    assert [each.sequence for each in desk.questions] == [10]
    desk.tell(answered(10, data_cutoff=10 * DAY))  # a service that has another champion now
    assert desk.journal == []
    assert "trained on" in desk.machine.view()["last_failure"]


def test_answer_without_any_instrument_is_a_failure() -> None:
    desk = Desk().tell(history_of(9), ModelAnswered(sequence=9, answers=()))
    assert desk.counts["failed"] == 1


def test_window_that_is_not_full_asks_nothing() -> None:
    desk = Desk().tell(history_of(SIZE - 1))
    assert desk.questions == []


class SourceUnderFaults(RuleBasedStateMachine):
    """Any order of bars, outcomes, restarts and a full disk."""

    @initialize()
    def begin(self) -> None:
        self.desk = Desk().tell(Started(epoch=0), history_of(9))
        self.newest = 9

    @rule(skipped=st.integers(0, 2))
    def bar_closes(self, skipped: int) -> None:
        self.newest += 1 + skipped
        self.desk.tell(slice_of(self.newest), history_of(self.newest))

    @rule(back=st.integers(0, 3), is_answer=st.booleans(), took=st.integers(1, 3 * DAY))
    def outcome_arrives(self, back: int, is_answer: bool, took: int) -> None:
        self.desk.now += took
        if len(self.desk.questions) > back:
            asked = self.desk.questions[-1 - back].sequence
            failure = ModelFailed(sequence=asked, reason="x")
            self.desk.tell(answered(asked) if is_answer else failure)

    @rule(is_full=st.booleans())
    def disk(self, is_full: bool) -> None:
        self.desk.is_full = is_full

    @rule()
    def restart(self) -> None:
        self.desk = self.desk.restarted().tell(Started(epoch=0), history_of(self.newest))

    @invariant()
    def each_bar_is_published_once_and_never_late(self) -> None:
        if not hasattr(self, "desk"):
            return
        self.desk.machine.validate()
        facts = self.desk.journal
        assert len({(fact.as_of, fact.instrument_id) for fact in facts}) == len(facts)
        assert [fact.as_of for fact in facts] == sorted(fact.as_of for fact in facts)
        assert all(fact.as_of < fact.ts_event < fact.expires_at for fact in facts)


SourceUnderFaults.TestCase.settings = settings(
    deadline=None, max_examples=60, stateful_step_count=25
)
TestSourceUnderFaults = SourceUnderFaults.TestCase


# -- how long a forecast counts


def weekdays(count: int, holidays: Sequence[int] = ()) -> np.ndarray:
    """Closes at 21:00 of Mondays to Fridays; day 4 of 1970 was a Monday."""
    days = [d for d in range(4, 4 + 3 * count) if (d - 4) % 7 < 5 and d not in holidays]
    return np.array(days[:count], dtype=np.int64) * DAY + 21 * DAY // 24


def test_daily_forecast_of_a_friday_serves_monday_and_not_tuesday() -> None:
    ts = weekdays(60)
    for row in range(30, 55):
        until = expiry_after(ts[: row + 1], 1)
        assert ts[row + 1] < until < ts[row + 2]
        assert ts[row + 3] < expiry_after(ts[: row + 1], 3) < ts[row + 4]


def test_hourly_forecast_of_an_evening_serves_the_next_morning_and_not_the_hour_after() -> None:
    days = weekdays(40) // DAY * DAY
    hours = np.array([15, 16, 17, 18, 19, 20, 21]) * (DAY // 24)
    ts = (days[:, None] + hours).ravel()
    for row in range(150, 270):
        until = expiry_after(ts[: row + 1], 1)
        assert ts[row + 1] < until < ts[row + 2]


def test_long_weekend_that_the_window_has_seen_is_expected_again() -> None:
    monday = 4 + 7 * 6
    ts = weekdays(60, holidays=[monday])
    friday = int(np.flatnonzero(ts // DAY == monday + 11)[0])
    assert expiry_after(ts[: friday + 1], 1) == ts[friday] + 4 * DAY + DAY // 2


@pytest.mark.parametrize("valid_bars", [1, 2, 5])
def test_window_shorter_than_a_week_takes_its_longest_way(valid_bars: int) -> None:
    ts = np.cumsum([60, 60, 60, 90, 60, 60, 60, 60]) * 10**9
    longest = (ts[valid_bars:] - ts[:-valid_bars]).max()
    assert expiry_after(ts, valid_bars) == ts[-1] + longest + 30 * 10**9

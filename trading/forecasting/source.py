"""The machine that asks a model at every bar and publishes what it says: forecasts that no order waits for.

Whoever decides at bar n + 1 finds the forecast that was asked for at bar n. One question is open at a time, and the newest
bar is asked about as soon as the one before is answered, so a slow model is asked less often and nothing piles up.
An answer that comes when a newer bar has closed is late: it is counted and never published.

What becomes of the forecasts is watched (see `watch`): the next intervals are asked for by how the last ones held, and the
registry hears of it every 20 bars and whenever an alert appears or goes.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from trading.codec import digest_of
from trading.commands import RequestBars
from trading.data import BarsHistory, BarSlice
from trading.effects import AppendShared, AskModel, Effect, Send
from trading.events import Event, ForecastPublished, ModelAlarmed
from trading.forecasting.expiry import expiry_after
from trading.forecasting.history import History
from trading.forecasting.watch import Expectations, ModelWatch, alarm_stream, shares_of
from trading.identifiers import InstrumentId, MachineName, StreamName, Venue, machine_name
from trading.messages import Message
from trading.outcomes import (
    ModelAnswer,
    ModelAnswered,
    ModelFailed,
    ModelReportFailed,
    Started,
)
from trading.strategies.published import signal_stream
from trading.strategies.window import Window


class ForecastSourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, and how long an answer counts.

    Attributes
    ----------
    source : str
        Its facts go to `signals:<source>`.
    history : MachineName
        Who answers `RequestBars`.
    model : str
        What is asked: `nhits@3`, or what the forecasting service makes of `nhits@champion`.
    input_size : int
        Bars that the model reads.
    horizon_bars, valid_bars : int
        How far a forecast reaches, and for how many bars it may be traded on (>= 1).
    timeout_ns : int
        An answer that takes longer is given up (host time).
    trained_until : int
        Close of the last bar that the model was trained on (ns UTC): until then it is not asked, as it has
        seen what comes.
    expected : Expectations
        What is watched for.
    """

    source: str
    venue: Venue
    instruments: tuple[InstrumentId, ...]
    history: MachineName
    model: str
    input_size: int
    horizon_bars: int
    valid_bars: int
    timeout_ns: int
    trained_until: int = 0
    expected: Expectations = Expectations()


class _Question(msgspec.Struct, frozen=True):
    sequence: int
    as_of: int
    expires_at: int
    asked_at: int
    correlation_id: str
    miscoverage: tuple[float, ...] | None


class ForecastSource:
    """Asks about the newest bar, one question at a time; publishes each bar's forecasts once.

    What was published is known from the source's own stream, also after a restart. The counts are of questions
    since the start: each ends as published, late or failed.
    """

    def __init__(self, config: ForecastSourceConfig) -> None:
        self.config = config
        self._window = Window(config.instruments, max(config.input_size, config.valid_bars + 1))
        self._watch = ModelWatch(
            config.source,
            config.expected,
            input_size=config.input_size,
            horizon_bars=config.horizon_bars,
        )
        self._waiting: BarSlice | None = None
        self._correlation_id = ""
        self._question: _Question | None = None
        self._asked_as_of = 0
        self._told_as_of = 0
        """The newest bar whose forecasts are durable."""
        self._telling_as_of = 0
        """The bar whose forecasts were handed to the journal and not heard of since; 0 when there is none."""
        self._counts = {"asked": 0, "published": 0, "late": 0, "failed": 0}
        self._facts = 0
        self._last_failure = ""
        self._answered_by = ""

    @property
    def name(self) -> MachineName:
        return machine_name("forecast", self.config.source)

    @property
    def stream(self) -> StreamName | None:
        return None

    @property
    def follows(self) -> tuple[StreamName, ...]:
        return (signal_stream(self.config.source), alarm_stream(self.config.source))

    @property
    def subscribes(self) -> tuple[str, ...]:
        return (f"book.{self.config.venue}.slice",)

    def handle(self, message: Message, now: int) -> list[Effect]:
        match message:
            case BarSlice():
                return self._take_slice(message, now)
            case BarsHistory():
                return self._take_history(message, now)
            case ModelAnswered():
                return self._take_answer(message, now)
            case ModelFailed():
                return self._take_failure(message, now)
            case ModelReportFailed():
                self._watch.report_failed(message)
            case Started():
                return [self._request_history(now)]
            case Event():
                self.apply(message)
            case _:
                pass
        return []

    def apply(self, event: Event) -> None:
        if not isinstance(event, ForecastPublished | ModelAlarmed):
            return
        if event.source != self.config.source:
            return
        self._watch.apply(event)
        if isinstance(event, ForecastPublished):
            self._apply_forecast(event)

    def _apply_forecast(self, event: ForecastPublished) -> None:
        self._told_as_of = max(self._told_as_of, event.as_of)
        if self._telling_as_of and self._told_as_of >= self._telling_as_of:
            self._telling_as_of = 0
            self._counts["published"] += 1

    def view(self) -> Mapping[str, Any]:
        return {
            "model": self.config.model,
            "answered_by": self._answered_by,
            "sequence": self._window.last_sequence,
            "published_as_of": self._told_as_of,
            **self._counts,
            "waiting": self._open_count,
            "facts": self._facts,
            "last_failure": self._last_failure,
            "watch": self._watch.view(),
        }

    def state_hash(self) -> str:
        return digest_of(self._told_as_of)

    def validate(self) -> None:
        ended = self._counts["published"] + self._counts["late"] + self._counts["failed"]
        assert self._counts["asked"] == ended + self._open_count
        assert self._open_count <= 1

    @property
    def _open_count(self) -> int:
        return (self._question is not None) + (self._telling_as_of > 0)

    # -- bars

    def _take_slice(self, slice_: BarSlice, now: int) -> list[Effect]:
        window = self._window
        if window.count and slice_.sequence <= window.last_sequence:
            return []
        if window.count and slice_.sequence == window.last_sequence + 1:
            return self._add(slice_, now)
        self._waiting = slice_
        missed = slice_.sequence - window.last_sequence if window.count else 0
        return [self._request_history(now, missed)]

    def _take_history(self, history: BarsHistory, now: int) -> list[Effect]:
        window = self._window
        if history.sequence < window.last_sequence:
            return []
        waiting, self._waiting = self._waiting, None
        window.clear()
        for slice_ in history.slices:
            window.add(slice_)
            self._watch.bar_closed(window.bars())
        if waiting is not None and waiting.sequence == window.last_sequence + 1:
            return self._add(waiting, now)
        return self._ask(now)

    def _add(self, slice_: BarSlice, now: int) -> list[Effect]:
        self._window.add(slice_)
        self._correlation_id = slice_.correlation_id
        self._watch.bar_closed(self._window.bars())
        return [*self._watch.look(now), *self._ask(now)]

    def _request_history(self, now: int, missed: int = 0) -> Effect:
        count = self._window.length + max(missed, self._watch.bars_wanted)
        request = RequestBars(ts_init=now, count=count, reply_to=self.name)
        return Send(self.config.history, request)

    # -- questions

    def _ask(self, now: int) -> list[Effect]:
        """Ask about the newest bar, unless that was done or another question is open."""
        if not self._window.is_full or self._question is not None:
            return []
        bars = self._window.bars()
        as_of = int(bars.ts[-1])
        if as_of <= max(self._asked_as_of, self._told_as_of, self.config.trained_until):
            return []
        if self._telling_as_of:
            self._telling_as_of = 0
            self._fail("the journal did not take the forecasts")
        histories = _usable(bars.ts, bars.close, bars.volume, self.config)
        if not histories:
            return []
        self._asked_as_of = as_of
        self._counts["asked"] += 1
        self._question = _Question(
            self._window.last_sequence,
            as_of,
            expiry_after(bars.ts, self.config.valid_bars),
            now,
            self._correlation_id,
            self._watch.miscoverage,
        )
        return [
            AskModel(
                histories,
                self.config.horizon_bars,
                self._question.sequence,
                self.config.timeout_ns,
                self._question.miscoverage,
            )
        ]

    def _take_answer(self, message: ModelAnswered, now: int) -> list[Effect]:
        question = self._close(message.sequence)
        if question is None:
            return []
        known_at = question.as_of + max(1, now - question.asked_at)
        is_overtaken = self._window.last_sequence > question.sequence
        if is_overtaken or known_at >= question.expires_at:
            self._counts["late"] += 1
            return self._ask(now)
        answers = [each for each in message.answers if each.data_cutoff < question.as_of]
        if not answers:
            self._fail(
                "the model was trained on the bars that it was asked about"
                if message.answers
                else "the model said nothing of any instrument"
            )
            return []
        facts = [self._fact(each, question, known_at, now) for each in answers]
        bars = self._window.bars()
        for fact in facts:
            self._watch.forecast_made(fact, bars)
        self._answered_by = facts[0].model
        self._facts += len(facts)
        self._telling_as_of = question.as_of
        return [AppendShared(signal_stream(self.config.source), facts[0], tuple(facts[1:]))]

    def _take_failure(self, message: ModelFailed, now: int) -> list[Effect]:
        if self._close(message.sequence) is None:
            return []
        self._fail(message.reason)
        return self._ask(now)

    def _close(self, sequence: int) -> _Question | None:
        """Return the open question if it is that one; another's outcome is from an earlier life."""
        question = self._question
        if question is None or question.sequence != sequence:
            return None
        self._question = None
        return question

    def _fail(self, reason: str) -> None:
        self._counts["failed"] += 1
        self._last_failure = reason

    def _fact(
        self, answer: ModelAnswer, question: _Question, known_at: int, now: int
    ) -> ForecastPublished:
        """Market time goes on as host time does from the moment that the bar was heard of."""
        return ForecastPublished(
            ts_event=known_at,
            ts_init=now,
            correlation_id=question.correlation_id,
            causation_id=f"{self.name}/{question.sequence}",
            source=self.config.source,
            instrument_id=answer.instrument_id,
            expected_return=_decimal(answer.expected_return),
            deviation=_decimal(answer.deviation),
            horizon_bars=self.config.horizon_bars,
            expires_at=question.expires_at,
            model=answer.model,
            as_of=question.as_of,
            data_cutoff=answer.data_cutoff,
            provider=answer.provider,
            latency_us=(now - question.asked_at) // 1_000,
            quantiles=_decimals(answer.quantiles),
            path=tuple(_decimals(each) for each in answer.path),
            miscoverage=shares_of(question.miscoverage),
        )


def _usable(
    ts: np.ndarray[Any, Any],
    close: np.ndarray[Any, Any],
    volume: np.ndarray[Any, Any],
    config: ForecastSourceConfig,
) -> tuple[History, ...]:
    """Return copies of the windows that a model can read: prices above 0 that move."""
    size = config.input_size
    times, close, volume = ts[-size:].copy(), close[-size:], volume[-size:]
    can_read = np.isfinite(close).all(axis=0) & (close > 0).all(axis=0)
    can_read &= (close != close[0]).any(axis=0)
    has_volume = bool((volume > 0).any())
    return tuple(
        History(
            symbol=config.instruments[column],
            ts=times,
            close=close[:, column].copy(),
            volume=volume[:, column].copy() if has_volume else None,
        )
        for column in np.flatnonzero(can_read).tolist()
    )


def _decimals(numbers: tuple[float, ...]) -> tuple[Decimal, ...]:
    return tuple(_decimal(each) for each in numbers)


def _decimal(number: float) -> Decimal:
    """Six digits: more are no knowledge, and journalled numbers are no floats."""
    return Decimal(f"{number:.6g}")

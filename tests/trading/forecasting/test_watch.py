"""A source watches what becomes of its forecasts: counted as published, the same after a restart, told when it matters."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import RequestBars
from trading.data import Bar, BarsHistory, BarSlice
from trading.effects import AppendShared, AskModel, Effect, ReportModel, Send
from trading.events import Event, ForecastPublished, ModelAlarmed
from trading.forecasting.adaptive import AdaptiveMiscoverage
from trading.forecasting.conformal import Calibration, calibrate, calibrated
from trading.forecasting.input_drift import bins_of, window_summaries
from trading.forecasting.monitoring import MonitorReport
from trading.forecasting.prediction import COVERAGES, LEVELS, Prediction
from trading.forecasting.source import ForecastSource, ForecastSourceConfig
from trading.forecasting.watch import REPORT_BARS, Expectations
from trading.identifiers import InstrumentId, MachineName, StreamName, Venue
from trading.messages import Message
from trading.outcomes import (
    ModelAnswer,
    ModelAnswered,
    ModelFailed,
    ModelReportFailed,
    Started,
)

NAMES = (InstrumentId("A.XNAS"), InstrumentId("B.XNAS"))
DAY = 86_400 * 10**9
SIZE, UNIT = 8, 0.01
NOW = 1_700_000_000 * 10**9
NORMAL = np.array([-2.5758, -1.95996, -1.28155, -0.67449, 0, 0.67449, 1.28155, 1.95996, 2.5758])
WINDOWS = np.exp(np.cumsum(UNIT * np.random.default_rng(9).standard_normal((4_000, SIZE)), axis=1))
INPUTS = {name: bins_of(values) for name, values in window_summaries(WINDOWS).items()}
Model = Callable[[AskModel], Sequence[ModelAnswer]]


def walk_model(width: float = 1.0, version: str = "walk@1", unit: float = UNIT) -> Model:
    """Says that prices walk with steps of `unit`, `width` times as far as they should."""

    def answer(ask: AskModel) -> list[ModelAnswer]:
        reach = width * unit * np.sqrt(np.arange(1, ask.horizon + 1))
        return answers_of(ask, np.expm1(reach[:, None] * NORMAL), version)

    return answer


def calibrated_model(calibration: Calibration) -> Model:
    """Quantiles that never change, but for what the intervals are asked for."""

    def answer(ask: AskModel) -> list[ModelAnswer]:
        raw = Prediction(np.broadcast_to(UNIT * NORMAL, (1, 1, 9)).copy(), np.array([UNIT]))
        found = calibrated(raw, calibration, ask.miscoverage)
        return answers_of(ask, np.expm1(found.log_returns[0]), "walk@1")

    return answer


def answers_of(ask: AskModel, quantiles: np.ndarray, version: str) -> list[ModelAnswer]:
    *path, last = (tuple(step) for step in quantiles.tolist())
    return [
        ModelAnswer(
            instrument_id=InstrumentId(each.symbol),
            model=version,
            provider="cpu",
            data_cutoff=0,
            expected_return=0.0,
            deviation=0.01,
            quantiles=last,
            path=tuple(path),
        )
        for each in ask.histories
    ]


class Service:
    """A source in a host: a journal, a history of bars, and a model that answers at once."""

    def __init__(self, model: Model | None = None, horizon: int = 1, **expected: Any) -> None:
        self.model = model or walk_model()
        self.config = ForecastSourceConfig(
            source="desk",
            venue=Venue("paper"),
            instruments=NAMES,
            history=MachineName("replay:prices"),
            model="walk@1",
            input_size=SIZE,
            horizon_bars=horizon,
            valid_bars=1,
            timeout_ns=10**9,
            expected=Expectations(**{"model": "walk@1", **expected}),
        )
        self.slices: list[BarSlice] = []
        self.journal: dict[StreamName, list[Event]] = {}
        self.reports: list[tuple[int, ReportModel]] = []
        self.requests: list[int] = []
        self.is_full = False
        self.bars_known = 1_000
        self.now = NOW
        self.restart()

    @property
    def facts(self) -> list[Any]:
        return self.journal.get(StreamName("signals:desk"), [])

    @property
    def alarms(self) -> list[Any]:
        return self.journal.get(StreamName("alarms:desk"), [])

    @property
    def seen(self) -> Any:
        return self.machine.view()["watch"]

    @property
    def closes(self) -> np.ndarray:
        return np.array([[bar.close for bar in each.bars] for each in self.slices])

    def restart(self) -> None:
        self.machine = ForecastSource(self.config)
        for stream in self.machine.follows:
            for fact in self.journal.get(stream, []):
                self.machine.apply(fact)
        self.tell(Started(epoch=0))

    def tell(self, message: Message) -> None:
        self.perform(self.machine.handle(message, self.now))
        self.machine.validate()

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case AskModel():
                    self.now += 1_000
                    self.tell(
                        ModelAnswered(sequence=effect.sequence, answers=tuple(self.model(effect)))
                    )
                case Send(_, RequestBars(count=count)):
                    self.requests.append(count)
                    told = tuple(self.slices[-min(count, self.bars_known) :])
                    self.tell(BarsHistory(sequence=len(self.slices), slices=told))
                case AppendShared(stream, event, more) if not self.is_full:
                    for fact in (event, *more):
                        self.journal.setdefault(stream, []).append(fact)
                        self.tell(fact)
                case ReportModel():
                    self.reports.append((len(self.slices), effect))

    def close(self, prices: Sequence[float], *, heard: bool = True) -> None:
        number = len(self.slices) + 1
        bars = tuple(
            Bar(instrument_id=name, open=x, high=x, low=x, close=x)
            for name, x in zip(NAMES, prices, strict=True)
        )
        self.slices.append(BarSlice(ts_event=number * DAY, sequence=number, bars=bars))
        if heard:
            self.tell(self.slices[-1])

    def live(self, returns: np.ndarray) -> "Service":
        """One bar for each row of log returns."""
        for row in np.atleast_2d(returns):
            last = self.closes[-1] if self.slices else np.full(len(NAMES), 100.0)
            self.close((last * np.exp(row)).tolist())
        return self


def walk(bars: int, seed: int = 0, unit: float = UNIT) -> np.ndarray:
    return unit * np.random.default_rng(seed).standard_normal((bars, len(NAMES)))


# -- counting


def counted(service: Service, horizon: int) -> list[dict[str, Any]]:
    """Each published forecast whose bars have closed, from the journal and the prices alone."""
    closes, found = service.closes, []
    for fact in service.facts:
        row, column = fact.as_of // DAY - 1, NAMES.index(fact.instrument_id)
        if row + horizon >= len(closes):
            continue
        window = [math.log(x) for x in closes[row - SIZE + 1 : row + 1, column]]
        moves = [b - a for a, b in pairwise(window)]
        unit = math.sqrt(sum(move**2 for move in moves) / len(moves))
        inside, loss = np.zeros(4), 0.0
        for step, levels in enumerate((*fact.path, fact.quantiles), start=1):
            change = closes[row + step, column] / closes[row, column] - 1.0
            for k in range(4):
                inside[k] += float(levels[3 - k]) <= change <= float(levels[5 + k])
            for level, value in zip(LEVELS, levels, strict=True):
                miss = math.log1p(change) - math.log1p(float(value))
                loss += max(level * miss, (level - 1.0) * miss) / len(LEVELS)
        found.append({"inside": inside / horizon, "loss": loss / horizon / unit})
    return found


@pytest.mark.parametrize("horizon", [1, 3])
def test_what_is_seen_is_what_facts_and_prices_say(horizon: int) -> None:
    service = Service(horizon=horizon, loss=0.25, inputs=INPUTS).live(walk(60))
    expected = counted(service, horizon)
    seen = service.seen
    assert seen["forecasts"] == len(expected) == 2 * (60 - SIZE + 1 - horizon)
    shares = np.mean([each["inside"] for each in expected], axis=0)
    np.testing.assert_allclose([seen["coverage"][str(c)] for c in COVERAGES], shares)
    assert seen["error_ratio"] == pytest.approx(np.mean([each["loss"] for each in expected]) / 0.25)
    assert set(seen["input_drift"]) == {"last_return", "volatility", "trend"}


def test_late_forecast_is_not_counted() -> None:
    service = Service().live(walk(SIZE + 4))
    before = service.seen["forecasts"]
    asked: list[AskModel] = []
    service.model = lambda ask: asked.append(ask) or []  # type: ignore[func-returns-value]
    service.perform = lambda effects: asked.extend(  # type: ignore[method-assign]
        each for each in effects if isinstance(each, AskModel)
    )
    service.live(walk(2, seed=5))
    late = ModelAnswered(sequence=asked[0].sequence, answers=tuple(walk_model()(asked[0])))
    service.tell(late)
    assert service.machine.view()["late"] == 1
    service.tell(ModelFailed(sequence=asked[-1].sequence, reason="x"))
    service.live(walk(3, seed=6))
    assert service.seen["forecasts"] == before + 2  # of the forecasts before the late one


def test_fact_that_says_less_than_every_quantile_is_published_and_not_counted() -> None:
    def short(ask: AskModel) -> list[ModelAnswer]:
        return answers_of(ask, np.array([[-0.01, 0.0, 0.01]]), "walk@1")

    service = Service(short).live(walk(SIZE + 5))
    assert len(service.facts) == 12
    assert "forecasts" not in service.seen
    assert service.reports == []


# -- restarts


@settings(deadline=None, max_examples=15)
@given(st.sets(st.integers(1, 59), max_size=6), st.integers(1, 3), st.booleans())
def test_restarted_source_sees_what_one_without_restarts_sees(
    restarts: set[int], horizon: int, is_adaptive: bool
) -> None:
    facts = {"horizon": horizon, "loss": 0.25, "inputs": INPUTS, "is_adaptive": is_adaptive}
    through, killed = Service(**facts), Service(**facts)
    for number, row in enumerate(walk(60, unit=2 * UNIT)):
        through.live(row)
        if number in restarts:
            killed.close((killed.closes[-1] * np.exp(row)).tolist(), heard=False)
            killed.restart()
        else:
            killed.live(row)
    ours = {name: value for name, value in killed.seen.items() if "report" not in name}
    assert ours == {name: value for name, value in through.seen.items() if "report" not in name}
    assert [(f.as_of, f.instrument_id, f.quantiles, f.miscoverage) for f in killed.facts] == [
        (f.as_of, f.instrument_id, f.quantiles, f.miscoverage) for f in through.facts
    ]


def test_restart_asks_for_the_history_of_its_forecasts_and_the_first_start_does_not() -> None:
    service = Service(horizon=3)
    service.live(walk(SIZE + 2))
    assert service.requests[0] == SIZE
    service.restart()
    assert service.requests[-1] == SIZE + 250 + 3


def test_after_a_long_life_the_recent_moments_and_the_miscoverage_survive() -> None:
    service = Service(walk_model(width=0.9), is_adaptive=True, inputs=INPUTS, loss=0.25)
    service.live(walk(400))
    before = service.seen
    service.restart()
    after = service.seen
    for name in ("moments", "coverage", "input_drift", "error_ratio", "miscoverage"):
        assert after[name] == pytest.approx(before[name]), name
    assert after["forecasts"] < before["forecasts"]
    assert after["miscoverage"] != AdaptiveMiscoverage().shares


def test_forecasts_of_which_the_history_does_not_tell_are_not_counted() -> None:
    service = Service().live(walk(60))
    service.bars_known = SIZE + 5
    service.restart()
    assert service.seen["forecasts"] == 2 * 5
    expected = counted(service, 1)[-10:]
    shares = np.mean([each["inside"] for each in expected], axis=0)
    np.testing.assert_allclose([service.seen["coverage"][str(c)] for c in COVERAGES], shares)


def test_gap_in_the_bars_is_filled_however_long_it_was() -> None:
    rows = walk(80)
    through, missed = Service(horizon=2).live(rows), Service(horizon=2).live(rows[:30])
    for row in rows[30:65]:
        missed.close((missed.closes[-1] * np.exp(row)).tolist(), heard=False)
    missed.live(rows[65:])
    assert missed.requests[-1] == SIZE + 36
    expected = counted(missed, 2)
    assert missed.seen["forecasts"] == len(expected) < through.seen["forecasts"]
    shares = np.mean([each["inside"] for each in expected], axis=0)
    np.testing.assert_allclose([missed.seen["coverage"][str(c)] for c in COVERAGES], shares)


# -- adaptive intervals


def heavy_calibration() -> Calibration:
    outcomes = UNIT * np.random.default_rng(3).standard_t(3, (20_000, 1))
    raw = Prediction(np.broadcast_to(UNIT * NORMAL, (20_000, 1, 9)), np.full(20_000, UNIT))
    return calibrate(raw, outcomes)


def share_inside(service: Service, since_row: int) -> np.ndarray:
    """Coverage of all published one-bar forecasts since a bar."""
    closes, hits = service.closes, []
    for fact in service.facts:
        row, column = fact.as_of // DAY - 1, NAMES.index(fact.instrument_id)
        if since_row <= row < len(closes) - 1:
            change = closes[row + 1, column] / closes[row, column] - 1.0
            q = [float(each) for each in fact.quantiles]
            hits.append([q[3 - k] <= change <= q[5 + k] for k in range(4)])
    return np.mean(hits, axis=0)


def test_intervals_that_adapt_hold_what_they_say_after_the_volatility_tripled() -> None:
    rng = np.random.default_rng(4)
    calm, wild = (
        UNIT * width * rng.standard_t(3, (bars, 2)) for width, bars in ((1, 300), (3, 1_200))
    )
    coverage = {}
    for is_adaptive in (False, True):
        service = Service(calibrated_model(heavy_calibration()), is_adaptive=is_adaptive)
        service.live(calm)
        np.testing.assert_allclose(share_inside(service, 0)[1:3], [0.8, 0.95], atol=0.04)
        service.live(wild)
        coverage[is_adaptive] = share_inside(service, 300 + 200)
    assert coverage[False][1] < 0.5
    assert coverage[False][2] < 0.8
    np.testing.assert_allclose(coverage[True][1:3], [0.8, 0.95], atol=0.03)


def test_question_carries_the_miscoverage_and_the_fact_keeps_it() -> None:
    service = Service(walk_model(width=0.3), is_adaptive=True).live(walk(SIZE))
    first = service.facts[0].miscoverage
    assert tuple(map(float, first)) == AdaptiveMiscoverage().shares
    service.live(walk(30))
    shares = tuple(map(float, service.facts[-1].miscoverage))
    assert shares == service.seen["miscoverage"]
    assert all(new < old for new, old in zip(shares, map(float, first), strict=True))


def test_intervals_of_a_model_without_calibration_do_not_adapt() -> None:
    service = Service(walk_model(width=0.3)).live(walk(30))
    assert service.seen["miscoverage"] is None
    assert {fact.miscoverage for fact in service.facts} == {()}


# -- telling


def narrow_then_right(service: Service) -> None:
    service.model = walk_model(width=0.3)
    service.live(walk(130))
    service.model = walk_model()
    service.live(walk(400, seed=2))


def test_report_comes_every_20_bars_and_when_alerts_change() -> None:
    service = Service()
    narrow_then_right(service)
    told: dict[int, MonitorReport] = {bar: each.report for bar, each in service.reports}
    names = [set(each.alert_names) for each in told.values()]
    bars = list(told)
    changes = [bar for bar, old, new in zip(bars[1:], names, names[1:], strict=False) if old != new]
    regular = {bar for bar in bars if bar not in changes}
    assert bars[0] == SIZE + 1  # the first bar after the first forecast
    # the first bar was told by the history: it is not one of those that are counted
    assert {(bar - 1) % REPORT_BARS for bar in regular - {SIZE + 1}} == {0}
    assert len(regular) >= len(service.slices) // REPORT_BARS - len(changes)
    assert any(each.alerts for each in told.values())
    assert changes
    assert told[bars[-1]].alerts == ()
    assert {each.reference for _, each in service.reports} == {"walk@1"}


def test_alarm_is_a_fact_once_when_it_appears_and_once_when_it_goes() -> None:
    service = Service()
    narrow_then_right(service)
    by_name: dict[str, list[ModelAlarmed]] = {}
    for each in service.alarms:
        by_name.setdefault(each.alarm, []).append(each)
    assert "coverage 0.8" in by_name
    for facts in by_name.values():
        assert [bool(each.reason) for each in facts] == [True, False] * (len(facts) // 2)
    first = by_name["coverage 0.8"][0]
    assert (first.source, first.model) == ("desk", "walk@1")
    assert first.reason.startswith("The 80 % interval held")


def test_standing_alarm_is_not_told_again_after_a_restart() -> None:
    service = Service(walk_model(width=0.3)).live(walk(130))
    told = list(service.alarms)
    assert told
    service.restart()
    service.live(walk(5, seed=8))
    assert service.alarms == told


def test_alarm_that_the_journal_did_not_take_is_told_later() -> None:
    service = Service(walk_model(width=0.3)).live(walk(100))
    service.is_full = True
    service.live(walk(15, seed=4))
    assert service.seen["alerts"]
    assert service.alarms == []
    service.is_full = False
    service.live(walk(REPORT_BARS, seed=5))
    names = [each.alarm for each in service.alarms]
    assert len(set(names)) == len(names) > 0


def test_report_that_was_not_put_down_is_counted_and_the_next_bar_reports_again() -> None:
    service = Service().live(walk(SIZE + 3))
    assert [bar for bar, _ in service.reports] == [SIZE + 1]
    service.tell(ModelReportFailed(reference="walk@1", reason="no space left"))
    seen = service.seen
    assert (seen["reports"], seen["reports_failed"]) == (0, 1)
    assert seen["last_report_failure"] == "no space left"
    service.live(walk(2, seed=1))
    assert [bar for bar, _ in service.reports] == [SIZE + 1, SIZE + 4]


def test_inputs_unlike_those_of_the_training_raise_an_alert_that_goes_again() -> None:
    service = Service(inputs=INPUTS).live(walk(60))
    assert service.seen["alerts"] == ()
    service.live(np.abs(walk(60, seed=1)))  # nothing but rises
    assert "drift trend" in [each.alarm for each in service.alarms]
    service.live(walk(300, seed=2))
    assert service.seen["alerts"] == ()
    assert service.alarms[-1].reason == ""


# -- versions


def test_each_version_that_answers_is_counted_alone() -> None:
    service = Service(inputs=INPUTS, loss=0.25).live(walk(30))
    before = service.seen["forecasts"]
    service.model = walk_model(version="walk@2")
    service.live(walk(20, seed=1))
    assert service.seen["model"] == "walk@2"
    assert service.seen["forecasts"] == 2 * (20 - 1)
    assert service.seen["input_drift"] == {}  # nothing is known of its training here
    assert service.seen["error_ratio"] is None
    last = {each.reference: each.report for _, each in service.reports}
    assert last["walk@1"].forecasts == before + 2


def test_version_of_an_earlier_life_is_not_reported_and_its_miscoverage_is_not_used() -> None:
    service = Service(walk_model(width=0.3), is_adaptive=True).live(walk(30))
    facts = {"model": "walk@2", "is_adaptive": True}
    service.config = type(service.config)(
        **{name: getattr(service.config, name) for name in service.config.__struct_fields__}
        | {"model": "walk@2", "expected": Expectations(**facts)}
    )
    service.model = walk_model(version="walk@2")
    service.reports.clear()
    service.restart()
    service.live(walk(1, seed=1))
    assert tuple(map(float, service.facts[-1].miscoverage)) == AdaptiveMiscoverage().shares
    service.live(walk(25, seed=2))
    assert {each.reference for _, each in service.reports} == {"walk@2"}


def test_no_more_than_four_versions_are_watched() -> None:
    service = Service()
    for number in range(1, 8):
        service.model = walk_model(version=f"walk@{number}")
        service.live(walk(SIZE + 2, seed=number))
    service.reports.clear()
    service.live(walk(REPORT_BARS, seed=20))
    assert {each.reference for _, each in service.reports} == {f"walk@{n}" for n in (4, 5, 6, 7)}


def test_journalled_quantiles_are_decimals() -> None:
    service = Service(horizon=2).live(walk(SIZE))
    fact = service.facts[0]
    assert isinstance(fact, ForecastPublished)
    assert len(fact.path) == 1
    assert all(isinstance(each, Decimal) for each in (*fact.quantiles, *fact.path[0]))

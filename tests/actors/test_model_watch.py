"""From a registered model to its forecasts, to what became of them, and back to the registry."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
import pytest

from actors import forecast_sessions
from actors.blueprint import Blueprint, ForecastPlan, ReplayPlan, build
from actors.forecast_calls import ForecastPort, ask_model
from actors.forecast_sessions import ForecastSessions, port_of
from actors.models.forecaster import ModelAccess
from actors.models.in_service import expectations_of, put_down
from actors.models.manifest import InputBins
from actors.models.registry import ModelRegistry
from actors.runner import Command
from trading.commands import RequestBars
from trading.data import Bar, BarsHistory, BarSlice
from trading.effects import AppendShared, AskModel, Effect, ReportModel, Send
from trading.errors import ModelRefused
from trading.events import ForecastPublished
from trading.forecasting.conformal import calibrate, calibrated
from trading.forecasting.input_drift import bins_of, window_summaries
from trading.forecasting.monitoring import MonitorReport
from trading.forecasting.prediction import Prediction
from trading.forecasting.scores import pinball
from trading.identifiers import AccountId, machine_name
from trading.messages import Message
from trading.outcomes import ModelReportFailed, Started

SIZE, UNIT, DAY = 12, 0.01, 86_400 * 10**9
SOURCE = machine_name("forecast", "desk")
Z = np.array([-2.6, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.6])
"""Of the graph of `tests.conftest`."""


@pytest.fixture(scope="module")
def trained(trend_model: Callable[..., Any]) -> tuple[Any, dict[str, bytes]]:
    """A model of a random walk, with all that its training would have put down."""
    walk = np.random.default_rng(1).standard_normal((4_000, SIZE + 1))
    close = np.exp(UNIT * np.cumsum(walk[:, :SIZE], axis=1))
    scale = np.sqrt((np.diff(np.log(close), axis=1) ** 2).mean(axis=1))
    raw = Prediction(scale[:, None, None] * Z, scale)
    bins = {name: bins_of(values) for name, values in window_summaries(close).items()}
    manifest, files = trend_model("nhits", input_size=SIZE, horizon=1, slope=0.0)
    outcomes = UNIT * walk[:, SIZE:]
    calibration = calibrate(raw, outcomes)
    loss = pinball(calibrated(raw, calibration), outcomes).mean(axis=1) / scale
    facts = {
        "calibration": calibration,
        "inputs": {
            name: InputBins(edges=tuple(edges.tolist()), shares=tuple(shares.tolist()))
            for name, (edges, shares) in bins.items()
        },
        "metrics": {"pinball_in_deviations": float(loss.mean())},
    }
    return msgspec.structs.replace(manifest, **facts), files


@pytest.fixture
def registry(tmp_path: Path, trained: tuple[Any, dict[str, bytes]]) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path / "models"))
    registry.register(*trained)
    return registry


def a_blueprint(registry: ModelRegistry) -> Blueprint:
    manifest = registry.manifest("nhits@1")
    plan = ForecastPlan(
        name="desk",
        model="nhits@1",
        input_size=SIZE,
        horizon_bars=1,
        timeout_ns=60 * 10**9,
        expected=expectations_of(manifest, 1),
    )
    return Blueprint(
        account_id=AccountId("A"),
        initial_cash=Decimal(1),
        replay=ReplayPlan(
            source="sp500", symbols=("A", "B"), days=5, pace_ns=0, settle_timeout_ns=1
        ),
        strategies=(),
        forecasts=(plan,),
        models=ModelAccess(url=registry.url),
    )


class Desk:
    """The source of a blueprint with its real model and its real registry, bar by bar."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        blueprint = a_blueprint(registry)
        self.names = tuple(blueprint.instruments_by_id)
        self.machine = build(blueprint, SOURCE, b"a secret")()
        self.port: ForecastPort = port_of(blueprint.forecasts[0], blueprint.models)
        self.loop = asyncio.new_event_loop()
        self.slices: list[BarSlice] = []
        self.facts: list[ForecastPublished] = []
        self.last = np.full(2, 50.0)
        self.tell(Started(epoch=0))

    def end(self) -> None:
        self.loop.run_until_complete(self.port.close())
        self.loop.close()

    def tell(self, message: Message) -> None:
        self.perform(self.machine.handle(message, len(self.slices) * DAY))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case AskModel():
                    self.tell(self.loop.run_until_complete(ask_model(self.port, effect, int)))
                case Send(_, RequestBars(count=count)):
                    told = tuple(self.slices[-count:])
                    self.tell(BarsHistory(sequence=len(self.slices), slices=told))
                case AppendShared(_, event, more):
                    for fact in (event, *more):
                        self.facts += [fact] if isinstance(fact, ForecastPublished) else []
                        self.tell(fact)
                case ReportModel():
                    put_down(self.registry, effect.reference, effect.report)

    def live(self, returns: np.ndarray) -> None:
        for row in returns:
            self.last = self.last * np.exp(row)
            number = len(self.slices) + 1
            bars = tuple(
                Bar(instrument_id=name, open=x, high=x, low=x, close=x)
                for name, x in zip(self.names, self.last.tolist(), strict=True)
            )
            self.slices.append(BarSlice(ts_event=number * DAY, sequence=number, bars=bars))
            self.tell(self.slices[-1])


@pytest.fixture
def desk(registry: ModelRegistry) -> Iterator[Desk]:
    desk = Desk(registry)
    yield desk
    desk.end()


def promote(registry: ModelRegistry) -> None:
    registry.promote("nhits@1", "champion", by="test", why="live", at=1)


def test_model_that_sees_what_it_was_trained_on_may_become_champion(desk: Desk) -> None:
    desk.live(UNIT * np.random.default_rng(2).standard_normal((150, 2)))
    report = desk.registry.report("nhits@1")
    assert report is not None
    assert report.alerts == ()
    assert report.moments >= 100
    assert report.coverage["0.8"] == pytest.approx(0.8, abs=0.08)
    assert report.error_ratio == pytest.approx(1.0, abs=0.15)
    promote(desk.registry)


def test_drift_of_the_inputs_blocks_the_promotion_until_it_is_over(desk: Desk) -> None:
    rng = np.random.default_rng(3)
    desk.live(UNIT * np.abs(rng.standard_normal((80, 2))))  # every bar rises
    with pytest.raises(ModelRefused, match="nhits@1 has an alarm"):
        promote(desk.registry)
    assert "The input trend is not distributed as in training" in "".join(
        desk.machine.view()["watch"]["alerts"]
    )
    desk.live(UNIT * rng.standard_normal((300, 2)))
    assert desk.machine.view()["watch"]["alerts"] == ()
    promote(desk.registry)
    assert desk.registry.resolve("nhits@champion") == ("nhits", 1)


def test_published_intervals_are_those_that_the_miscoverage_asks_for(desk: Desk) -> None:
    desk.live(UNIT * np.random.default_rng(4).standard_t(2, (120, 2)))
    session = ModelAccess(url=desk.registry.url).session("nhits@1")
    asked = {fact.miscoverage for fact in desk.facts}
    assert len(asked) > 100
    for fact in desk.facts[::25]:
        number = fact.as_of // DAY
        column = desk.names.index(fact.instrument_id)
        window = [each.bars[column].close for each in desk.slices[number - SIZE : number]]
        raw = session.predict_raw({"close": np.array([window])})
        wanted = calibrated(
            raw, session.manifest.calibration, [float(each) for each in fact.miscoverage]
        )
        np.testing.assert_allclose(
            [float(each) for each in fact.quantiles], np.expm1(wanted.log_returns[0, -1]), rtol=1e-5
        )


def test_session_without_miscoverage_is_as_calibrated(registry: ModelRegistry) -> None:
    session = ModelAccess(url=registry.url).session("nhits@1")
    inputs = {"close": 50.0 + np.arange(SIZE, dtype=np.float64)[None] % 5}
    plain, same, wide = (
        session.predict(inputs, shares).log_returns
        for shares in (None, (0.5, 0.2, 0.05, 0.01), (0.0, 0.0, 0.0, 0.0))
    )
    np.testing.assert_array_equal(plain, same)
    assert (wide[..., -1] > plain[..., -1]).all()


# -- the registry beside the loop


def a_report(*alerts: str) -> MonitorReport:
    return MonitorReport(
        forecasts=1,
        coverage={},
        input_drift={},
        error_ratio=None,
        alerts=alerts,
        updated_at=1,
    )


def test_host_puts_reports_down_in_their_order_before_it_closes(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast_sessions, "CLOSE_TIMEOUT_S", 60.0)  # of a disk that is busy
    arrived: SimpleQueue[Command] = SimpleQueue()
    sessions = ForecastSessions(a_blueprint(registry), (SOURCE,))
    sessions.start(arrived.put)
    try:
        for number in range(20):
            sessions.report(SOURCE, ReportModel("nhits@1", a_report(f"number {number}")))
    finally:
        sessions.close()
    found = registry.report("nhits@1")
    assert found is not None
    assert found.alerts == ("number 19",)
    assert arrived.empty()


@pytest.mark.parametrize(
    ("reference", "url", "reason"),
    [("nhits@7", None, "no 'nhits@7'"), ("nhits@1", "", "No registry was named")],
)
def test_report_that_cannot_be_put_down_comes_back_with_its_reason(
    registry: ModelRegistry, reference: str, url: str | None, reason: str
) -> None:
    blueprint = a_blueprint(registry)
    if url is not None:
        blueprint = msgspec.structs.replace(blueprint, models=ModelAccess(url=url))
    arrived: SimpleQueue[Command] = SimpleQueue()
    sessions = ForecastSessions(blueprint, (SOURCE,))
    sessions.start(arrived.put)
    try:
        sessions.report(SOURCE, ReportModel(reference, a_report()))
        command = arrived.get(timeout=60)
    finally:
        sessions.close()
    assert command.to == SOURCE
    assert isinstance(command.message, ModelReportFailed)
    assert command.message.reference == reference
    assert reason in command.message.reason

"""A source of forecasts under faults: nobody trades on an expired forecast, the counts add up, trading goes on."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from actors.blueprint import Blueprint, ForecastPlan, StrategyPlan
from actors.feeds.sources import load_prices
from actors.simulation.memory_journal import MemoryJournal
from actors.simulation.seeded_faults import FORECAST_PROFILES, MS, Profile
from actors.simulation.simulation import SYMBOLS, Simulation, SimulationReport, blueprint_for
from trading.codec import decode
from trading.commands import SubmitOrder
from trading.effects import ReportModel
from trading.events import ForecastPublished
from trading.forecasting.adaptive import RATE, AdaptiveMiscoverage
from trading.forecasting.input_drift import bins_of
from trading.forecasting.prediction import COVERAGES
from trading.forecasting.watch import Expectations
from trading.identifiers import InstrumentId, StrategyId, StreamName, machine_name
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_RETURN
from trading.strategies.strategy import Bars
from trading.values import OrderSide

SEER = StrategyId("seer")
SOURCE = "desk"
HORIZON = 5
SEEDS = range(5)
FIVE_DAYS = 5 * 86_400_000 * MS
"""One daily bar, over a long weekend."""


class Seer:
    """Holds what is expected to rise; remembers what it was told at every decision, over all its lives."""

    lookback = 3

    def __init__(self) -> None:
        self.told: dict[int, dict[InstrumentId, float]] = {}

    def targets(self, bars: Bars) -> FloatArray:
        expected = bars.signals[FORECAST_RETURN][-1]
        now = int(bars.ts[-1])
        self.told[now] = {
            name: float(value)
            for name, value in zip(bars.instrument_ids, expected, strict=True)
            if np.isfinite(value)
        }
        weights = np.zeros(bars.close.shape)
        weights[-1] = np.where(np.nan_to_num(expected) > 0, 0.15, 0.0)
        return weights


def a_blueprint(seed: int) -> Blueprint:
    return msgspec.structs.replace(
        blueprint_for(seed, 40),
        strategies=(
            StrategyPlan(
                strategy_id=SEER,
                kind="neural_trend",
                capital=Decimal("0.5"),
                signals={"forecast": SOURCE},
            ),
            StrategyPlan(strategy_id=StrategyId("trend"), kind="momentum", capital=Decimal("0.4")),
        ),
        forecasts=(
            ForecastPlan(
                name=SOURCE,
                model="simulated@1",
                input_size=16,
                horizon_bars=HORIZON,
                timeout_ns=100 * MS,
                expected=Expectations(
                    model="simulated@1",
                    inputs={"trend": bins_of(np.random.default_rng(1).standard_normal(1_000))},
                    is_adaptive=True,
                ),
            ),
        ),
    )


class Run:
    def __init__(self, seed: int, profile: Profile) -> None:
        self.seer = Seer()
        self.simulation = Simulation(
            seed, profile=profile, blueprint=a_blueprint(seed), strategies={SEER: self.seer}
        )
        calm_down, self.counts = self.simulation._calm_down, dict[str, int]()

        def count_and_calm_down() -> None:
            self.counts = self._counts()
            calm_down()

        restart, self.living = self.simulation._restart_everything, dict[str, Any]()

        def look_and_restart() -> None:
            self.living = self.view("forecast", SOURCE)
            restart()

        self.simulation._calm_down = count_and_calm_down
        self.simulation._restart_everything = look_and_restart
        self.reports: list[ReportModel] = []
        self.simulation.bus.on_report = self.reports.append
        self.report: SimulationReport = self.simulation.run()

    def _counts(self) -> dict[str, int]:
        """At the end of the replay, before everything is restarted; of what lives then."""
        bus = self.simulation.bus
        source = bus.machine(machine_name("forecast", SOURCE))
        seer = bus.machine(machine_name("strategy", SEER))
        view = {} if source is None else source.view()
        counts = {name: view.get(name, 0) for name in ("asked", "published", "late", "failed")}
        return {**counts, "stale": 0 if seer is None else seer.view()["published"]["stale"]}

    @property
    def facts(self) -> list[ForecastPublished]:
        stream = StreamName(f"signals:{SOURCE}")
        found = [decode(r.payload) for r in MemoryJournal(self.simulation.disk).read(stream)]
        assert all(isinstance(fact, ForecastPublished) for fact in found)
        return found

    @property
    def orders(self) -> list[SubmitOrder]:
        exchange = self.simulation._exchange()
        account = self.simulation.blueprint.account_id
        return [
            order
            for one in exchange.orders(account)
            for record in exchange.requests_for(one.client_order_id)
            if isinstance(order := decode(record.payload), SubmitOrder)
            and order.strategy_id == SEER
            and order.purpose == "target"
        ]

    @property
    def has_heard_all(self) -> bool:
        """The source of before the last restart: of the last bar, and nothing that the disk then refused."""
        is_last = self.living["sequence"] == self.view("forecast", SOURCE)["sequence"]
        return is_last and not self.simulation.faults.profile.disk_full

    def judged(self) -> list[list[float]]:
        """Part of the steps inside each interval, of each fact whose bars have closed; from journal and prices."""
        table = load_prices("sp500", SYMBOLS)
        rows = {int(ts): row for row, ts in enumerate(table.ts)}
        columns = {str(name): column for column, name in enumerate(table.instrument_ids)}
        found = []
        for fact in self.facts:
            row, column = rows[fact.as_of], columns[fact.instrument_id]
            later = table.close[row + 1 : row + 1 + HORIZON, column] / table.close[row, column] - 1
            if len(later) == HORIZON:
                steps = [[float(q) for q in step] for step in (*fact.path, fact.quantiles)]
                inside = [
                    [step[3 - k] <= move <= step[5 + k] for k in range(4)]
                    for step, move in zip(steps, later.tolist(), strict=True)
                ]
                found.append(np.mean(inside, axis=0).tolist())
        return found

    def view(self, kind: str, key: str) -> dict[str, Any]:
        machine = self.simulation.bus.machine(machine_name(kind, key))
        assert machine is not None
        return dict(machine.view())


@pytest.fixture(scope="module", params=FORECAST_PROFILES, ids=lambda each: each.name)
def runs(request: pytest.FixtureRequest) -> list[Run]:
    return [Run(seed, request.param) for seed in SEEDS]


def test_trading_goes_on_and_the_books_agree(runs: list[Run]) -> None:
    for run in runs:
        assert run.report.is_clean, run.report
        assert run.report.fills > 0
    assert sum(len(run.orders) for run in runs) > 20


def test_every_forecast_that_was_traded_on_was_known_and_had_not_expired(runs: list[Run]) -> None:
    seen = 0
    for run in runs:
        by_name: dict[InstrumentId, list[ForecastPublished]] = defaultdict(list)
        for fact in run.facts:
            by_name[fact.instrument_id].append(fact)
        for now, told in run.seer.told.items():
            for name, value in told.items():
                valid = [f for f in by_name[name] if f.ts_event <= now <= f.expires_at]
                assert value in {float(fact.expected_return) for fact in valid}
                assert all(fact.as_of < now <= fact.as_of + FIVE_DAYS for fact in valid)
                seen += 1
    assert seen > 100


def test_nothing_was_bought_without_a_forecast(runs: list[Run]) -> None:
    bought = 0
    for run in runs:
        for order in run.orders:
            if order.side is OrderSide.BUY:
                assert run.seer.told[order.ts_event][order.instrument_id] > 0
                bought += 1
    assert bought > 10


def test_no_bar_is_published_twice_also_after_restarts(runs: list[Run]) -> None:
    for run in runs:
        published = [(fact.as_of, fact.instrument_id) for fact in run.facts]
        assert len(set(published)) == len(published)


def test_questions_end_in_one_way_each(runs: list[Run]) -> None:
    for run in runs:
        view = run.view("forecast", SOURCE)
        ended = sum(view[name] for name in ("published", "late", "failed", "waiting"))
        assert view["asked"] == ended


def test_what_a_strategy_heard_is_what_was_published(runs: list[Run]) -> None:
    for run in runs:
        published = run.view("strategy", SEER)["published"]
        assert published["heard"] == len(run.facts)
        assert published["invalid"] == 0


def test_what_is_seen_of_the_model_is_what_journal_and_prices_say(runs: list[Run]) -> None:
    """Of a source that was killed on its way, and of the one that is restarted at the end."""
    compared = 0
    for run in runs:
        expected = run.judged()
        lives = [run.view("forecast", SOURCE)["watch"]]
        lives += [run.living["watch"]] if run.has_heard_all else []
        for seen in lives:
            assert seen["forecasts"] == len(expected)
            shares = [seen["coverage"][str(c)] for c in COVERAGES]
            np.testing.assert_allclose(shares, np.mean(expected, axis=0))
            assert set(seen["input_drift"]) == {"trend"}
        compared += len(lives) * len(expected)
    assert compared > 200


def test_miscoverage_goes_on_from_life_to_life(runs: list[Run]) -> None:
    for run in runs:
        last = run.view("forecast", SOURCE)["watch"]["miscoverage"]
        assert last != AdaptiveMiscoverage().shares
        if run.has_heard_all:
            assert last == run.living["watch"]["miscoverage"]
        moves = np.array([[float(each) for each in fact.miscoverage] for fact in run.facts])
        # no more than every forecast outside, in one bar, of all instruments at once
        assert np.abs(np.diff(moves, axis=0)).max() <= RATE * len(SYMBOLS) * HORIZON
        assert (moves[0] == AdaptiveMiscoverage().shares).all()


def test_registry_hears_of_the_version(runs: list[Run]) -> None:
    assert {each.reference for run in runs for each in run.reports} == {"simulated@1"}


def test_faults_really_happen(runs: list[Run]) -> None:
    """A simulator in which no model is ever late proves nothing."""
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run.counts)
        counts["crashes"] += run.report.crashes
    profile = runs[0].simulation.faults.profile
    assert counts["stale"] > 50
    if profile.crashes:
        assert counts["crashes"] > 15
    else:
        assert counts["published"] > 30
        assert counts["late"] > 15
        assert counts["failed"] > (60 if profile.lost else 10)


def test_same_seed_gives_the_same_run() -> None:
    profile = FORECAST_PROFILES[-1]
    first, second = Run(3, profile), Run(3, profile)
    assert first.report == second.report
    assert first.facts == second.facts

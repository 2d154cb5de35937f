"""A source of forecasts under faults: nobody trades on an expired forecast, the counts add up, trading goes on."""

from collections import Counter, defaultdict
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from actors.blueprint import Blueprint, ForecastPlan, StrategyPlan
from actors.simulation.memory_journal import MemoryJournal
from actors.simulation.seeded_faults import FORECAST_PROFILES, MS, Profile
from actors.simulation.simulation import Simulation, SimulationReport, blueprint_for
from trading.codec import decode
from trading.commands import SubmitOrder
from trading.events import ForecastPublished
from trading.identifiers import InstrumentId, StrategyId, StreamName, machine_name
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_RETURN
from trading.strategies.strategy import Bars
from trading.values import OrderSide

SEER = StrategyId("seer")
SOURCE = "desk"
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
            ForecastPlan(name=SOURCE, model="simulated@1", input_size=16, timeout_ns=100 * MS),
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

        self.simulation._calm_down = count_and_calm_down
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

    def view(self, kind: str, key: str) -> dict[str, object]:
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

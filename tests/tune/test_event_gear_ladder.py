"""A bad day on the order path that trades: halted, closed out, switched off for good."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from actors.feeds.sources import PriceTable
from trading.identifiers import InstrumentId, MachineName, StrategyId
from trading.indicators.rolling import FloatArray
from trading.instruments import Instrument
from trading.strategies.strategy import Bars
from tune.event_gear.gear import EventGear
from tune.event_gear.result import EventResult
from tune.event_gear.run import blueprint_of
from tune.event_gear.settings import NO_LIMITS, EventSettings
from tune.event_gear.table_moments import TableMoments

NAME = InstrumentId("AAA.X")
MINUTE_NS = 60 * 10**9
START_NS = 1_577_912_400 * 10**9
CALM, FALL = 20, 60


class AlwaysLong:
    lookback = 1

    def targets(self, bars: Bars) -> FloatArray:
        return np.full(bars.close.shape, 0.9)


def falling() -> PriceTable:
    """Quiet at first, then 0.2 % down a minute: 180 of the 100,000 each."""
    close = 100.0 * np.concatenate([np.ones(CALM), 0.998 ** np.arange(1, FALL)])
    column = np.round(close, 2)[:, None]
    ts = START_NS + MINUTE_NS * np.arange(len(column), dtype=np.int64)
    return PriceTable(ts, (NAME,), column, column, column, column, np.ones_like(column))


def run_with(**limits: Any) -> tuple[EventGear, EventResult]:
    settings = EventSettings(
        initial_cash=Decimal(100_000),
        limits=msgspec.structs.replace(NO_LIMITS, max_daily_loss=Decimal(2_000), **limits),
    )
    gear = EventGear(
        blueprint_of((StrategyId("long"),), (Instrument(instrument_id=NAME),), settings),
        TableMoments(falling()),
        START_NS - 10**9,
        strategies={StrategyId("long"): AlwaysLong()},
    )
    return gear, gear.run()


def lost(result: EventResult) -> float:
    return float(result.initial_cash) - float(result.equity[-1])


def test_daily_loss_alone_halts_and_keeps_the_position() -> None:
    gear, result = run_with()
    risk = gear.machine(MachineName("risk:BACKTEST")).view()
    assert (risk["state"], risk["code"]) == ("HALTED", "RISK_DAILY_LOSS")
    assert result.units[-1] > 0
    assert lost(result) > 9_000, "nobody closed it"


def test_flatten_rung_closes_everything_on_the_normal_path() -> None:
    gear, result = run_with(flatten_at=Decimal("1.5"), debounce_readings=2)
    risk = gear.machine(MachineName("risk:BACKTEST")).view()
    assert (risk["state"], risk["code"]) == ("HALTED", "RISK_FLATTEN")
    assert risk["kill_switch"] is None
    assert result.units[-1] == 0
    assert [fill.purpose for fill in result.fills if fill.side == "SELL"][-1] == "flatten"
    assert 3_000 < lost(result) < 4_000
    assert result.comparison.is_clean


def test_kill_rung_latches_the_switch_and_the_broker_closes_everything() -> None:
    gear, result = run_with(kill_at=Decimal("1.5"), debounce_readings=2)
    risk = gear.machine(MachineName("risk:BACKTEST")).view()
    assert "risk:BACKTEST: A loss reached kill_at = 1.5" in risk["kill_switch"]
    kill = gear.machine(MachineName("broker:paper:BACKTEST")).view()["kill"]
    assert (kill["is_latched"], kill["flatten"], kill["is_done"]) == (True, True, True)
    assert result.units[-1] == 0
    assert 3_000 < lost(result) < 4_500
    assert result.comparison.is_clean

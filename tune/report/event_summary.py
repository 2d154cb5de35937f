"""One strategy through the event gear, and what came of it as figures."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from actors.feeds.sources import PriceTable
from trading.errors import DataError
from trading.forecasting.forecaster import Forecaster
from trading.forecasting.informed import informed
from trading.forecasting.registry import build_forecaster
from trading.identifiers import StrategyId
from trading.metrics.drawdown import max_drawdown
from trading.metrics.growth import annual_return, total_return
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.ratios import sharpe
from trading.strategies.strategy import Bars, Strategy
from tune.backtest import fields_of, weights_of
from tune.event_gear.result import EventResult
from tune.event_gear.run import run_event_backtest, run_event_replay
from tune.event_gear.settings import EventSettings
from tune.event_gear.told import Told
from tune.recorded import Recording
from tune.signal_sources import SignalSources, with_signals


class EventRun(msgspec.Struct, frozen=True):
    """One strategy in the event gear; the notes say where its signals come from."""

    strategy: str
    params: dict[str, Any]
    result: EventResult
    notes: tuple[str, ...] = ()


def run_events(
    name: str, strategy: Strategy, bars: Bars, settings: EventSettings, sources: SignalSources
) -> EventRun:
    """Run one strategy alone through the order path that trades, over bars.

    Raises
    ------
    UsageError
        If nothing provides a signal that it needs, or it failed at a bar.
    DataError
        If a file of signals cannot be read.
    """
    told, notes = with_signals(bars, getattr(strategy, "NEEDS", ()), sources)
    weights_of(name, strategy, told)  # a strategy that fails is told apart from a run that does
    table = PriceTable(
        bars.ts, bars.instrument_ids, bars.open, bars.high, bars.low, bars.close, bars.volume
    )
    result = run_event_backtest({StrategyId(name): Told(strategy, told)}, table, settings)
    return EventRun(name, fields_of(strategy), result, notes)


def replay_events(
    name: str,
    strategy: Strategy,
    recording: Recording,
    settings: EventSettings,
    forecaster: str,
    build: Callable[[str], Forecaster] = build_forecaster,
) -> EventRun:
    """Run one strategy alone through the order path that trades, over recorded quotes, trades and books.

    Parameters
    ----------
    build : function from a name to a Forecaster
        By default those that are installed.

    Raises
    ------
    ConfigError
        If it needs signals that no forecaster gives.
    UsageError
        If it failed at a bar.
    DataError
        If the record does not add up to two bars.
    """
    told = informed(name, strategy, build(forecaster))
    result = run_event_replay(
        recording.events,
        recording.instruments,
        msgspec.structs.replace(
            settings, bar_interval_ns=recording.interval_ns, bar_price=recording.price
        ),
        strategies={StrategyId(name): told},
    )
    if len(result.ts) < 2:
        raise DataError(
            "the record does not add up to two bars; choose shorter ones with @INTERVAL."
        )
    return EventRun(name, fields_of(strategy), result)


def event_figures(run: EventRun) -> dict[str, Any]:
    """Return `{strategy, params, metrics}` of an event run."""
    result = run.result
    before = np.concatenate([[float(result.initial_cash)], result.equity[:-1]])
    returns = result.equity / before - 1.0
    periods = periods_per_year(result.ts)
    metrics = {
        "bars": len(result.ts),
        "total_return": total_return(returns),
        "annual_return": annual_return(returns, periods),
        "sharpe": sharpe(returns, periods),
        "max_drawdown": max_drawdown(returns),
        "fills": len(result.fills),
        "commission": float(sum(fill.commission for fill in result.fills)),
        "refused": len(result.refusals),
        "books_agree": result.comparison.is_clean,
    }
    return {"strategy": run.strategy, "params": run.params, "metrics": metrics}

"""One strategy over history: weights, the vector gear, the figures, and what to hold them against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from trading.backtest.engine import Actions, run_backtest
from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings, Costs, Exits, Rebalance
from trading.errors import ConfigError, DataError, UsageError
from trading.indicators.periods import period_starts, row_of_last
from trading.indicators.rolling import FloatArray
from trading.metrics.summary import Metrics, metrics_of
from trading.strategies.strategy import Bars, Strategy

BUY_AND_HOLD, EQUAL_WEIGHT = "buy_and_hold", "equal_weight"
NUDGE = 1e-9
COST_MULTIPLES = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, eq=False)
class StrategyRun:
    """What one strategy, or one yardstick, made of the bars.

    Attributes
    ----------
    params : mapping
        Every parameter; empty for a yardstick.
    weights : (time, instrument)
        What was decided at each close.
    notes : tuple of str
        What a reader must know of its inputs.
    """

    strategy: str
    params: Mapping[str, Any]
    weights: FloatArray
    result: BacktestResult
    metrics: Metrics
    notes: tuple[str, ...] = ()


def fields_of(strategy: Strategy) -> dict[str, Any]:
    """Return the parameters of a strategy that is a struct; nothing is known of another's."""
    fields: dict[str, Any] = (
        msgspec.to_builtins(strategy) if isinstance(strategy, msgspec.Struct) else {}
    )
    return fields


def weights_of(name: str, strategy: Strategy, bars: Bars) -> FloatArray:
    """Return the strategy's target weights.

    Raises
    ------
    UsageError
        Naming the strategy, if it raised or returned something else than numbers of the right shape.
    """
    try:
        weights = np.asarray(strategy.targets(bars), dtype=np.float64)
    except (ConfigError, DataError, UsageError) as error:
        raise type(error)(f"strategy {name!r}: {error}") from error
    except Exception as error:  # a strategy is a guest: whatever it raises is told in one sentence
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"strategy {name!r} raised {type(error).__name__}: {reason}; `trader check` shows where."
        ) from error
    if weights.shape != bars.close.shape:
        raise UsageError(
            f"strategy {name!r} returned weights of shape {weights.shape} for "
            f"{bars.close.shape[0]} bars of {bars.close.shape[1]} instruments."
        )
    return weights


def backtest(
    name: str,
    strategy: Strategy,
    bars: Bars,
    settings: BacktestSettings,
    actions: Actions | None = None,
    *,
    market: Bars | None = None,
    benchmark: FloatArray | None = None,
) -> StrategyRun:
    """Return the run of one strategy through the vector gear.

    Parameters
    ----------
    bars : Bars
        What the strategy looks at.
    market : Bars or None
        What is traded, when that is not the same; see `tune.prices.Prices`.
    benchmark : (time,) or None
        Returns that alpha and beta are measured against.

    Raises
    ------
    UsageError, DataError
        Naming strategy, instrument and bar, when a weight or a price is unusable.
    """
    weights = weights_of(name, strategy, bars)
    try:
        result = run_backtest(market or bars, weights, settings, actions)
    except DataError as error:
        raise DataError(f"strategy {name!r}: {error}") from error
    return StrategyRun(
        name, fields_of(strategy), weights, result, metrics_of(result, benchmark=benchmark)
    )


def yardsticks(
    bars: Bars, settings: BacktestSettings, actions: Actions | None = None
) -> tuple[StrategyRun, ...]:
    """Return buy-and-hold of equal parts from the first bar, and equal weights renewed every month.

    Neither has exits: they are what doing nothing, and next to nothing, would have earned.
    """
    known = np.isfinite(bars.close)
    first = np.where(known[0], 1.0, 0.0) / max(int(known[0].sum()), 1)
    hold = np.repeat(first[None, :], len(bars), axis=0)
    months = period_starts(bars.ts, 1)
    decided = np.maximum(row_of_last(months), 0)
    each = np.where(known, 1.0, 0.0) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    # A weight that stays the same is not renewed; every other month is smaller by nothing that counts.
    equal = each[decided] * (1.0 - NUDGE * (np.cumsum(months) % 2))[:, None]
    plain = msgspec.structs.replace(
        settings,
        exits=Exits(),
        orders=msgspec.structs.replace(settings.orders, rebalance=Rebalance.ON_CHANGE),
    )
    runs = []
    for name, weights in ((BUY_AND_HOLD, hold), (EQUAL_WEIGHT, equal)):
        result = run_backtest(bars, weights, plain, actions)
        runs.append(StrategyRun(name, {}, weights, result, metrics_of(result)))
    return tuple(runs)


def returns_under_costs(
    weights: FloatArray, bars: Bars, settings: BacktestSettings, actions: Actions | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the multiples of the assumed costs, and the annual return under each."""
    multiples = np.array(COST_MULTIPLES)
    annual = []
    for multiple in COST_MULTIPLES:
        costs = {name: multiple * value for name, value in _fields(settings.costs).items()}
        scaled = msgspec.structs.replace(settings, costs=Costs(**costs))
        annual.append(metrics_of(run_backtest(bars, weights, scaled, actions)).annual_return)
    return multiples, np.array(annual)


def _fields(costs: Costs) -> dict[str, float]:
    return {name: getattr(costs, name) for name in costs.__struct_fields__}

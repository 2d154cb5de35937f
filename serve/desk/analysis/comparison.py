"""Strategies side by side, over the same bars and costs, beside doing nothing."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydantic import Field

from serve.desk.analysis.catalogue import canonical
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.laboratory import (
    METHOD,
    chosen_columns,
    held,
    market_of,
    require_some,
    tried,
)
from serve.desk.analysis.prices import Computed, prices_of
from serve.desk.answers import Source
from serve.desk.front_desk import FrontDesk
from trading.errors import ConfigError, DataError, UsageError
from trading.metrics.summary import Metrics
from tune.backtest import StrategyRun

METRIC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "sharpe_ratio": "sharpe",
        "sortino_ratio": "sortino",
        "calmar_ratio": "calmar",
        "annualized_return": "annual_return",
        "total_trades": "trades",
        "var_95": "value_at_risk",
    }
)
"""Names that other programs use for figures of ours."""
SMALL_IS_GOOD = frozenset(
    {
        "max_drawdown", "max_drawdown_bars", "longest_drawdown_bars", "volatility", "value_at_risk",
        "conditional_value_at_risk", "turnover", "commission", "slippage", "kurtosis", "beta",
    }
)  # fmt: skip
METRICS = ("sharpe_ratio", "total_return", "max_drawdown")
RISK_ADJUSTED = "risk_adjusted_return"


class StrategyComparison(Computed):
    comparison: dict[str, dict[str, Figure]] = Field(
        description="By strategy; risk_adjusted_return is total return over maximum drawdown."
    )
    yardsticks: dict[str, dict[str, Figure]] = Field(
        description="Buy-and-hold, and equal weights renewed every month."
    )
    best_by_metric: dict[str, str]
    metrics_analyzed: list[str]
    left_out: dict[str, str] = Field(description="Strategies that could not be tried, and why.")
    notes: list[str]


def compare_strategies(
    desk: FrontDesk,
    strategies: Sequence[str],
    metrics: Sequence[str] = METRICS,
    symbols: Sequence[str] | None = None,
) -> StrategyComparison:
    """Backtest strategies over the newest bars of some symbols, or of all.

    Raises
    ------
    NotFound
        If there is no such strategy or symbol.
    UsageError
        If there are fewer than two strategies or too many, or there is no such metric.
    """
    names = list(dict.fromkeys(canonical(name) for name in strategies))
    require_some(names, least=2)
    wanted = {name: _field_of(name) for name in metrics or METRICS}
    stored = prices_of(desk)
    columns = chosen_columns(stored, symbols)
    rows: dict[str, dict[str, Figure]] = {}
    left_out: dict[str, str] = {}
    notes: list[str] = []
    for name in names:
        try:
            run = tried(stored, columns, name)
        except (UsageError, DataError, ConfigError) as error:
            left_out[name] = str(error)
            continue
        rows[name] = _row(run, wanted)
        notes += [f"{name}: {note}" for note in run.notes]
    market = market_of(stored, columns)
    return StrategyComparison(
        source=Source.COMPUTED,
        as_of=stored.data(columns, market.ts).last,
        method=METHOD,
        data=stored.data(columns, market.ts),
        comparison=rows,
        yardsticks={run.strategy: _row(run, wanted) for run in held(stored, columns)},
        best_by_metric=_best(rows, wanted),
        metrics_analyzed=[*wanted, RISK_ADJUSTED],
        left_out=left_out,
        notes=notes,
    )


def _field_of(name: str) -> str:
    field = METRIC_NAMES.get(name, name)
    if field not in Metrics.__struct_fields__:
        known = ", ".join(sorted({*Metrics.__struct_fields__, *METRIC_NAMES}))
        raise UsageError(f"there is no metric {name!r}; known are: {known}.")
    return field


def _row(run: StrategyRun, wanted: Mapping[str, str]) -> dict[str, Figure]:
    found = {name: float(getattr(run.metrics, field)) for name, field in wanted.items()}
    return {**found, RISK_ADJUSTED: run.metrics.recovery_factor}


def _best(rows: Mapping[str, Mapping[str, Figure]], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the best strategy by each metric, among those for which it is defined."""
    best = {}
    for name, field in {**wanted, RISK_ADJUSTED: RISK_ADJUSTED}.items():
        sign = -1.0 if field in SMALL_IS_GOOD else 1.0
        known = {
            strategy: sign * value
            for strategy, row in rows.items()
            if (value := row[name]) is not None and math.isfinite(value)
        }
        if known:
            best[name] = max(known, key=lambda strategy: known[strategy])
    return best

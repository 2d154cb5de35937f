"""Which strategy suits one symbol now, and whether choosing in that way would have paid: walked forward."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from serve.desk.analysis.figures import Figure
from serve.desk.analysis.laboratory import BARS, held, market_of, tried
from serve.desk.analysis.market_regime import MarketConditions, regimes_of
from serve.desk.analysis.prices import Computed, StoredPrices, prices_of
from serve.desk.answers import Answer, Source
from serve.desk.front_desk import FrontDesk
from trading.errors import ConfigError, DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.growth import total_return
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.ratios import sharpe
from trading.strategies.registry import known_strategies
from trading.validation.splits import Split, parse_walk_forward, walk_forward_by_calendar

PLAN = "12m/3m"
METHOD = (
    f"Backtests of this symbol alone (vector gear, default parameters and costs) over the newest {BARS:,} bars. Walking "
    f"forward {PLAN}: in each 12 months the strategy with the best Sharpe ratio that held anything is chosen, and held "
    "for the 3 months that follow."
)


class Candidate(Answer):
    strategy: str
    training_sharpe: Figure = Field(
        description="Of the newest 12 months: what the choice is made by."
    )
    tested_sharpe: Figure = Field(description="Of all tests together.")
    tested_return: Figure
    folds_won: int
    folds_chosen: int


class WalkedSelection(Answer):
    """What choosing by this method would have made in the tests, beside holding the symbol."""

    folds: int
    total_return: Figure
    sharpe_ratio: Figure
    hold_total_return: Figure
    hold_sharpe_ratio: Figure


class AdaptiveSelection(Computed):
    symbol: str
    market_conditions: MarketConditions
    selected_strategy: str | None = Field(
        description="None when no strategy made anything of the newest 12 months."
    )
    reasoning: str
    ranking: list[Candidate]
    alternative_strategies: list[str]
    record: WalkedSelection
    left_out: dict[str, str] = Field(
        description="Strategies that cannot trade one symbol, and why."
    )
    notes: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """Returns of each strategy (time,), and the folds."""

    returns: dict[str, FloatArray]
    splits: tuple[Split, ...]
    per_year: float

    def best(self, rows: slice) -> str | None:
        """Return the strategy with the best Sharpe ratio in some rows; None when none earned anything."""
        scores = {name: self.sharpe(name, rows) for name in self.returns}
        known = {name: score for name, score in scores.items() if score > 0}
        return max(known, key=lambda name: known[name]) if known else None

    def sharpe(self, name: str, rows: slice) -> float:
        return sharpe(self.returns[name][rows], self.per_year)

    @property
    def chosen(self) -> list[str | None]:
        return [self.best(split.train) for split in self.splits]


def adaptive_selection(desk: FrontDesk, symbol: str) -> AdaptiveSelection:
    """Choose a strategy for one symbol by walking forward.

    Raises
    ------
    NotFound
        If there are no prices of it.
    UsageError
        If there are too few bars for one test.
    """
    stored = prices_of(desk)
    columns = (stored.column(symbol),)
    market = market_of(stored, columns)
    left_out: dict[str, str] = {}
    returns = _returns(stored, columns, left_out)
    splits = tuple(walk_forward_by_calendar(market.ts, parse_walk_forward(PLAN)))
    walk = _Walk(returns, splits, periods_per_year(market.ts))
    newest = slice(len(market) - _length(splits[-1].train), len(market))
    ranking = _ranking(walk, newest)
    selected = walk.best(newest)
    hold = held(stored, columns)[0].result.returns
    data = stored.data(columns, market.ts)
    record = _record(walk, hold)
    return AdaptiveSelection(
        source=Source.COMPUTED,
        as_of=data.last,
        method=METHOD,
        data=data,
        symbol=data.symbols[0],
        market_conditions=regimes_of(market.ts, market.close).now(),
        selected_strategy=selected,
        reasoning=_reasoning(selected, ranking, record),
        ranking=ranking,
        alternative_strategies=[row.strategy for row in ranking if row.strategy != selected][:2],
        record=record,
        left_out=left_out,
        notes=["Nothing was switched."],
    )


def _returns(
    stored: StoredPrices, columns: tuple[int, ...], left_out: dict[str, str]
) -> dict[str, FloatArray]:
    found = {}
    for name in known_strategies():
        try:
            run = tried(stored, columns, name)
        except (UsageError, DataError, ConfigError) as error:
            left_out[name] = str(error)
            continue
        if not run.weights.any():
            left_out[name] = "it never held anything of this symbol alone"
            continue
        found[name] = run.result.returns
    return found


def _ranking(walk: _Walk, newest: slice) -> list[Candidate]:
    chosen = walk.chosen
    rows = []
    for name, returns in walk.returns.items():
        tests = [returns[split.test] for split in walk.splits]
        stitched = np.concatenate(tests)
        rows.append(
            Candidate(
                strategy=name,
                training_sharpe=walk.sharpe(name, newest),
                tested_sharpe=sharpe(stitched, walk.per_year),
                tested_return=total_return(stitched),
                folds_won=sum(total_return(test) > 0 for test in tests),
                folds_chosen=chosen.count(name),
            )
        )
    return sorted(
        rows, key=lambda row: (row.training_sharpe is None, -(row.training_sharpe or 0.0))
    )


def _record(walk: _Walk, hold: FloatArray) -> WalkedSelection:
    """Return what the choice earned in the tests; where nothing was chosen, cash earned nothing."""
    parts = [
        walk.returns[name][split.test] if name else np.zeros(_length(split.test))
        for name, split in zip(walk.chosen, walk.splits, strict=True)
    ]
    stitched = np.concatenate(parts)
    beside = np.concatenate([hold[split.test] for split in walk.splits])
    return WalkedSelection(
        folds=len(parts),
        total_return=total_return(stitched),
        sharpe_ratio=sharpe(stitched, walk.per_year),
        hold_total_return=total_return(beside),
        hold_sharpe_ratio=sharpe(beside, walk.per_year),
    )


def _length(rows: slice) -> int:
    return int(rows.stop - rows.start)


def _reasoning(selected: str | None, ranking: list[Candidate], record: WalkedSelection) -> str:
    made = (
        f"Choosing so made {100 * (record.total_return or 0):.1f} % in {record.folds} tests, holding the symbol "
        f"{100 * (record.hold_total_return or 0):.1f} %."
    )
    if selected is None:
        return f"No strategy made anything of the newest 12 months. {made}"
    best = next(row for row in ranking if row.strategy == selected)
    return f"{selected} has the best Sharpe ratio of the newest 12 months, {best.training_sharpe or 0:.2f}. {made}"

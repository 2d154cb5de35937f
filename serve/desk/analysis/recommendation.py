"""The strategy that did best in past bars like the ones that are asked for; or why there is none."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.stats import rankdata

from serve.desk.analysis.catalogue import StrategySummary, summaries
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.laboratory import METHOD, chosen_columns, market_of, tried
from serve.desk.analysis.market_regime import MarketConditions, Regimes, regimes_of
from serve.desk.analysis.prices import Computed, StoredPrices, prices_of
from serve.desk.answers import Answer, Source
from serve.desk.front_desk import FrontDesk
from trading.errors import ConfigError, DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.dispersion import moments
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.sharpe_inference import probabilistic_sharpe, sharpe_estimate
from trading.metrics.tails import conditional_value_at_risk

BARS_MIN = 60
OBJECTIVES = ("profit", "stability")
Level = Literal["low", "medium", "high"]
_LEVELS: Mapping[str, Level] = MappingProxyType(
    {
        "low": "low",
        "conservative": "low",
        "moderate": "medium",
        "medium": "medium",
        "high": "high",
        "aggressive": "high",
    }
)
_BEARABLE: Mapping[Level, frozenset[str]] = MappingProxyType(
    {
        "low": frozenset({"low"}),
        "medium": frozenset({"low", "medium"}),
        "high": frozenset({"low", "medium", "high"}),
    }
)


class RankedStrategy(Answer):
    strategy: str
    score: float = Field(
        description="Mean of its ranks by the objectives: 1 is best in all, 0 last."
    )
    annual_return: Figure = Field(description="Mean return of those bars, per year.")
    annual_volatility: Figure
    sharpe_ratio: Figure
    expected_shortfall: Figure = Field(description="Mean loss of the worst 5 % of those bars.")
    probability_of_profit: Figure = Field(
        description="That its true Sharpe ratio in such bars is above 0 (Bailey and Lopez de Prado)."
    )
    bars: int
    risk_level: str


class StrategyRecommendation(Computed):
    recommendation: str | None = Field(
        description="None when no strategy that bears this risk made anything in such bars."
    )
    reasoning: str
    strategy_rankings: list[RankedStrategy]
    market_conditions: MarketConditions = Field(description="As they were understood.")
    conditions_now: MarketConditions
    risk_tolerance: Level
    objectives: list[str]
    rule: str
    left_out: dict[str, str]
    notes: list[str]


_MEASURES: Mapping[str, Callable[[RankedStrategy], float | None]] = MappingProxyType(
    {
        "profit": lambda row: row.annual_return,
        "growth": lambda row: row.annual_return,
        "stability": lambda row: _negative(row.annual_volatility),
        "low_risk": lambda row: _negative(row.expected_shortfall),
        "risk_adjusted": lambda row: row.sharpe_ratio,
        "sharpe": lambda row: row.sharpe_ratio,
    }
)
RULE = (
    "Backtested returns of the bars that followed a close in such a market; each objective ranks the strategies by one "
    "figure (profit, growth: return; stability: volatility; low_risk: expected shortfall; risk_adjusted, sharpe: Sharpe "
    "ratio), the score is the mean rank. Strategies above the risk tolerance are left out; recommended is the best "
    "score with a return above 0."
)


def recommend_strategy(
    desk: FrontDesk,
    market_conditions: Mapping[str, Any] | None = None,
    risk_tolerance: str = "moderate",
    objectives: Sequence[str] = OBJECTIVES,
) -> StrategyRecommendation:
    """Rank the installed strategies by what they made in past bars like those asked for.

    Parameters
    ----------
    market_conditions : mapping or None
        `volatility` (low, high, or a number per year) and `trend` (up, down); nothing is now.
    risk_tolerance : str
        low (conservative), moderate (medium) or high (aggressive).
    objectives : sequence of str
        profit, growth, stability, low_risk, risk_adjusted or sharpe.

    Raises
    ------
    UsageError, DataError
        If a word is not known, or there are too few such bars.
    """
    level = _level(risk_tolerance)
    wanted = _objectives(objectives)
    stored = prices_of(desk)
    columns = chosen_columns(stored, None)
    market = market_of(stored, columns)
    regimes = regimes_of(market.ts, market.close)
    given = {name: value for name, value in (market_conditions or {}).items() if value is not None}
    asked = regimes.asked(given) if given else regimes.now()
    likes = _rows(regimes, asked)
    ranked, left_out = _ranked(stored, columns, likes, level, wanted)
    best = next((row for row in ranked if (row.annual_return or 0.0) > 0), None)
    data = stored.data(columns, market.ts)
    return StrategyRecommendation(
        source=Source.COMPUTED,
        as_of=data.last,
        method=METHOD,
        data=data,
        recommendation=None if best is None else best.strategy,
        reasoning=_reasoning(best, ranked, asked, int(likes.sum())),
        strategy_rankings=ranked,
        market_conditions=asked,
        conditions_now=regimes.now(),
        risk_tolerance=level,
        objectives=wanted,
        rule=RULE,
        left_out=left_out,
        notes=_notes(given),
    )


def _level(risk_tolerance: str) -> Level:
    found = _LEVELS.get(risk_tolerance.strip().lower())
    if found is None:
        raise UsageError(
            f"risk_tolerance is {risk_tolerance!r}, must be one of {', '.join(_LEVELS)}."
        )
    return found


def _objectives(given: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(each.strip().lower() for each in given)) or list(OBJECTIVES)
    for each in wanted:
        if each not in _MEASURES:
            raise UsageError(f"there is no objective {each!r}; known are: {', '.join(_MEASURES)}.")
    return wanted


def _rows(regimes: Regimes, asked: MarketConditions) -> FloatArray:
    likes = regimes.rows_like(asked)
    if likes.sum() < BARS_MIN:
        raise DataError(
            f"only {likes.sum()} of the bars were in such a market; {BARS_MIN} are needed for a judgement."
        )
    return likes.astype(np.float64)


def _ranked(
    stored: StoredPrices,
    columns: tuple[int, ...],
    likes: FloatArray,
    level: Level,
    objectives: Sequence[str],
) -> tuple[list[RankedStrategy], dict[str, str]]:
    """Return the strategies, best first, and why others were left out."""
    left_out: dict[str, str] = {}
    tries = (_tried(stored, columns, each, likes, level, left_out) for each in summaries())
    return _scored([row for row in tries if row is not None], objectives), left_out


def _tried(
    stored: StoredPrices,
    columns: tuple[int, ...],
    summary: StrategySummary,
    likes: FloatArray,
    level: Level,
    left_out: dict[str, str],
) -> RankedStrategy | None:
    """Measure a strategy in the bars that are alike; None, with the reason, when it cannot be tried."""
    if summary.risk_level not in _BEARABLE[level]:
        left_out[summary.name] = f"its risk level is {summary.risk_level or 'not stated'}"
        return None
    try:
        run = tried(stored, columns, summary.name)
    except (UsageError, DataError, ConfigError) as error:
        left_out[summary.name] = str(error)
        return None
    returns = run.result.returns[likes > 0]
    per_year = periods_per_year(run.result.ts)
    found = moments(returns)
    estimate = sharpe_estimate(returns)
    return RankedStrategy(
        strategy=summary.name,
        score=0.0,
        annual_return=found.mean * per_year,
        annual_volatility=found.deviation * math.sqrt(per_year),
        sharpe_ratio=estimate.sharpe * math.sqrt(per_year),
        expected_shortfall=conditional_value_at_risk(returns),
        probability_of_profit=probabilistic_sharpe(estimate),
        bars=int(returns.size),
        risk_level=summary.risk_level,
    )


def _scored(rows: Sequence[RankedStrategy], objectives: Sequence[str]) -> list[RankedStrategy]:
    """Return the strategies, best first; a figure that is not defined ranks last."""
    if not rows:
        return []
    ranks = []
    for name in objectives:
        values = [_MEASURES[name](row) for row in rows]
        ranks.append(rankdata([-math.inf if value is None else value for value in values]))
    most = max(len(rows) - 1, 1)
    scores = (np.mean(ranks, axis=0) - 1.0) / most
    scored = [
        row.model_copy(update={"score": float(score)})
        for row, score in zip(rows, scores, strict=True)
    ]
    return sorted(scored, key=lambda row: (-row.score, row.strategy))


def _reasoning(
    best: RankedStrategy | None,
    ranked: Sequence[RankedStrategy],
    asked: MarketConditions,
    bars: int,
) -> str:
    state = (
        f"volatility {asked.volatility or 'any'}, trend {asked.trend or 'any'} ({bars} past bars)"
    )
    if best is None:
        return f"None of {len(ranked)} strategies made a profit in a market with {state}."
    chance = (
        "not known" if best.probability_of_profit is None else f"{best.probability_of_profit:.2f}"
    )
    return (
        f"In a market with {state}, {best.strategy} has the best mean rank, with {100 * (best.annual_return or 0):.1f} % "
        f"a year and a Sharpe ratio of {best.sharpe_ratio or 0:.2f}; the probability that this was no luck is {chance}, "
        f"before the choice among {len(ranked)} is counted."
    )


def _notes(given: Mapping[str, Any]) -> list[str]:
    read = {"volatility", "trend"}
    return [
        f"{name} is not looked at: the price source says nothing of it."
        for name in given
        if name not in read
    ]


def _negative(value: float | None) -> float | None:
    return None if value is None else -value

"""How symbols move together, how sure that is, and whether it has been the same all the time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from pydantic import Field

from serve.desk.analysis.figures import Figure
from serve.desk.analysis.prices import Computed, PriceData, prices_of
from serve.desk.answers import Answer, Source
from serve.desk.front_desk import FrontDesk
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.clusters import clusters_of
from trading.portfolio_risk.correlation.effective_number import (
    effective_bets,
    participation_ratio,
)
from trading.portfolio_risk.correlation.ledoit_wolf import ledoit_wolf_covariance
from trading.portfolio_risk.correlation.sample import sample_correlation

SYMBOLS_MAX = 100
DAYS_MAX = 36_525
RETURNS_MIN = 10
HIGH = 0.7
NORMAL_95 = 1.959963984540054


class CorrelationSummary(Answer):
    """Over all pairs."""

    average_correlation: float
    max_correlation: float
    min_correlation: float
    median_correlation: float


class Diversification(Answer):
    """Of equal parts of all symbols."""

    effective_assets: float = Field(
        description="Independent things that the correlation holds: (sum of eigenvalues)^2 / sum of their squares."
    )
    diversification_ratio: float = Field(
        description="Weighted volatility of the parts over that of the whole (covariance shrunk, Ledoit and Wolf)."
    )
    effective_bets: float = Field(description="Square of the diversification ratio.")
    concentration_risk: float = Field(
        description="Share of the largest eigenvalue in the variance: 1 when all move as one."
    )


class PairCorrelation(Answer):
    pair: tuple[str, str]
    correlation: float
    interval_95: tuple[float, float] = Field(
        description="Fisher's interval for independent returns; daily returns cluster, so the truth is wider."
    )


class PairChange(Answer):
    pair: tuple[str, str]
    first_half: float
    second_half: float


class Stability(Answer):
    """The first half of the returns against the second."""

    mean_absolute_change: float
    largest_change: PairChange
    pairs_changed_share: float = Field(
        description="Pairs whose change is beyond chance at 5 %: about 0.05 when nothing changed."
    )


class CorrelationAnalysis(Computed):
    symbols: list[str]
    period_days: int = Field(description="Calendar days before the last common bar.")
    returns: int = Field(description="Common returns that were measured.")
    correlation_matrix: dict[str, dict[str, float]]
    summary_statistics: CorrelationSummary
    diversification_metrics: Diversification
    clusters: list[list[str]] = Field(
        description="Groups that move together (average linkage; the number by silhouette)."
    )


class CorrelationMatrix(Computed):
    assets: list[str]
    lookback_days: int = Field(description="Calendar days before the last common bar.")
    returns: int
    correlation_matrix: dict[str, dict[str, float]]
    pairs: list[PairCorrelation]
    high_correlations: list[PairCorrelation] = Field(description="Of a size above 0.7.")
    diversification_score: Figure = Field(
        description="1 less the average correlation: 0 when all move as one."
    )
    clusters: list[list[str]]
    correlation_stability: Stability | None = Field(description="None with fewer than 20 returns.")


def correlation_analysis(
    desk: FrontDesk, symbols: Sequence[str], period_days: int = 90
) -> CorrelationAnalysis:
    """Return how symbols move together.

    Raises
    ------
    NotFound
        If there are no prices of one.
    UsageError
        If there are fewer than two different symbols, or the period is out of range.
    DataError
        If they have too few common returns, or one does not move.
    """
    study = _study(desk, symbols, period_days)
    return CorrelationAnalysis(
        source=Source.COMPUTED,
        as_of=study.data.last,
        method="Pearson correlation of simple returns of the common bars.",
        data=study.data,
        symbols=study.names,
        period_days=period_days,
        returns=len(study.returns),
        correlation_matrix=study.matrix,
        summary_statistics=_summary(study.off_diagonal),
        diversification_metrics=_diversification(study),
        clusters=study.clusters,
    )


def correlation_matrix(
    desk: FrontDesk, assets: Sequence[str], lookback_days: int = 90
) -> CorrelationMatrix:
    """Return every pair with the interval in which its correlation lies. Raises as `correlation_analysis`."""
    study = _study(desk, assets, lookback_days)
    pairs = _pairs(study)
    return CorrelationMatrix(
        source=Source.COMPUTED,
        as_of=study.data.last,
        method="Pearson correlation of simple returns of the common bars; Fisher's 95 % interval of each pair.",
        data=study.data,
        assets=study.names,
        lookback_days=lookback_days,
        returns=len(study.returns),
        correlation_matrix=study.matrix,
        pairs=pairs,
        high_correlations=[pair for pair in pairs if abs(pair.correlation) > HIGH],
        diversification_score=1.0 - float(study.off_diagonal.mean()),
        clusters=study.clusters,
        correlation_stability=_stability(study),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """Returns (time, asset) of the common bars, and their correlation (asset, asset)."""

    names: list[str]
    returns: FloatArray
    correlation: FloatArray
    data: PriceData

    @property
    def matrix(self) -> dict[str, dict[str, float]]:
        rows = self.correlation.tolist()
        return {
            name: dict(zip(self.names, row, strict=True))
            for name, row in zip(self.names, rows, strict=True)
        }

    @property
    def off_diagonal(self) -> FloatArray:
        return _upper(self.correlation)

    @property
    def clusters(self) -> list[list[str]]:
        if len(self.names) < 3:
            return [list(self.names)]
        found = clusters_of(self.correlation, self.names).members(self.names)
        return [list(members) for members in found]


def _study(desk: FrontDesk, symbols: Sequence[str], days: int) -> _Study:
    if not 1 <= days <= DAYS_MAX:
        raise UsageError(f"the period is {days} days, must be from 1 to {DAYS_MAX}.")
    stored = prices_of(desk)
    columns = stored.columns(symbols)
    if not 2 <= len(columns) <= SYMBOLS_MAX:
        raise UsageError(f"give 2 to {SYMBOLS_MAX} different symbols, not {len(columns)}.")
    ts, close = stored.common_closes(columns, days)
    names = [stored.symbols[column] for column in columns]
    if len(ts) <= RETURNS_MIN:
        raise DataError(
            f"{', '.join(names)} have {max(len(ts) - 1, 0)} common returns in {days} days; {RETURNS_MIN} are "
            "needed: take a longer period."
        )
    returns = close[1:] / close[:-1] - 1.0
    return _Study(names, returns, sample_correlation(returns, names), stored.data(columns, ts))


def _upper(matrix: FloatArray) -> FloatArray:
    above: FloatArray = matrix[np.triu_indices(len(matrix), 1)]
    return above


def _summary(pairs: FloatArray) -> CorrelationSummary:
    return CorrelationSummary(
        average_correlation=float(pairs.mean()),
        max_correlation=float(pairs.max()),
        min_correlation=float(pairs.min()),
        median_correlation=float(np.median(pairs)),
    )


def _diversification(study: _Study) -> Diversification:
    names = study.names
    covariance = ledoit_wolf_covariance(study.returns, names).covariance
    bets = effective_bets(covariance, np.full(len(names), 1.0 / len(names)), names)
    largest = float(np.linalg.eigvalsh(study.correlation)[-1])
    return Diversification(
        effective_assets=participation_ratio(study.correlation, names),
        diversification_ratio=math.sqrt(bets),
        effective_bets=bets,
        concentration_risk=largest / len(names),
    )


def _pairs(study: _Study) -> list[PairCorrelation]:
    """Return all pairs, the strongest first."""
    width = NORMAL_95 / math.sqrt(len(study.returns) - 3)
    found = []
    for first, second in combinations(range(len(study.names)), 2):
        r = float(study.correlation[first, second])
        middle = math.atanh(max(-1.0 + 1e-15, min(1.0 - 1e-15, r)))
        found.append(
            PairCorrelation(
                pair=(study.names[first], study.names[second]),
                correlation=r,
                interval_95=(math.tanh(middle - width), math.tanh(middle + width)),
            )
        )
    return sorted(found, key=lambda pair: -abs(pair.correlation))


def _stability(study: _Study) -> Stability | None:
    half = len(study.returns) // 2
    if half < RETURNS_MIN:
        return None
    before, after = (
        _upper(sample_correlation(part, study.names))
        for part in (study.returns[:half], study.returns[half:])
    )
    change = after - before
    most = int(np.abs(change).argmax())
    error = math.sqrt(1.0 / (half - 3) + 1.0 / (len(study.returns) - half - 3))
    scores = (np.arctanh(_inside(after)) - np.arctanh(_inside(before))) / error
    pair = list(combinations(study.names, 2))[most]
    return Stability(
        mean_absolute_change=float(np.abs(change).mean()),
        largest_change=PairChange(
            pair=pair, first_half=float(before[most]), second_half=float(after[most])
        ),
        pairs_changed_share=float((np.abs(scores) > NORMAL_95).mean()),
    )


def _inside(correlations: FloatArray) -> FloatArray:
    """Keep off -1 and 1, where Fisher's transformation ends."""
    kept: FloatArray = np.clip(correlations, -1.0 + 1e-15, 1.0 - 1e-15)
    return kept

"""What a sweep found: the best points, how alone they stand, and a map of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.sharpe_inference import deflated_sharpe, sharpe_estimate
from trading.strategies.strategy import Bars
from trading.validation.sensitivity import CostSensitivity
from tune.backtest import weights_of
from tune.batch import SweepPlan
from tune.columns import PREFIX
from tune.figures import COURSE_FIGURES
from tune.findings import (
    MINIMISED,
    NEIGHBOURS,
    costs_of,
    independent_trials,
    with_neighbours,
    yardstick_figures,
)
from tune.ledger import Ending
from tune.objective import strategy_of
from tune.prices import Quoted, trade
from tune.report import charts
from tune.report.page import facts, figures, page, table, write_page
from tune.report.search_report import beside_the_best, costs_table, number, params_text

BEST = 100
"""Points in the page and in the JSON file; the Parquet file has all."""
SAMPLE = 64
"""Points whose returns tell how far all are alike."""
CELLS_MAX = 250
"""Cells of the map in each direction; a finer grid is shown by the best of each cell."""


@dataclass(frozen=True, slots=True, eq=False)
class SweepFindings:
    """A sweep that has ended, and what stands beside its best point.

    Attributes
    ----------
    points : DataFrame
        The table of the sweep with `tune.findings.NEIGHBOURS`, the best first.
    best_params : mapping
        Of the best point.
    measured : int
        Points with a result.
    independent : float
        Independent trials that the measured points are worth, see `tune.findings.independent_trials`.
    deflated_sharpe : float
        Probability that the true Sharpe ratio of the best is above 0, given so many independent trials; NaN
        with fewer than two points.
    yardsticks : mapping
        Figures of buy-and-hold and of equal weights over the same bars.
    costs : CostSensitivity or None
        Of the best point.
    """

    name: str
    source: str
    notes: tuple[str, ...]
    plan: SweepPlan
    metric: str
    points: pl.DataFrame
    best_params: Mapping[str, Any]
    measured: int
    independent: float
    deflated_sharpe: float
    yardsticks: Mapping[str, Mapping[str, float]]
    costs: CostSensitivity | None


def sweep_findings(
    name: str,
    source: str,
    notes: tuple[str, ...],
    plan: SweepPlan,
    points: pl.DataFrame,
    bars: Bars,
    metric: str = "sharpe",
    quoted: Quoted | None = None,
) -> SweepFindings:
    """Rank the points of a sweep, and measure what must stand beside the best.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.

    Raises
    ------
    UsageError
        If no point has a result.
    """
    measured = points.filter(pl.col("ending") == Ending.COMPLETE.value)
    if measured.is_empty():
        reason = points["reason"][0]
        raise UsageError(f"None of {points.height:,} points could be computed; the first: {reason}")
    figure = pl.col(metric).fill_nan(None)
    ranked = with_neighbours(points, metric).sort(
        pl.col("ending") != Ending.COMPLETE.value,
        figure if metric in MINIMISED else -figure,
        "point",
        nulls_last=True,
    )
    best = plan.grid.point(ranked["point"][0])
    independent = _independent(plan, measured, bars, quoted)
    return SweepFindings(
        name=name,
        source=source,
        notes=notes,
        plan=plan,
        metric=metric,
        points=ranked,
        best_params=best,
        measured=measured.height,
        independent=independent,
        deflated_sharpe=_deflated(plan, best, measured, independent, bars, quoted),
        yardsticks=yardstick_figures(bars, plan.settings, quoted),
        costs=costs_of(plan.strategy, best, bars, plan.settings, quoted),
    )


def results_of(found: SweepFindings, limit: int) -> list[dict[str, Any]]:
    """Return the best points for machines: one `{strategy, params, metrics}` each."""
    kept = (*COURSE_FIGURES, *NEIGHBOURS)
    return [
        {
            "strategy": found.plan.strategy,
            "params": found.plan.grid.point(row["point"]),
            "metrics": {name: row[name] for name in kept},
        }
        for row in _best(found, limit)
    ]


def summary_of(found: SweepFindings) -> dict[str, Any]:
    """Return everything but the rest of the points, for the JSON file beside the report."""
    return {
        "name": found.name,
        "strategy": found.plan.strategy,
        "metric": found.metric,
        "source": found.source,
        "notes": found.notes,
        "points": found.points.height,
        "points_measured": found.measured,
        "independent_trials": found.independent,
        "deflated_sharpe": found.deflated_sharpe,
        "yardsticks": found.yardsticks,
        "costs_of_the_best": msgspec.to_builtins(found.costs),
        "results": results_of(found, BEST),
    }


POINT_FIGURES = ("return %", "a year %", "volatility %", "Sharpe", "drawdown %")


def point_headings(found: SweepFindings) -> tuple[str, ...]:
    neighbours = f"{found.metric} around"
    return ("rank", "parameters", *POINT_FIGURES, neighbours, "at worst", "robustness")


def point_rows(found: SweepFindings, limit: int) -> list[tuple[str, ...]]:
    """Return the best points, then the yardsticks, as lines of text under `point_headings`."""
    rows = [
        (
            str(rank),
            params_text(found.plan.grid.point(row["point"])),
            *_figures_text(row),
            number(row["neighbour_mean"], 3),
            number(row["neighbour_worst"], 3),
            number(row["robustness"], 2),
        )
        for rank, row in enumerate(_best(found, limit), 1)
    ]
    beside = [
        ("-", name, *_figures_text(each), "-", "-", "-") for name, each in found.yardsticks.items()
    ]
    return rows + beside


def verdict(found: SweepFindings) -> list[str]:
    """Return what a reader must know before believing the best point, one sentence each."""
    sure = found.deflated_sharpe
    told = [
        (
            f"Deflated Sharpe: {'unknown' if np.isnan(sure) else f'{100 * sure:.1f} %'} probability that the true "
            f"Sharpe ratio of the best is above 0, after {found.measured:,} points that count as "
            f"{found.independent:,.1f} independent trials."
        ),
        (
            "The best was chosen on the very bars that it is shown on: nothing here is out of sample; `trader tune` "
            "walks forward."
        ),
    ]
    left_out = found.points.height - found.measured
    if left_out:
        told.append(f"{left_out:,} points have no result: the strategy refuses them, or failed.")
    return [*told, *beside_the_best(None, found.costs)]


def write_sweep_report(found: SweepFindings, path: Path) -> Path:
    """Write the page, and beside it the figures as JSON and every point as Parquet.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    written = write_page(sweep_html(found), path)
    written.with_suffix(".json").write_bytes(msgspec.json.encode(summary_of(found)))
    found.points.write_parquet(written.with_suffix(".parquet"))
    return written


def sweep_html(found: SweepFindings) -> str:
    """Return the whole page."""
    title = f"Sweep of {found.plan.strategy}: {found.name}"
    headings = point_headings(found)
    best = found.points.row(0, named=True)
    cards = facts(
        [
            ("Points", f"{found.points.height:,}", ""),
            ("Sharpe ratio of the best", number(best["sharpe"], 2), ""),
            ("Its neighbours' mean", number(best["neighbour_mean"], 2), ""),
            ("Deflated Sharpe ratio", number(100 * found.deflated_sharpe, 1) + " %", ""),
        ]
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(found.source)}.</p>',
        cards,
        "<h2>Map</h2>",
        figures([surface_chart(found)]),
        "<h2>What to make of it</h2>",
        "".join(f"<p>{escape(each)}</p>" for each in (*verdict(found), *found.notes)),
        "<h2>Best points</h2>",
        table(headings, point_rows(found, BEST), numeric=(0, *range(2, len(headings)))),
        "<h2>Costs of the best</h2>",
        costs_table(found.costs),
    ]
    return page(title, "\n".join(parts))


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The best figure at each pair of two parameters; NaN where there is none.

    Attributes
    ----------
    across, up : str
        The parameters.
    columns, rows : tuple
        Their values; of several in one cell the first.
    values : (row, column)
    """

    across: str
    up: str
    columns: tuple[Any, ...]
    rows: tuple[Any, ...]
    values: FloatArray


def surface(found: SweepFindings) -> Surface | None:
    """Return the map over the first two parameters that vary, the best over all others; None if fewer do."""
    varied = [name for name, values in found.plan.values.items() if len(values) > 1]
    if len(varied) < 2:
        return None
    across, up = varied[:2]
    sizes = [len(values) for values in found.plan.values.values()]
    measured = found.points.drop_nulls(found.metric)
    places = np.unravel_index(measured["point"].to_numpy(), sizes)
    names = list(found.plan.values)
    columns, column = _cells(found.plan.values[across], places[names.index(across)])
    rows, row = _cells(found.plan.values[up], places[names.index(up)])
    values = np.full((len(rows), len(columns)), np.nan)
    keep = np.fmin if found.metric in MINIMISED else np.fmax
    keep.at(values, (row, column), measured[found.metric].to_numpy())
    return Surface(across, up, columns, rows, values)


def surface_chart(found: SweepFindings) -> Any:
    """Return the heat map of two parameters, or the course over the only one."""
    plane = surface(found)
    if plane is None:
        return _line(found)
    chart = charts.blank(f"{found.metric}: {plane.across} across, {plane.up} up")
    chart.add_heatmap(
        x=_ticks(plane.columns),
        y=_ticks(plane.rows),
        z=plane.values,
        colorscale="Viridis",
        hovertemplate=f"{plane.across} %{{x}}, {plane.up} %{{y}}: %{{z:.3f}}<extra></extra>",
    )
    chart.update_layout(height=2 * charts.HEIGHT_PX, hovermode="closest")
    return chart


def _line(found: SweepFindings) -> Any:
    varied = [name for name, values in found.plan.values.items() if len(values) > 1]
    name = next(iter(varied or found.plan.values))
    rows = found.points.sort("point")
    chart = charts.blank(f"{found.metric} over {name}")
    chart.add_scatter(
        x=rows[PREFIX + name].to_list(),
        y=rows[found.metric].to_list(),
        name=found.metric,
        line_color=charts.PALETTE[0],
    )
    return chart


def _cells(values: tuple[Any, ...], places: Any) -> tuple[tuple[Any, ...], Any]:
    """Return the first value of each cell, and the cell of each place."""
    count = min(len(values), CELLS_MAX)
    cell_of = np.arange(len(values)) * count // len(values)
    firsts = np.searchsorted(cell_of, np.arange(count))
    return tuple(values[first] for first in firsts), cell_of[places]


def _ticks(values: tuple[Any, ...]) -> list[Any]:
    is_number = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    return list(values) if is_number else [str(each) for each in values]


def _best(found: SweepFindings, limit: int) -> list[dict[str, Any]]:
    return found.points.head(min(limit, found.measured)).rows(named=True)


def _figures_text(row: Mapping[str, float]) -> tuple[str, ...]:
    return (
        number(100 * row["total_return"], 1),
        number(100 * row["annual_return"], 2),
        number(100 * row["volatility"], 1),
        number(row["sharpe"], 2),
        number(100 * row["max_drawdown"], 1),
    )


def _independent(
    plan: SweepPlan, measured: pl.DataFrame, bars: Bars, quoted: Quoted | None
) -> float:
    """Return what the points are worth in independent trials, by a sample that is always the same."""
    points = measured["point"].to_numpy()
    if points.size > SAMPLE:
        points = np.sort(np.random.default_rng(0).choice(points, SAMPLE, replace=False))
    returns = [_returns(plan, plan.grid.point(point), bars, quoted) for point in points.tolist()]
    return independent_trials(np.column_stack(returns), measured.height)


def _returns(
    plan: SweepPlan, params: Mapping[str, object], bars: Bars, quoted: Quoted | None
) -> FloatArray:
    weights = weights_of(plan.strategy, strategy_of(plan.strategy, params), bars)
    return trade(bars, weights, plan.settings, quoted).returns


def _deflated(
    plan: SweepPlan,
    best: Mapping[str, object],
    measured: pl.DataFrame,
    independent: float,
    bars: Bars,
    quoted: Quoted | None,
) -> float:
    """Return the deflated Sharpe ratio of the best point; the ratios of the table are per year."""
    ratios = measured["sharpe"].to_numpy() / np.sqrt(periods_per_year(bars.ts))
    known = ratios[np.isfinite(ratios)]
    if known.size < 2:
        return float("nan")
    estimate = sharpe_estimate(_returns(plan, best, bars, quoted))
    return deflated_sharpe(estimate, round(independent), float(known.var(ddof=1)))

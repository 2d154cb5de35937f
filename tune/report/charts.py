"""The figures of a backtest's report. Colours hold on light and on dark paper; the page's CSS does the ink."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.metrics.drawdown import underwater
from trading.metrics.monthly import MonthlyTable
from trading.metrics.rolling import rolling_sharpe
from trading.validation.monte_carlo import Fan
from tune.backtest import BUY_AND_HOLD, EQUAL_WEIGHT, StrategyRun

PALETTE = (
    "#2f81f7", "#e08a00", "#2da44e", "#a371f7", "#d4569a", "#14a3a8", "#e5534b", "#8a9a00", "#7f6a5c",
)  # fmt: skip
GREY = "#888888"
HEIGHT_PX = 360
POINTS_MAX = 1_500
"""Points of one line; a longer course is thinned, so that the report stays small."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def equity(runs: Sequence[StrategyRun]) -> Any:
    """Growth of 1 in each run, on a logarithmic axis; the yardsticks are grey."""
    chart = blank("Growth of 1 (logarithmic)")
    for index, run in enumerate(runs):
        start = run.result.settings.initial_cash
        _line(chart, run, run.result.equity / start, index)
    chart.update_yaxes(type="log")
    return _with_room(chart, runs)


def drawdown(runs: Sequence[StrategyRun]) -> Any:
    """Fall of each run from its best so far, in per cent."""
    chart = blank("Drawdown (%)")
    for index, run in enumerate(runs):
        _line(chart, run, -100.0 * underwater(run.result.returns), index)
    return _with_room(chart, runs)


def rolling(runs: Sequence[StrategyRun]) -> Any:
    """Sharpe ratio of the past year at each bar."""
    chart = blank("Sharpe ratio of the past year")
    for index, run in enumerate(runs):
        periods = run.metrics.periods_per_year
        values = rolling_sharpe(run.result.returns, max(2, round(periods)), periods)
        _line(chart, run, values, index)
    chart.add_hline(y=0, line_dash="dot", line_color=GREY)
    return _with_room(chart, runs)


def exposure(run: StrategyRun) -> Any:
    """Gross and net positions over the equity, in per cent."""
    chart = blank("Exposure (% of the equity)")
    for index, (name, value) in enumerate((("gross", run.result.gross), ("net", run.result.net))):
        with np.errstate(divide="ignore", invalid="ignore"):
            share = 100.0 * value / run.result.equity
        days, shown = thinned(run.result.ts, share)
        chart.add_scatter(x=days, y=shown, name=name, line_color=PALETTE[index])
    return chart


def months(table: MonthlyTable) -> Any:
    """Return of each month, in per cent."""
    chart = blank("Return by month (%)")
    values = 100.0 * table.months
    reach = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    chart.add_heatmap(
        z=values,
        x=MONTHS,
        y=[str(year) for year in table.years.tolist()],
        colorscale=[[0, "#e5534b"], [0.5, "rgba(128,128,128,0.15)"], [1, "#2da44e"]],
        zmin=-reach,
        zmax=reach,
        hovertemplate="%{x} %{y}: %{z:.1f} %<extra></extra>",
    )
    chart.update_layout(height=max(HEIGHT_PX, 16 * len(table.years) + 120))
    return chart


def fan(course: Fan, ts: IntArray) -> Any:
    """Percentiles of the resampled courses."""
    chart = blank("Resampled growth of 1 (percentiles)")
    rows = np.minimum(course.rows, ts.size) - 1
    days = _days(ts[np.maximum(rows, 0)])
    for index, percentile in enumerate(course.percentiles):
        is_middle = percentile == 50
        chart.add_scatter(
            x=days,
            y=course.equity[index],
            name=f"{percentile:g} %",
            line={
                "color": PALETTE[0],
                "width": 2 if is_middle else 1,
                "dash": None if is_middle else "dot",
            },
        )
    chart.update_yaxes(type="log")
    return chart


def costs(multiples: FloatArray, annual: FloatArray) -> Any:
    """Annual return under multiples of the assumed costs, in per cent."""
    chart = blank("Annual return (%) under multiples of the costs")
    chart.add_scatter(x=multiples, y=100.0 * annual, name="annual return", line_color=PALETTE[0])
    chart.add_hline(y=0, line_dash="dot", line_color=GREY)
    return chart


def blank(title: str) -> Any:
    """Return an empty figure in the style of the reports."""
    chart = go.Figure()
    chart.update_layout(
        title={"text": title, "font": {"size": 15}},
        height=HEIGHT_PX,
        margin={"l": 55, "r": 15, "t": 45, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY},
        legend={"orientation": "h", "y": -0.15},
        hovermode="x unified",
    )
    chart.update_xaxes(gridcolor="rgba(128,128,128,0.2)")
    chart.update_yaxes(gridcolor="rgba(128,128,128,0.2)")
    return chart


def thinned(ts: IntArray, values: FloatArray) -> tuple[list[str], FloatArray]:
    """Return days and values of at most `POINTS_MAX` rows, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(ts) - 1, min(len(ts), POINTS_MAX)).round().astype(int))
    return _days(ts[rows]), values[rows]


def _with_room(chart: Any, runs: Sequence[StrategyRun]) -> Any:
    """Make the figure higher by what its legend takes."""
    chart.update_layout(height=HEIGHT_PX + 12 * max(0, len(runs) - 3))
    return chart


def _line(chart: Any, run: StrategyRun, values: FloatArray, index: int) -> None:
    days, shown = thinned(run.result.ts, values)
    is_yardstick = run.strategy in {BUY_AND_HOLD, EQUAL_WEIGHT}
    dash = {BUY_AND_HOLD: "dash", EQUAL_WEIGHT: "dot"}.get(run.strategy, "solid")
    colour = GREY if is_yardstick else PALETTE[index % len(PALETTE)]
    chart.add_scatter(
        x=days, y=shown, name=run.strategy, line={"color": colour, "dash": dash, "width": 1.4}
    )


def _days(ts: IntArray) -> list[str]:
    return [str(day) for day in ts.astype("datetime64[ns]").astype("datetime64[m]")]

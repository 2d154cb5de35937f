"""A page with the fan of each forecast: closes, intervals, median, and what then happened."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from cluster import tables
from cluster.forecast_view import ForecastView, narrowest_interval, reference_of
from trading.forecasting.forecast import interval
from trading.indicators.periods import IntArray
from tune.report.charts import GREY, blank
from tune.report.page import facts, figure, figures, page, table, write_page

CLOSES_MIN, CLOSES_MAX = 30, 240
COLOUR, RGB = "#2f81f7", "47,129,247"
BANDS = ((0.95, 0.15), (0.8, 0.25), (0.5, 0.35))
"""Coverage and opacity, from the outside in; they lie on each other."""
SHOWN = (
    ("2.5 %", "0.025"),
    ("10 %", "0.1"),
    ("median", "0.5"),
    ("90 %", "0.9"),
    ("97.5 %", "0.975"),
)
"""Quantiles of the tables, by level."""


def write_fans(views: Sequence[ForecastView], notes: Sequence[str], path: Path) -> Path:
    """Write the page of some forecasts and return its absolute path.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    title = ", ".join(dict.fromkeys(view.forecast.symbol for view in views))
    parts = [f"<h1>Forecast of {escape(title)}</h1>"]
    parts += [f'<p class="dim">{escape(text)}</p>' for text in notes]
    charts = [fan(view) for view in views]
    parts.append(figures(charts) if charts[1:] else figure(charts[0], with_library=True))
    parts += [_details(view) for view in views]
    return write_page(page(f"Forecast of {title}", "\n".join(parts)), path)


def fan(view: ForecastView) -> Any:
    """Return the figure of one forecast. Bars that are not known yet are drawn at the distance of the last ones."""
    forecast, history = view.forecast, view.history
    chart = blank(view.title)
    days = _moments(_fan_ts(view))
    for coverage, opacity in BANDS:
        low, high = interval(forecast, coverage)
        chart.add_scatter(
            x=[*days, *days[::-1]],
            y=[forecast.last_close, *high, *reversed(low), forecast.last_close],
            fill="toself",
            fillcolor=f"rgba({RGB},{opacity})",
            mode="lines",
            line={"width": 0, "color": COLOUR},
            name=f"{coverage:.0%}",
            hoverinfo="skip",
        )
    shown = slice(-min(CLOSES_MAX, max(CLOSES_MIN, 4 * forecast.horizon)), None)
    closes = {"x": _moments(history.ts[shown]), "y": history.close[shown].tolist()}
    chart.add_scatter(**closes, name="close", mode="lines", line_color=GREY)
    median = [forecast.last_close, *forecast.quantiles["0.5"]]
    chart.add_scatter(x=days, y=median, name="median", mode="lines", line_color=COLOUR)
    if view.later_close.size:
        chart.add_scatter(
            x=_moments(np.concatenate([history.ts[-1:], view.later_ts])),
            y=[forecast.last_close, *view.later_close.tolist()],
            name="what happened",
            mode="lines+markers",
            line_color="#e08a00",
        )
    return chart


def rows_of(view: ForecastView) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and rows of the steps; dates and what happened as far as they are known."""
    is_known = bool(view.later_close.size)
    headings = ("step", *(("date",) if is_known else ()), *(name for name, _ in SHOWN), "return")
    rows = []
    for step in range(view.forecast.horizon):
        prices = [view.forecast.quantiles[level][step] for _, level in SHOWN]
        change = view.forecast.quantiles["0.5"][step] / view.forecast.last_close - 1.0
        shown = (*(f"{price:,.{_decimals(price)}f}" for price in prices), f"{change:+.2%}")
        has_happened = step < view.later_close.size
        then = (tables.date(int(view.later_ts[step])) if has_happened else "-",) if is_known else ()
        rows.append((str(step + 1), *then, *shown, *_happened(view, step, is_known=is_known)))
    return (*headings, *(("happened", "inside") if is_known else ())), rows


def _happened(view: ForecastView, step: int, *, is_known: bool) -> tuple[str, ...]:
    if not is_known:
        return ()
    if step >= view.later_close.size:
        return "-", "-"
    price = float(view.later_close[step])
    return f"{price:,.{_decimals(price)}f}", narrowest_interval(view, step)


def _details(view: ForecastView) -> str:
    forecast = view.forecast
    headings, rows = rows_of(view)
    expected = f"{forecast.expected_return:+.2%} ± {forecast.deviation:.2%}"
    cards = facts(
        [
            ("Last close", f"{forecast.last_close:,.{_decimals(forecast.last_close)}f}", ""),
            ("As of", tables.date(forecast.as_of), ""),
            (f"Expected return, {forecast.horizon} bars", expected, ""),
            ("Model", reference_of(forecast), ""),
            ("Trained on data until", tables.date(forecast.data_cutoff), ""),
            ("Computed by", f"{forecast.provider}, {forecast.latency_ms:.1f} ms", ""),
        ]
    )
    body = table(headings, rows, range(len(headings)))
    return f"<h2>{escape(view.title)}</h2>{cards}{body}"


def _fan_ts(view: ForecastView) -> IntArray:
    """(1 + horizon,) the last bar and its steps: when they came, or at the usual distance of the last bars."""
    ts, horizon = view.history.ts, view.forecast.horizon
    known = np.concatenate([ts[-1:], view.later_ts])
    step = int(np.median(np.diff(ts[-60:]))) if ts.size > 1 else 1
    missing = horizon + 1 - known.size
    guessed = known[-1] + step * np.arange(1, missing + 1)
    found: IntArray = np.concatenate([known, guessed])
    return found


def _moments(ts: IntArray) -> list[str]:
    return [str(each) for each in ts.astype("datetime64[ns]").astype("datetime64[m]")]


def _decimals(price: float) -> int:
    return 2 if price >= 10 else 4

"""The figures of the report. Colours hold on light and on dark paper; the page's CSS does the ink."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from cluster.result import RunResult
from trading.values import OrderSide

EQUITY, DRAWDOWN = "#2f81f7", "#e5534b"
PALETTE = ("#2f81f7", "#e08a00", "#2da44e", "#a371f7", "#d4569a", "#14a3a8")
HEIGHT_PX = 320
POINTS_MAX = 2_000
"""Points of one line; a longer run is thinned, so that the report stays small."""


def equity(result: RunResult) -> Any:
    """Equity of the account at each close, in USD."""
    figure = _figure("Equity (USD)")
    figure.add_scatter(
        x=_dates(result), y=_column(result, "equity"), name="equity", line_color=EQUITY
    )
    figure.add_hline(y=float(result.initial_equity), line_dash="dot", line_color="#888")
    return figure


def drawdown(result: RunResult) -> Any:
    """Fall from the highest equity so far, in per cent."""
    peak, falls = float(result.initial_equity), []
    for mark in result.marks:
        peak = max(peak, float(mark.equity))
        falls.append(100 * (float(mark.equity) / peak - 1))
    figure = _figure("Drawdown (%)")
    figure.add_scatter(
        x=_dates(result), y=_thinned(falls), name="drawdown", line_color=DRAWDOWN, fill="tozeroy"
    )
    return figure


def exposure(result: RunResult) -> Any:
    """Sums of absolute and of signed position values at each close, in USD."""
    figure = _figure("Exposure (USD)")
    for colour, dash, field in ((PALETTE[0], "solid", "gross"), (PALETTE[1], "dot", "net")):
        figure.add_scatter(
            x=_dates(result),
            y=_column(result, field),
            name=field,
            line={"color": colour, "dash": dash},
        )
    limit = float(result.config.risk.max_total_exposure)
    if max(_column(result, "gross"), default=0.0) > limit / 2:
        figure.add_hline(
            y=limit, line_dash="dot", line_color=DRAWDOWN, annotation_text="max_total_exposure"
        )
    return figure


def strategies(result: RunResult) -> Any:
    """Profit of each strategy since the start, in USD."""
    figure = _figure("Profit by strategy (USD)")
    for index, strategy in enumerate(result.strategies):
        figure.add_scatter(
            x=_dates(result),
            y=[float(profit) for profit in _thinned(strategy.profits)],
            name=strategy.strategy_id,
            line_color=PALETTE[index % len(PALETTE)],
        )
    return figure


def trades(result: RunResult) -> Any:
    """Value bought (up) and sold (down) on each day, in USD."""
    figure = _figure("Traded value per day (USD)")
    for side, colour in ((OrderSide.BUY, "#2da44e"), (OrderSide.SELL, DRAWDOWN)):
        daily: dict[str, float] = {}
        for fill in result.fills:
            if fill.side is side:
                day = _day(fill.ts_event)
                value = side.sign * float(fill.last_qty * fill.last_px)
                daily[day] = daily.get(day, 0.0) + value
        figure.add_bar(
            x=list(daily), y=list(daily.values()), name=side.lower(), marker_color=colour
        )
    figure.update_layout(barmode="relative", bargap=0)
    figure.update_traces(marker_line_width=0)
    return figure


def refusals(result: RunResult) -> Any:
    """Refused orders by code."""
    counts = dict(reversed(result.orders.refused.items()))
    figure = _figure("Refused orders by reason")
    figure.add_bar(
        x=list(counts.values()),
        y=list(counts),
        orientation="h",
        marker_color="#e08a00",
        text=list(counts.values()),
        textposition="outside",
        cliponaxis=False,
        width=0.6,
    )
    if len(counts) < 3:  # a bar or two would fill the whole height
        figure.update_yaxes(range=[-1.5, len(counts) + 0.5])
    figure.update_layout(showlegend=False, margin_l=210, hovermode="closest")
    return figure


def _thinned(values: Sequence[Any]) -> Sequence[Any]:
    """Return at most about `POINTS_MAX` of the values, evenly picked, the last one among them."""
    step = len(values) // POINTS_MAX + 1
    return values[(len(values) - 1) % step :: step]


def _dates(result: RunResult) -> list[str]:
    """Return the UTC day of each close that is drawn."""
    return [_day(mark.ts_event) for mark in _thinned(result.marks)]


def _figure(title: str) -> Any:
    return go.Figure(
        layout={
            "title": {"text": title, "x": 0.01, "font": {"size": 14}},
            "height": HEIGHT_PX,
            "margin": {"l": 70, "r": 24, "t": 44, "b": 36},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hovermode": "x unified",
            "legend": {
                "orientation": "h",
                "x": 1,
                "xanchor": "right",
                "y": 1.01,
                "yanchor": "bottom",
                "bgcolor": "rgba(0,0,0,0)",
            },
            "template": "none",
        }
    )


def _column(result: RunResult, field: str) -> list[float]:
    return [float(getattr(mark, field)) for mark in _thinned(result.marks)]


def _day(ts_event: int) -> str:
    return datetime.fromtimestamp(ts_event / 1e9, UTC).strftime("%Y-%m-%d")

"""A fan chart in the terminal: the last closes as a line of dots, the intervals as shades, readable without colour."""

from typing import TYPE_CHECKING

import numpy as np

from cluster.cli.wording import day
from cluster.forecast_view import ForecastView
from trading.forecasting.forecast import interval
from trading.indicators.rolling import FloatArray

if TYPE_CHECKING:
    from rich.text import Text

WIDTH, ROWS = 80, 18
CLOSES = 40
GUTTER = 11
"""Columns of the prices on the left, with the axis."""
SHADES = ((0.95, "░", "color(25)"), (0.8, "▒", "color(32)"), (0.5, "▓", "color(39)"))
"""Coverage, sign and colour, from the outside in."""
MEDIAN, HAPPENED = "━", "●"
LEGEND = "⣀⠤ close   ░ 95 %   ▒ 80 %   ▓ 50 %   ━ median"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a braille sign, by row and column."""


def fan_chart(view: ForecastView, width: int = WIDTH) -> "Text":
    """Return the chart of one forecast.

    Parameters
    ----------
    width : int
        Columns of the terminal; the chart is never wider than 120.
    """
    from rich.text import Text

    fan = min(width, 120) - GUTTER - CLOSES - 1
    bands = _bands(view, fan)
    closes = view.history.close[-CLOSES:]
    low, high = _range(closes, bands, view.later_close)
    signs = [[(" ", "")] * (CLOSES + fan) for _ in range(ROWS)]
    _draw_fan(signs, bands, low, high)
    _draw_closes(signs, closes, low, high)
    _draw_happened(signs, view, fan, low, high)
    chart = Text()
    for row, line in enumerate(signs):
        chart.append(_axis(row, low, high))
        for sign, style in line:
            chart.append(sign, style)
        chart.append("\n")
    chart.append(" " * (GUTTER - 1) + "└" + "─" * (CLOSES + fan) + "\n")
    chart.append(_dates(view, closes.size, fan) + "\n")
    known = f"   {HAPPENED} what happened" if view.later_close.size else ""
    chart.append(" " * GUTTER + LEGEND + known)
    return chart


def _bands(view: ForecastView, fan: int) -> dict[str, FloatArray]:
    """Quantile prices at each column of the fan; they open at the last close."""
    forecast = view.forecast
    steps = np.arange(forecast.horizon + 1)
    at = np.arange(1, fan + 1) * forecast.horizon / fan
    rows = {"median": forecast.quantiles["0.5"]}
    for coverage, sign, _ in SHADES:
        rows[f"low{sign}"], rows[f"high{sign}"] = map(tuple, interval(forecast, coverage))
    return {
        name: np.interp(at, steps, [forecast.last_close, *prices]) for name, prices in rows.items()
    }


def _range(
    closes: FloatArray, bands: dict[str, FloatArray], later: FloatArray
) -> tuple[float, float]:
    shown = np.concatenate([closes, *bands.values(), later])
    low, high = float(shown.min()), float(shown.max())
    margin = 0.02 * (high - low)
    return low - margin, high + margin


def _row(price: float, low: float, high: float, rows: int = ROWS) -> int:
    """0 is the top."""
    return min(rows - 1, max(0, int((high - price) / (high - low) * rows)))


def _draw_fan(
    signs: list[list[tuple[str, str]]], bands: dict[str, FloatArray], low: float, high: float
) -> None:
    middles = high - (np.arange(ROWS) + 0.5) * (high - low) / ROWS
    for column, median in enumerate(bands["median"]):
        for row, price in enumerate(middles):
            for _, sign, colour in SHADES:
                if bands[f"low{sign}"][column] <= price <= bands[f"high{sign}"][column]:
                    signs[row][CLOSES + column] = (sign, colour)
        signs[_row(float(median), low, high)][CLOSES + column] = (MEDIAN, "bold")


def _draw_closes(
    signs: list[list[tuple[str, str]]], closes: FloatArray, low: float, high: float
) -> None:
    """Two by four dots make one sign; neighbouring closes are joined."""
    first = CLOSES - closes.size
    at = np.arange(2 * closes.size - 1) / 2
    heights = np.interp(at, np.arange(closes.size), closes)
    dots = [_row(float(height), low, high, 4 * ROWS) for height in heights]
    lit: dict[tuple[int, int], int] = {}
    for x, (dot, previous) in enumerate(zip(dots, [dots[0], *dots[:-1]], strict=True)):
        step = 1 if dot >= previous else -1
        for y in range(previous + step if dot != previous else dot, dot + step, step):
            place = y // 4, first + x // 2
            lit[place] = lit.get(place, 0) | _DOTS[y % 4][x % 2]
    for (row, column), bits in lit.items():
        signs[row][column] = (chr(0x2800 + bits), "bold")


def _draw_happened(
    signs: list[list[tuple[str, str]]], view: ForecastView, fan: int, low: float, high: float
) -> None:
    for step, price in enumerate(view.later_close.tolist(), 1):
        column = CLOSES + round(step * fan / view.forecast.horizon) - 1
        signs[_row(price, low, high)][column] = (HAPPENED, "bold yellow")


def _axis(row: int, low: float, high: float) -> str:
    """Every fourth row has its price."""
    price = high - (row + 0.5) * (high - low) / ROWS
    label = f"{price:,.{_decimals(high)}f}" if row % 4 == 1 else ""
    return f"{label:>{GUTTER - 2}} {'┤' if label else '│'}"


def _decimals(price: float) -> int:
    return 2 if price >= 10 else 4


def _dates(view: ForecastView, closes: int, fan: int) -> str:
    """First close and last one below the line, then the steps that there is room for."""
    line = [" "] * (GUTTER + CLOSES + fan)
    first, last = day(int(view.history.ts[-closes])), day(view.forecast.as_of)
    _write(line, GUTTER + CLOSES - closes, first)
    _write(line, GUTTER + CLOSES - len(last), last)
    horizon = view.forecast.horizon
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 1000) if n * fan / horizon >= 5)
    for step in range(every, horizon + 1, every):
        label = f"+{step}"
        _write(line, GUTTER + CLOSES + round(step * fan / horizon) - len(label), label)
    return "".join(line).rstrip()


def _write(line: list[str], column: int, text: str) -> None:
    line[column : column + len(text)] = text

"""One symbol at a glance: price, trend, volatility, the usual indicators, and what a stated rule makes of them."""

from typing import Literal

import numpy as np
from pydantic import Field

from serve.desk.analysis.figures import Figure
from serve.desk.analysis.prices import Computed, prices_of
from serve.desk.answers import Answer, Source, moment
from serve.desk.front_desk import FrontDesk
from trading.errors import DataError
from trading.identifiers import symbol_of
from trading.indicators.bollinger import bollinger
from trading.indicators.macd import macd
from trading.indicators.moving_average import sma
from trading.indicators.periods import IntArray
from trading.indicators.returns import simple_returns
from trading.indicators.rolling import FloatArray
from trading.indicators.rsi import rsi
from trading.metrics.dispersion import moments
from trading.metrics.periods_per_year import periods_per_year

SHORT_BARS, LONG_BARS = 20, 50
RSI_BARS = 14
VOLATILITY_BARS = 21
OVERBOUGHT, OVERSOLD = 70.0, 30.0
BARS = 756
"""Newest bars that are looked at: enough for every recursive indicator to have forgotten its beginning."""

Trend = Literal["up", "down", "sideways", "unknown"]
TREND_RULE = (
    f"up when the close and its {SHORT_BARS}-bar mean are above the {LONG_BARS}-bar mean, down when both are "
    "below it, otherwise sideways"
)
RULE = "trend_unless_stretched"
RULE_TEXT = (
    f"buy in an upward trend while RSI({RSI_BARS}) is below {OVERBOUGHT:g}, sell in a downward one while it is above "
    f"{OVERSOLD:g}, otherwise hold"
)


class Macd(Answer):
    line: Figure
    signal: Figure
    histogram: Figure


class Recommendation(Answer):
    """The outcome of a stated rule on past prices; not a forecast, and not advice."""

    action: Literal["buy", "sell", "hold", "unknown"]
    rule: str
    rule_text: str


class QuickAnalysis(Computed):
    symbol: str
    instrument_id: str
    price: float
    change: float = Field(description="Since the bar before, in price units.")
    change_percent: float
    trend: Trend
    trend_rule: str
    volatility: Figure = Field(description="Per year, of the last `volatility_bars` returns.")
    volatility_bars: int
    rsi: Figure = Field(description="0 to 100.")
    rsi_bars: int
    macd: Macd
    moving_average_20: Figure
    moving_average_50: Figure
    bollinger_position: Figure = Field(
        description="0 at the lower band, 1 at the upper one (20 bars, 2 deviations)."
    )
    volume: Figure = Field(description="None where the source has no volumes.")
    recommendation: Recommendation


def quick_analysis(desk: FrontDesk, symbol: str) -> QuickAnalysis:
    """Return the newest figures of a symbol.

    Raises
    ------
    NotFound
        If there are no prices of it.
    DataError
        If there are fewer than two.
    """
    stored = prices_of(desk)
    table, column = stored.table, stored.column(symbol)
    name, rows = table.instrument_ids[column], stored.rows_of(column)[-BARS:]
    if rows.size < 2:
        raise DataError(f"{desk.source} has {rows.size} prices of {symbol}; 2 are needed.")
    ts, close = table.ts[rows], table.close[rows, column]
    volume = table.volume[rows, column]
    figures = _Figures(ts, close)
    return QuickAnalysis(
        source=Source.COMPUTED,
        as_of=moment(int(ts[-1])),
        method="Indicators of trading.indicators on the closes; the recommendation is its rule's outcome.",
        data=stored.data([column], ts),
        symbol=symbol_of(name),
        instrument_id=name,
        price=figures.price,
        change=figures.price - float(close[-2]),
        change_percent=100.0 * (figures.price / float(close[-2]) - 1.0),
        trend=figures.trend,
        trend_rule=TREND_RULE,
        volatility=figures.volatility,
        volatility_bars=VOLATILITY_BARS,
        rsi=figures.rsi,
        rsi_bars=RSI_BARS,
        macd=figures.macd,
        moving_average_20=figures.short,
        moving_average_50=figures.long,
        bollinger_position=figures.band,
        volume=float(volume[-1]) if volume.any() else None,
        recommendation=Recommendation(action=figures.action, rule=RULE, rule_text=RULE_TEXT),
    )


class _Figures:
    """The last row of each indicator; NaN where there are too few bars."""

    def __init__(self, ts: IntArray, close: FloatArray) -> None:
        column = close[:, None]
        self.price = float(close[-1])
        self.short, self.long = (_last(sma(column, bars)) for bars in (SHORT_BARS, LONG_BARS))
        self.rsi = _last(rsi(column, RSI_BARS))
        lines = macd(column)
        self.macd = Macd(
            line=_last(lines.line), signal=_last(lines.signal), histogram=_last(lines.histogram)
        )
        bands = bollinger(column, SHORT_BARS)
        low, high = _last(bands.lower), _last(bands.upper)
        self.band = (self.price - low) / (high - low) if high > low else np.nan
        self.volatility = _volatility(ts, close)

    @property
    def trend(self) -> Trend:
        if not np.isfinite(self.long):
            return "unknown"
        if min(self.price, self.short) > self.long:
            return "up"
        return "down" if max(self.price, self.short) < self.long else "sideways"

    @property
    def action(self) -> Literal["buy", "sell", "hold", "unknown"]:
        if self.trend == "unknown" or not np.isfinite(self.rsi):
            return "unknown"
        if self.trend == "up" and self.rsi < OVERBOUGHT:
            return "buy"
        return "sell" if self.trend == "down" and self.rsi > OVERSOLD else "hold"


def _volatility(ts: IntArray, close: FloatArray) -> float:
    returns = simple_returns(close[:, None])[1:, 0][-VOLATILITY_BARS:]
    if returns.size < VOLATILITY_BARS:
        return float("nan")
    return float(moments(returns).deviation * np.sqrt(periods_per_year(ts)))


def _last(values: FloatArray) -> float:
    return float(values[-1, 0])

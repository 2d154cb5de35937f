"""What a client asks, as it arrives: one symbol, several, or bars of its own."""

from typing import Annotated

import msgspec
import numpy as np

from actors.storage.kinds import interval_ns
from trading.errors import ForecastRefused
from trading.forecasting.history import History

Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
DEADLINE_MAX_MS = 60_000.0
SYMBOLS_MAX = 512
BARS_MAX = 2_000
"""Newest bars that those who ask send along; no model reads more."""


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/forecast`.

    Attributes
    ----------
    symbol : str
        Of one forecast. With `close` it is a label: the bars are those of the request.
    symbols : list of str
        Instead of `symbol`: one forecast each, and an error for each that cannot be forecast.
    horizon : int
        Bars ahead; by default as far as the model reaches.
    model : str
        `name`, `name@champion`, `name@challenger` or `name@3`.
    deadline_ms : float
        An answer that takes longer is an error.
    miscoverage : list of number
        Wanted part of outcomes outside the 50, 80, 95 and 99 % intervals, for who adapts them to how the last ones
        held.
    close, volume, sentiment : list of number
        Bars of the client, oldest first.
    ts : list of int
        Close of each of them (ns UTC). Without it the bars count from 1970, so that the forecast has expired from
        the start: it is for looking at, not for trading.
    """

    symbol: Symbol | None = None
    symbols: Annotated[list[Symbol], msgspec.Meta(min_length=1, max_length=SYMBOLS_MAX)] | None = (
        None
    )
    horizon: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    deadline_ms: Annotated[float, msgspec.Meta(gt=0, le=DEADLINE_MAX_MS)] | None = None
    miscoverage: Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)] | None = None
    close: list[float] | None = None
    ts: list[int] | None = None
    volume: list[float] | None = None
    sentiment: list[float] | None = None

    def __post_init__(self) -> None:
        """Refuse what the types alone allow; msgspec turns the `ValueError` into its own error."""
        if (self.symbol is None) == (self.symbols is None):
            raise ValueError("Give either `symbol` or `symbols`")
        if self.close is None:
            given = [name for name in ("ts", "volume", "sentiment") if getattr(self, name)]
            if given:
                raise ValueError(f"`{given[0]}` belongs to bars: give `close` too")
        elif self.symbol is None:
            raise ValueError("Bars belong to one `symbol`, not to `symbols`")


def own_history(question: Question, features: tuple[str, ...], bar: str) -> History:
    """Return the bars that a question brings along.

    Parameters
    ----------
    features : tuple of str
        What the model reads beside closes.
    bar : str
        Length of its bars, such as "1d".

    Raises
    ------
    ForecastRefused
        If the columns differ in length, a time does not fit 64 bits, or the model reads the time and there is none.
    """
    close = question.close or []
    for name in ("ts", "volume", "sentiment"):
        column = getattr(question, name)
        if column is not None and len(column) != len(close):
            raise ForecastRefused(
                "FORECAST_HISTORY_INVALID",
                f"{question.symbol}: there are {len(close)} closes but {len(column)} of {name}.",
            )
    if question.ts is None and "time" in features:
        raise ForecastRefused(
            "FORECAST_FEATURE_MISSING",
            f"{question.symbol}: the model also reads the time of the bars; give `ts`.",
        )
    return History(
        symbol=question.symbol or "",
        ts=_times(question, len(close), bar),
        close=np.asarray(close, dtype=np.float64),
        volume=_floats(question.volume),
        sentiment=_floats(question.sentiment),
    )


def _times(
    question: Question, count: int, bar: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    if question.ts is None:
        return np.arange(count, dtype=np.int64) * interval_ns(bar)
    try:
        return np.asarray(question.ts, dtype=np.int64)
    except OverflowError:
        raise ForecastRefused(
            "FORECAST_HISTORY_INVALID",
            f"{question.symbol}: a time is beyond 64 bits; give nanoseconds since 1970.",
        ) from None


def _floats(
    values: list[float] | None,
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    return None if values is None else np.asarray(values, dtype=np.float64)

"""A question to the forecasting service about what is known now: nobody who trades in a replay shall see its future."""

from serve.desk.analysis.prices import prices_of
from serve.desk.front_desk import FrontDesk
from serve.forecast.question import BARS_MAX, Question


def question_now(desk: FrontDesk, symbol: str, horizon: int | None, model: str | None) -> Question:
    """Return the question, with the bars up to the market time of the cluster where the stored ones go on after it.

    Raises
    ------
    NotFound
        If the replayed source has no such symbol.
    DataError
        As `prices_of`.
    """
    known = prices_of(desk)
    if not known.is_cut:
        return Question(symbol=symbol, horizon=horizon, model=model)
    column = known.column(symbol)
    rows = known.rows_of(column)[-BARS_MAX:]
    volume = known.table.volume[rows, column]
    return Question(
        symbol=known.symbols[column],
        horizon=horizon,
        model=model,
        close=known.table.close[rows, column].tolist(),
        ts=known.table.ts[rows].tolist(),
        volume=volume.tolist() if volume.any() else None,
    )

"""Parameters as columns of a table."""

from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

PREFIX = "param."


def param_columns(points: Sequence[Mapping[str, object]]) -> list[pl.Series]:
    """Return one column per parameter, `param.NAME`, null where a point has none.

    Numbers, truth values and texts keep their type; whole numbers among fractions become fractions. Any other mixture
    is written as JSON.
    """
    names = dict.fromkeys(name for point in points for name in point)
    return [_column(PREFIX + name, [point.get(name) for point in points]) for name in names]


def _column(name: str, values: Sequence[object]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if len(kinds) == 1 and kinds <= {int, float, bool, str}:
        return pl.Series(name, values)
    return pl.Series(name, [msgspec.json.encode(value).decode() for value in values])

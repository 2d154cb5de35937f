"""Rows that cannot be right: found and named, never repaired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from actors.storage.kinds import Kind
from actors.storage.source_files import LINE

FILE = "_file"
TIME_CELL = "_time"
"""The time as the source wrote it."""
NAMED_MAX = 20
"""Bad rows that are kept by name; the others are counted."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that was refused. `line` counts from 1, the header included."""

    file: str
    line: int
    column: str
    value: str
    reason: str
    symbol: str = ""

    def __str__(self) -> str:
        owner = f" ({self.symbol})" if self.symbol else ""
        return f"{self.file}, line {self.line}, column {self.column}{owner}: {self.value} {self.reason}"


@dataclass(frozen=True, slots=True)
class BadRows:
    """How many rows were refused, and the first of them."""

    count: int = 0
    named: tuple[BadRow, ...] = ()

    def __add__(self, other: "BadRows") -> "BadRows":
        named = (self.named + other.named)[:NAMED_MAX]
        return BadRows(self.count + other.count, named)


class Rule(NamedTuple):
    """What makes a row bad: a condition, the cell to show, and what is wrong with it."""

    column: str
    is_bad: pl.Expr
    cell: pl.Expr
    reason: str


def split(frame: pl.DataFrame, rules: Sequence[Rule]) -> tuple[pl.DataFrame, BadRows]:
    """Return the rows that break no rule, and what is wrong with the others (the first rule broken)."""
    broken = pl.coalesce(
        pl.when(rule.is_bad.fill_null(value=True)).then(index) for index, rule in enumerate(rules)
    )
    marked = frame.with_columns(_rule=broken)
    bad = marked.filter(pl.col("_rule").is_not_null())
    if bad.is_empty():
        return frame, BadRows()
    named = tuple(_named(bad[row], rules) for row in range(min(bad.height, NAMED_MAX)))
    return marked.filter(pl.col("_rule").is_null()).drop("_rule"), BadRows(bad.height, named)


def value_rules(kind: Kind, columns: Mapping[str, str]) -> list[Rule]:
    """Return the rules for numbers: finite, prices positive, sizes not negative, high not below low.

    Parameters
    ----------
    columns
        What the source has: our column to the name that it has there.
    """
    rules = [_number_rule(name, theirs) for name, theirs in columns.items() if name != "side"]
    if kind is Kind.BAR:
        low = pl.format("{} with low {}", "high", "low")
        label = columns.get("high", "high")
        rules.append(Rule(label, pl.col("high") < pl.col("low"), low, "is below the low"))
    if kind in (Kind.DELTA, Kind.TRADE):
        sides = ["BUY", "SELL"] if kind is Kind.DELTA else ["BUY", "SELL", ""]
        side = pl.col("side")
        label = columns.get("side", "side")
        rules.append(Rule(label, ~side.is_in(sides), side, "is neither BUY nor SELL"))
    return rules


def order_rules(kind: Kind) -> list[Rule]:
    """Return the rules for the order of rows: bars strictly rise, events may share a moment."""
    newest = pl.col("ts").cum_max().shift(1).over("symbol")
    cell = pl.col(TIME_CELL)
    older = (pl.col("ts") < newest).fill_null(value=False)
    rules = [Rule("time", older, cell, "is older than a row before it")]
    if kind is Kind.BAR:
        repeated = (pl.col("ts") == newest).fill_null(value=False)
        rules.append(Rule("time", repeated, cell, "repeats a row before it"))
    return rules


def _number_rule(name: str, theirs: str) -> Rule:
    value = pl.col(name)
    if name == "volume" or name.endswith("size"):
        return Rule(theirs, ~value.is_finite() | (value < 0), value, "is no size; it is 0 or more")
    return Rule(theirs, ~value.is_finite() | (value <= 0), value, "is no price; it is above 0")


def _named(row: pl.DataFrame, rules: Sequence[Rule]) -> BadRow:
    rule = rules[row["_rule"][0]]
    value = row.select(rule.cell.alias("cell"))["cell"][0]
    return BadRow(
        file=row[FILE][0],
        line=row[LINE][0],
        column=rule.column,
        value="an empty cell" if value is None else str(value),
        reason=rule.reason,
        symbol=row["symbol"][0] or "",
    )

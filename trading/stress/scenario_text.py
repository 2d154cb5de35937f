"""Scenarios as people write them: TOML.

name = "squeeze"
title = "Rates up, stocks down"      # optional, as are start and end (dates)

[[shocks]]
factor = "equity.us"
change = -0.10                       # or change_bp, change_points: see trading.stress.factors
source = "our desk"                  # optional

[instruments]                        # optional: returns that overrule the factors
AAPL = -0.35
"""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, NoReturn

from trading.errors import UsageError
from trading.stress.factors import PER_ONE, unit_of
from trading.stress.scenario import Scenario, Shock

_KEYS = ("name", "title", "start", "end", "shocks", "instruments")
_SHOCK_KEYS = ("factor", "source", *PER_ONE)


def parse_scenario(text: str, origin: str) -> Scenario:
    """Return the scenario that a text describes.

    Parameters
    ----------
    origin : str
        What to call the text in messages: the name of its file.

    Raises
    ------
    UsageError
        If it is not TOML, a key is unknown, missing or of the wrong kind, a factor is not known, its move is
        written in another unit, or the scenario itself is impossible. One sentence that names `origin`.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{origin} is no TOML: {error}.") from None
    try:
        return _scenario(document)
    except UsageError as error:
        raise UsageError(f"{origin}: {error}") from None


def _scenario(document: Mapping[str, Any]) -> Scenario:
    _refuse_unknown(document, _KEYS, "key")
    shocks = document.get("shocks", [])
    if not isinstance(shocks, list) or not all(isinstance(each, dict) for each in shocks):
        raise UsageError("shocks must be written as [[shocks]] tables.")
    instruments = document.get("instruments", {})
    if not isinstance(instruments, dict):
        raise UsageError("instruments must be a table: [instruments], then NAME = -0.1.")
    return Scenario(
        name=_text(document, "name"),
        shocks=tuple(_shock(each) for each in shocks),
        title=_text(document, "title"),
        instruments={name: _number(name, move) for name, move in instruments.items()},
        start=_day(document, "start"),
        end=_day(document, "end"),
    )


def _shock(table: Mapping[str, Any]) -> Shock:
    _refuse_unknown(table, _SHOCK_KEYS, "key of a shock")
    factor = _text(table, "factor")
    unit = unit_of(factor)
    written = [key for key in PER_ONE if key in table]
    if written != [unit]:
        found = f"has {' and '.join(written)}" if written else "has no move"
        raise UsageError(f"{factor} {found}; write {unit} = ...")
    return Shock(factor, _number(factor, table[unit]) / PER_ONE[unit], _text(table, "source"))


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str], kind: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(known)}."
            raise UsageError(f"there is no {kind} {key!r}; {hint}")


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    return value if isinstance(value, str) else _refuse(key, "a text", value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(name, "a number", value)
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{name}: a move must be a finite number, got one too large.") from None


def _day(table: Mapping[str, Any], key: str) -> date | None:
    value = table.get(key)
    if value is not None and type(value) is not date:
        _refuse(key, "a date such as 2008-09-15", value)
    return value


def _refuse(name: str, kind: str, value: object) -> NoReturn:
    raise UsageError(f"{name} must be {kind}, got {value!r}.")

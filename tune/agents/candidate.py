"""A strategy that an agent handed in: its source and what it declares, read without running any of it.

A file has these, of which PARAMETERS and TEMPLATE (what it finds installed) may be missing:

    LOOKBACK = 200
    PARAMETERS = {"fast": 20}
    TEMPLATE = "polars"
    def targets(bars, *, fast=10, slow=50): ...

LOOKBACK bars make the newest weight exact; `targets` returns weights (time, instrument). PARAMETERS go before
the defaults of `targets`.
"""

import ast
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sandboxes.sandbox import Source
from sandboxes.strategy import TEMPLATE, lookback_of
from trading.errors import UsageError

SOURCE_BYTES_MAX = 256 << 10
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_DECLARED = ("PARAMETERS", "TEMPLATE")


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A source with the parameters that it is judged with."""

    source: Source
    lookback: int
    parameters: dict[str, Any]
    template: str

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def terms(self) -> str:
        """The parameters as the journal holds them: a JSON object, sorted."""
        return msgspec.json.encode(self.parameters, order="deterministic").decode()


def name_of(path: Path) -> str:
    """Return the name that a file gives its strategy: `my_strategy.py` is `my-strategy`.

    Raises
    ------
    UsageError
        If it gives none.
    """
    name = path.stem.lower().replace("_", "-")
    if not NAME.fullmatch(name):
        raise UsageError(f"{path.name} gives no name; use letters, digits and '_', or give --name.")
    return name


def read_candidate(
    path: Path, parameters: Mapping[str, Any] | None = None, name: str = ""
) -> Candidate:
    """Return the strategy in a file.

    Parameters
    ----------
    parameters : mapping
        Instead of declared defaults.

    Raises
    ------
    UsageError
        If there is no such file, it is too long or no Python, or declares nothing that can be used.
    ConfigError
        If it does not say its lookback.
    """
    name = name or name_of(path)
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name; use small letters, digits, '-' and '.'.")
    return candidate_of(_text_of(path), name, parameters, path.name)


def candidate_of(
    text: str, name: str, parameters: Mapping[str, Any] | None = None, place: str = ""
) -> Candidate:
    """Return the strategy of a source; see `read_candidate`."""
    place = place or name
    declared = _declared(text, place)
    source = Source(name=name, text=text, sha256=hashlib.sha256(text.encode()).hexdigest())
    return Candidate(
        source=source,
        lookback=lookback_of(source),
        parameters=_parameters(declared.get("PARAMETERS", {}), parameters or {}, place),
        template=str(declared.get("TEMPLATE", TEMPLATE)),
    )


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > SOURCE_BYTES_MAX:
        raise UsageError(
            f"{path} has {len(content):,} bytes; up to {SOURCE_BYTES_MAX:,} are taken."
        )
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8.") from None


def _declared(text: str, place: str) -> dict[str, Any]:
    """Return PARAMETERS, with the defaults of `targets` behind them, and TEMPLATE."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UsageError(f"{place}, line {error.lineno}: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{place} cannot be read as Python: {error}.") from None
    functions = [
        each
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and each.name == "targets" and each.args.args
    ]
    if not functions:
        raise UsageError(f"{place} has no function `targets(bars)`.")
    found = {name: _value(name, value, place) for name, value in _constants(tree)}
    defaults = {name: _value(name, value, place) for name, value in _defaults(functions[-1].args)}
    own = found.get("PARAMETERS", {})
    return {**found, "PARAMETERS": {**defaults, **own} if isinstance(own, dict) else own}


def _value(name: str, value: ast.expr, place: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise UsageError(
            f"{place}, line {value.lineno}: {name} must be a plain value; it is read without running."
        ) from None


def _defaults(given: ast.arguments) -> list[tuple[str, ast.expr]]:
    plain = given.args[len(given.args) - len(given.defaults) :]
    pairs = [
        *zip(plain, given.defaults, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    return [(each.arg, value) for each, value in pairs if value is not None]


def _constants(tree: ast.Module) -> list[tuple[str, ast.expr]]:
    found = []
    for each in tree.body:
        if isinstance(each, ast.Assign):
            names = [target.id for target in each.targets if isinstance(target, ast.Name)]
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            names = [each.target.id]
        else:
            continue
        if each.value is not None:
            found += [(name, each.value) for name in names if name in _DECLARED]
    return found


def _parameters(declared: Any, given: Mapping[str, Any], place: str) -> dict[str, Any]:
    plain = (bool, int, float, str)
    if not isinstance(declared, dict) or not all(
        isinstance(name, str) and isinstance(value, plain) for name, value in declared.items()
    ):
        raise UsageError(
            f"{place}: PARAMETERS must map names to numbers, texts, or true and false."
        )
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise UsageError(f"{place} declares no parameter {name!r}; it has {known}.")
    return {**declared, **given}

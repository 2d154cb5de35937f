"""What commands print: results on stdout (Markdown or one JSON object), everything else on stderr."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print one JSON object; decimals become text, so that no digit of money is lost."""
    import msgspec

    encoded = msgspec.json.encode(value, enc_hook=str)
    typer.echo(msgspec.json.format(encoded, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table with padded columns; numbers go to the right."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    widths = [
        max(3, len(heading), *(len(row[index]) for row in cells))
        for index, heading in enumerate(headings)
    ]
    right = [_is_numeric([row[index] for row in cells]) for index in range(len(headings))]
    _print_row(headings, widths, right)
    rules = [
        "-" * (width - 1) + (":" if end else "-") for width, end in zip(widths, right, strict=True)
    ]
    _print_row(rules, widths, right)
    for row in cells:
        _print_row(row, widths, right)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print `key: value` lines with aligned values."""
    width = max((len(key) for key in facts), default=0) + 1
    for key, value in facts.items():
        typer.echo(f"{key + ':':<{width}} {value}")


def note(text: str, *, quiet: bool = False) -> None:
    """Tell the person something beside the result."""
    if not quiet:
        typer.echo(text, err=True)


def is_interactive(*, quiet: bool = False) -> bool:
    """Return whether progress and live screens are welcome on stderr."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return not quiet and not plain and sys.stderr.isatty()


def _print_row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> None:
    padded = [
        cell.rjust(width) if end else cell.ljust(width)
        for cell, width, end in zip(cells, widths, right, strict=True)
    ]
    typer.echo(f"| {' | '.join(padded)} |".rstrip())


def _is_numeric(cells: Sequence[str]) -> bool:
    shown = [cell for cell in cells if cell != "-"]
    return bool(shown) and all(cell.lstrip("+-")[:1].isdigit() for cell in shown)

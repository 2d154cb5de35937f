"""The parts of every report: page, facts, table, figure; and how a page is written."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from errno import EISDIR
from html import escape
from os import strerror
from pathlib import Path
from typing import Any

from trading.errors import UsageError

STYLE = Path(__file__).with_name("page.css")
FIGURE_SETTINGS = {"displayModeBar": False, "responsive": True}
CONTENT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
WRAPPED = frozenset({"meaning", "reason", "machines", "parameters"})
"""Columns whose text may take several lines."""
COLUMNS_MAX = 24


def page(title: str, body: str) -> str:
    """Return a whole document.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    """
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">
<title>{escape(title)}</title>
<style>{STYLE.read_text(encoding="utf-8")}{_column_rules()}</style></head><body>
{body}
</body></html>
"""


def write_page(html: str, path: Path) -> Path:
    """Write a page and return its absolute path; one that was there stays until then."""
    write_files({path: html.encode()})
    return path.absolute()


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files of one folder, all or none; those that were there stay until all are ready.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    partial = {path: path.with_name(f".{path.name}.partial") for path in contents}
    path = next(iter(contents))
    try:
        for path, content in contents.items():
            if path.is_dir():
                raise IsADirectoryError(EISDIR, strerror(EISDIR))
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content)
        for path in contents:
            partial[path].replace(path)
    except OSError as error:
        for each in partial.values():
            with suppress(OSError):
                each.unlink()
        raise UsageError(
            f"the report cannot be written to {path} ({error.strerror}); choose another --report."
        ) from None


def facts(items: Iterable[tuple[str, str, str]]) -> str:
    """Return cards of (name, value, style); the style is `good`, `bad` or empty."""
    cards = "".join(
        f'<div class="fact"><span class="dim">{escape(name)}</span>'
        f'<b class="{style}">{escape(value)}</b></div>'
        for name, value, style in items
    )
    return f'<div class="facts">{cards}</div>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int]) -> str:
    """Return a table of plain text; the columns `numeric` stand to the right."""
    # Classes on the table itself say how its columns look, which keeps rows small.
    looks = [f"n{index}" for index in numeric]
    looks += [f"t{index}" for index, heading in enumerate(headings) if heading in WRAPPED]
    head = "".join(f"<th>{escape(heading)}" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return (
        f'<div class="scroll"><table class="{" ".join(looks)}"><thead><tr>{head}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(chart: Any, *, with_library: bool) -> str:
    """Return a plotly figure; the first of a page brings the library."""
    html = chart.to_html(
        full_html=False,
        include_plotlyjs=with_library,
        default_width="100%",
        config=FIGURE_SETTINGS,
    )
    return f'<div class="chart">{html}</div>'


def figures(charts: Sequence[Any]) -> str:
    """Return all figures of a page."""
    parts = (figure(chart, with_library=index == 0) for index, chart in enumerate(charts))
    return f'<div class="charts">{"".join(parts)}</div>'


def _column_rules() -> str:
    """Return the CSS of the classes `n<column>` (numbers, to the right) and `t<column>` (text that wraps)."""
    return "".join(
        f".n{i} th:nth-child({i + 1}), .n{i} td:nth-child({i + 1}) "
        "{ text-align: right; font-variant-numeric: tabular-nums; }\n"
        f".t{i} td:nth-child({i + 1}) {{ white-space: normal; }}\n"
        for i in range(COLUMNS_MAX)
    )

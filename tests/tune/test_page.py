"""The parts of a report: text is escaped, a file is whole or absent, one page loads nothing."""

from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import UsageError
from tune.report.page import COLUMNS_MAX, CONTENT_POLICY, facts, figures, page, table, write_page

NASTY = '<script>alert("1")</script> & </title>'


class Seen(HTMLParser):
    """Texts of cells and of the title, and every start tag."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._open = tag
        self.texts.setdefault(tag, []).append("")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def test_when_a_title_holds_markup_it_is_shown_as_text() -> None:
    seen = Seen(page(NASTY, "<p>body</p>"))
    assert "script" not in seen.tags
    assert seen.texts["title"][0].strip() == NASTY
    assert seen.texts["p"] == ["body"]


def test_when_a_page_is_made_its_policy_forbids_every_load() -> None:
    html = page("t", "")
    assert html.startswith("<!doctype html>")
    assert dict(Seen(html).attributes)["content"] == CONTENT_POLICY
    assert "default-src 'none'" in CONTENT_POLICY
    assert "http" not in CONTENT_POLICY
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), max_size=6))
def test_when_cells_hold_anything_the_table_shows_just_that(rows: list[list[str]]) -> None:
    cells = [[cell.replace("\r", "") for cell in row] for row in rows]
    html = table(("a", "<b>", "reason"), cells, numeric=(1,))
    seen = Seen(html)
    assert set(seen.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert seen.texts["th"] == ["a", "<b>", "reason"]
    shown = seen.texts.get("td", [])
    assert shown == [cell for row in cells for cell in row]
    assert 'class="n1 t2"' in html


def test_when_a_column_is_numeric_the_page_has_a_rule_for_it() -> None:
    html = page("t", "")
    for index in range(COLUMNS_MAX):
        assert f".n{index} td:nth-child({index + 1})" in html
        assert f".t{index} td:nth-child({index + 1})" in html


def test_when_facts_hold_markup_it_is_shown_as_text() -> None:
    seen = Seen(facts([(NASTY, NASTY, "good"), ("b", "2", "")]))
    assert seen.texts["span"] == [NASTY, "b"]
    assert seen.texts["b"] == [NASTY, "2"]
    assert "script" not in seen.tags


def test_when_there_are_several_figures_the_library_comes_once() -> None:
    charts = [go.Figure(), go.Figure(), go.Figure()]
    html = figures(charts)
    assert html.count("* plotly.js v") == 1
    assert html.count('class="chart"') == 3
    assert html.index("* plotly.js v") < html.index("Plotly.newPlot")
    assert "* plotly.js v" not in figures([])


def test_when_a_page_is_written_it_is_there_whole(tmp_path: Path) -> None:
    path = write_page("<p>é", tmp_path / "new" / "folder" / "a.html")
    assert path.is_absolute()
    assert path.read_text(encoding="utf-8") == "<p>é"
    assert [each.name for each in path.parent.iterdir()] == ["a.html"]


def test_when_a_page_was_there_it_is_replaced(tmp_path: Path) -> None:
    write_page("old and longer", tmp_path / "a.html")
    write_page("new", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "new"


def test_when_the_path_is_relative_the_answer_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_page("x", Path("a.html")) == tmp_path / "a.html"


@pytest.mark.parametrize("name", ["file/a.html", "folder", "file/deep/a.html", "x" * 300 + ".html"])
def test_when_a_page_cannot_be_written_nothing_is_left(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        UsageError, match=r"the report cannot be written to .*choose another --report"
    ):
        write_page("<p>", tmp_path / name)
    assert {each.name for each in tmp_path.iterdir()} == {"file", "folder"}
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"
    assert list((tmp_path / "folder").iterdir()) == []

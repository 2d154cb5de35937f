"""The report: complete, closed in itself, harmless whatever the names are."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster.history import History
from cluster.report import report_html, write_report
from cluster.result import RunResult, result_of
from serve.desk.view import ActorView, CheckView, ClusterSnapshot
from trading.errors import UsageError
from trading.events import OrderDenied, OrderFilled

SIZE_MAX = 6_000_000
EVIL = "<script>alert('x')</script>\"&"


class Page(HTMLParser):
    """Elements and visible text of a page, without what stands inside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styles = ""
        self._inside = ""
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles += data
        elif self._inside != "script":
            self.words.append(data)


def _empty(run: Any) -> RunResult:
    return result_of(run.config, ClusterSnapshot(), History())


def test_after_a_run_the_report_tells_all_of_it(traded_run: Any) -> None:
    result, ledger = traded_run.result, traded_run.ledger
    text = Page(report_html(result)).text
    figures = [f"{result.final_equity:,.2f}"]
    figures += [f"{one.strategy_id} 50,000.00 {one.profit:+,.2f}" for one in result.strategies]
    figures += [f"{one['value']:,.2f} {one['unrealized_pnl']:+,.2f}" for one in ledger["positions"]]
    figures += [fill.trade_id for fill in result.fills]
    for fact in (
        *figures, "neural-trader demo: 2022-11-01 to 2022-12-28", "40 trading days",
        "RISK_MAX_NOTIONAL The position would exceed max_notional_per_position.",
        "would_be=41000 limit=40000", "agrees with the exchange's own record", "nothing was lost", "312 us", "3,980 us",
        "supervisor", "41221", "risk:SIM, book:paper", "skfolio", "BSD-3", "stocks that survived",
        "Past results of a simulation say little about the future",
    ):  # fmt: skip
        assert fact in text, f"{fact} is missing"


def test_after_a_run_every_chart_is_there(traded_run: Any) -> None:
    html = report_html(traded_run.result)
    for title in ("Equity", "Drawdown", "Profit by strategy", "Exposure", "Refused orders"):
        assert f'"text":"{title}' in html
    assert html.count('class="plotly-graph-div"') == 6


def test_when_opened_nothing_is_loaded_from_anywhere(traded_run: Any) -> None:
    page = Page(report_html(traded_run.result))
    assert any(tag == "script" for tag, _ in page.elements)
    for tag, attributes in page.elements:
        for name in ("src", "href", "data", "action", "srcset", "poster"):
            assert name not in attributes, f"<{tag}> has {name}={attributes.get(name)}"
    assert not re.search(r"url\(|@import", page.styles)
    assert "default-src 'none'" in str(page.elements)


def test_when_written_one_file_below_six_megabytes_is_left(traded_run: Any, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    assert write_report(traded_run.result, path) == path
    assert path.stat().st_size < SIZE_MAX
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_when_writing_fails_the_old_report_is_still_whole(
    traded_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def torn(self: Path, *_: object, **__: object) -> int:
        self.open("w").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(UsageError, match="No space left on device"):
        write_report(traded_run.result, path)
    assert path.read_text() == "old"


def test_when_names_hold_markup_it_is_text(traded_run: Any) -> None:
    result = traded_run.result
    fill = msgspec.structs.replace(result.fills[0], strategy_id=EVIL, purpose=EVIL)
    refusal = msgspec.structs.replace(result.refusals[0], reason=EVIL, code=EVIL)
    hostile = msgspec.structs.replace(
        result,
        fills=(fill,),
        refusals=(refusal,),
        strategies=(msgspec.structs.replace(result.strategies[0], strategy_id=EVIL),),
        orders=msgspec.structs.replace(result.orders, refused={EVIL: 1}),
        actors=(ActorView(name=EVIL, pid=1, node=EVIL, restarts=0, messages=0),),
    )
    html, harmless = report_html(hostile), report_html(result)
    assert "<script>alert" not in html
    scripts = [sum(t == "script" for t, _ in Page(h).elements) for h in (html, harmless)]
    assert scripts[0] == scripts[1]
    assert Page(html).text.count(EVIL) >= 6


def test_when_nothing_happened_the_report_says_so(traded_run: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(_empty(traded_run), path)
    text = Page(path.read_text(encoding="utf-8")).text
    for sentence in (
        "No day was completed", "No order was refused", "Nothing was traded",
        "was not compared with the exchange", "its positions are not known",
    ):  # fmt: skip
        assert sentence in text


def test_when_the_books_differ_the_report_says_by_how_much(traded_run: Any) -> None:
    broken = CheckView(
        duplicates=1, lost=2, position_difference=Decimal(3), cash_difference=Decimal("4.25")
    )
    text = Page(report_html(msgspec.structs.replace(traded_run.result, check=broken))).text
    assert "own record differ: 1 orders executed twice, 2 orders or fills lost" in text
    assert "positions differ by 3 units and cash by 4.25 USD" in text


def test_when_there_are_many_rows_the_newest_are_shown_and_the_size_holds(
    traded_run: Any, tmp_path: Path
) -> None:
    result = traded_run.result
    fills: list[OrderFilled] = [
        msgspec.structs.replace(result.fills[0], trade_id=f"trade-{n}.") for n in range(20_000)
    ]
    refusals: list[OrderDenied] = list(result.refusals[:1]) * 20_000
    many = msgspec.structs.replace(result, fills=tuple(fills), refusals=tuple(refusals))
    path = tmp_path / "report.html"
    write_report(many, path)
    text = path.read_text(encoding="utf-8")
    assert "The newest 500 of 20,000, newest first." in text
    assert "trade-19999." in text
    assert "trade-19499." not in text
    assert path.stat().st_size < SIZE_MAX

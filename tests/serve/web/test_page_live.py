"""The page in a browser while the market moves."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.latency import LatencyWindow
from serve.desk.answers import AccountCurve
from serve.desk.order_rows import fills_of, orders_of
from serve.desk.portfolio import portfolio_of
from serve.desk.standing import cluster_of
from serve.web import columns, figures
from tests.serve.simulated_desk import SimulatedDesk
from tests.serve.web.served import Served

Visit = Callable[..., Any]


def texts(page: Any, table: str) -> list[list[str]]:
    """Return the rows of a table as a reader sees them."""
    rows: list[list[str]] = page.eval_on_selector_all(
        f"#{table}-table tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))",
    )
    return rows


def expect_text(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent === text",
        arg=[selector, text],
    )


def test_when_the_market_moves_the_figures_follow(visit: Visit, trading: SimulatedDesk) -> None:
    page = visit()
    before = page.text_content("#market-clock")
    trading.advance(4)
    snapshot = trading.snapshot()
    clock = figures.text(cluster_of(snapshot).as_of, "time")
    assert clock != before
    expect_text(page, "#market-clock", clock)
    portfolio = portfolio_of(snapshot)
    expect_text(
        page,
        "#account-1 [data-field=equity]",
        figures.text(portfolio.accounts[0].equity, "money"),
    )
    assert [row[0] for row in texts(page, "positions")] == [
        position.symbol for position in portfolio.positions
    ]
    assert len(texts(page, "orders")) == len(orders_of(snapshot))


def test_what_the_server_renders_and_what_the_script_renders_is_the_same_text(
    visit: Visit,
) -> None:
    still = visit(is_live=False, java_script_enabled=False)
    live = visit()
    tables = ("positions", "strategies", "orders", "fills", "limits", "actors")
    for name in tables:
        assert texts(still, name) == texts(live, name) != [], name
    facts = "nodes => nodes.map(node => [node.textContent, node.className])"
    of_account = "#account-1 dd, #risk-facts dd"
    assert still.eval_on_selector_all(of_account, facts) == live.eval_on_selector_all(
        of_account, facts
    )
    room = "nodes => nodes.map(node => node.outerHTML.replaceAll(/><\\/rect>|\\/>/g, '>'))"
    assert still.eval_on_selector_all(".room", room) == live.eval_on_selector_all(".room", room)


def test_when_orders_come_rows_that_stay_keep_their_elements_and_the_focus(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit()
    first = page.locator("#orders-table [data-order]").first
    order = first.get_attribute("data-order")
    first.focus()
    count = len(texts(page, "orders"))
    while len(orders_of(trading.snapshot())) == count:
        trading.advance(1)
    page.wait_for_function(
        "count => document.querySelectorAll('#orders-table tbody tr').length > count", arg=count
    )
    assert page.evaluate("document.activeElement.dataset.order") == order


def test_when_an_order_is_clicked_its_story_opens(visit: Visit, trading: SimulatedDesk) -> None:
    page = visit()
    order = orders_of(trading.snapshot())[0]
    page.click(f"[data-order='{order.client_order_id}']")
    page.wait_for_selector("#story-steps li")
    story = trading.story(order.client_order_id)
    details = page.eval_on_selector_all(
        "#story-steps .detail", "nodes => nodes.map(n => n.textContent)"
    )
    assert details == [step.detail for step in story.steps]
    assert any("permitted by risk" in detail for detail in details)
    assert order.symbol in page.text_content("#story-title")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.order") == order.client_order_id


def test_the_equity_chart_shows_every_mark_and_says_it_in_words(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit()
    page.wait_for_selector("#equity-chart .scatterlayer .trace")
    marks = trading.equity(300)[0].points
    drawn = page.evaluate("document.getElementById('equity-chart').data[0].y")
    assert drawn == [float(mark.equity) for mark in marks]
    words = page.get_attribute("#equity-chart", "aria-label")
    assert figures.text(marks[-1].equity, "money") in words


def test_with_two_accounts_a_person_chooses_whose_equity_is_drawn(
    visit: Visit, trading: SimulatedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = trading.equity(300)

    def other(first: int) -> AccountCurve:
        marks = enumerate(own.points, first)
        points = [mark.model_copy(update={"equity": Decimal(worth)}) for worth, mark in marks]
        return AccountCurve(account="W1", points=points)

    def expect_drawn(first: int) -> None:
        page.wait_for_function(
            "([first, count]) => { const { y } = document.getElementById('equity-chart').data[0];"
            "return y.length === count && y.every((worth, at) => worth === first + at); }",
            arg=[first, len(own.points)],
        )

    page = visit()
    page.wait_for_selector("#equity-chart .scatterlayer .trace")
    assert page.is_hidden("#equity-account")
    monkeypatch.setattr(trading, "equity", lambda points: [own, other(100)])
    page.wait_for_selector("#equity-account")
    page.select_option("#equity-account", "W1")
    expect_drawn(100)
    monkeypatch.setattr(trading, "equity", lambda points: [own, other(500)])
    expect_drawn(500)
    assert page.input_value("#equity-account") == "W1"


def test_a_forecast_of_some_bars_ago_stands_beside_what_happened(visit: Visit) -> None:
    page = visit()
    page.locator("#fan").scroll_into_view_if_needed()
    page.wait_for_selector("#fan-chart .scatterlayer .trace")
    page.select_option("#fan-symbol", "KO")
    page.wait_for_function("() => fan?.symbol === 'KO'")
    fan = page.evaluate("fan")
    horizon = fan["forecast"]["horizon"]
    assert [bar["at"] for bar in fan["realised"]] == fan["ahead"][:horizon]
    assert len(fan["realised"]) == min(10, horizon)
    assert fan["past"][-1]["at"] < fan["realised"][0]["at"]
    assert all(bar["at"] <= page.evaluate("latest.cluster.as_of") for bar in fan["realised"])
    assert "80 % band" in page.text_content("#fan-says")
    page.select_option("#fan-back", "0")
    page.wait_for_function("() => fan.realised.length === 0")
    assert len(page.evaluate("fan.ahead")) == horizon


def test_what_is_chosen_while_a_panel_asks_is_asked_for_when_it_is_over(visit: Visit) -> None:
    page = visit()
    held: list[Any] = []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.locator("#fan").scroll_into_view_if_needed()
    page.wait_for_selector("#fan-chart .scatterlayer .trace")
    page.route("**/v1/forecast", hold_the_first)
    page.select_option("#fan-back", "0")
    while not held:
        page.wait_for_timeout(20)
    page.select_option("#fan-symbol", "KO")
    held[0].continue_()
    # Else the panel asks again only after 30 s.
    page.wait_for_function("() => fan?.symbol === 'KO'", timeout=20_000)


@pytest.mark.timeout(300)
def test_a_backtest_is_started_and_its_figures_are_shown(visit: Visit, served: Served) -> None:
    page = visit()
    page.locator("#backtests").scroll_into_view_if_needed()
    page.wait_for_selector("#backtest-strategy option", state="attached")
    page.select_option("#backtest-strategy", "momentum")
    page.fill("#backtest-symbols", "AAPL, KO")
    page.fill("#backtest-from", "2020-01-01")
    page.fill("#backtest-to", "2021-12-31")
    page.click("#backtest-form button")
    page.wait_for_selector("#jobs-table .link")
    page.click("#jobs-table .link")
    page.wait_for_selector("#metrics-table tbody tr", timeout=240_000)
    job = served.desk.jobs.get(served.desk.jobs.list(1)[0].id)
    names = [run["strategy"] for run in job.result]
    assert [row[0] for row in texts(page, "metrics")] == names
    at = [column.field for column in columns.METRICS.columns].index("sharpe")
    assert [row[at] for row in texts(page, "metrics")] == [
        figures.text(run["metrics"]["sharpe"], "ratio") for run in job.result
    ]


def test_when_runs_tell_their_equity_the_result_draws_it(visit: Visit) -> None:
    page = visit()
    run = {
        "strategy": "momentum",
        "params": {},
        "metrics": {"sharpe": 1.0},
        "equity": [{"at": f"2020-01-0{day}T21:00:00Z", "equity": 100 + day} for day in (1, 2, 3)],
    }
    job = {"id": "j1", "command": "trader backtest momentum", "state": "done", "result": [run]}
    page.route("**/v1/jobs/j1", lambda route: route.fulfill(json=job))
    page.evaluate("openResult('j1')")
    page.wait_for_selector("#result-chart .scatterlayer .trace")
    assert page.evaluate("document.getElementById('result-chart').data[0].y") == [101, 102, 103]


def test_text_from_outside_stays_text(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir(exist_ok=True)
    evil = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"
    line = {"ts": "2026-01-01T00:00:00Z", "level": "warning", "event": evil}
    quiet = {"ts": "2026-01-01T00:00:01Z", "level": "debug", "event": "seldom seen"}
    (tmp_path / "logs" / "broker.log").write_text(f"{json.dumps(line)}\n{json.dumps(quiet)}\n")
    page = visit()
    page.wait_for_selector("#log-lines p")
    assert evil in page.text_content("#log-lines")
    assert page.query_selector("#log-lines img, #log-lines script") is None
    assert "taken" not in page.title()
    assert "seldom seen" not in page.text_content("#log-lines")
    page.select_option("#log-level", "0")
    assert "seldom seen" in page.text_content("#log-lines")


def test_the_latency_of_orders_is_a_histogram(
    visit: Visit, trading: SimulatedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = LatencyWindow()
    for microseconds in (40, 150, 150, 3_000_000):
        window.record(microseconds * 1_000)
    look = trading.snapshot
    monkeypatch.setattr(
        trading,
        "snapshot",
        lambda: msgspec.structs.replace(look(), latency_counts=tuple(window.counts)),
    )
    page = visit()
    page.locator("#latency").scroll_into_view_if_needed()
    page.wait_for_selector("#latency-chart .bars path", state="attached")
    assert page.evaluate("document.getElementById('latency-chart').data[0].y") == window.counts
    words = page.get_attribute("#latency-chart", "aria-label")
    assert "to 200 µs 2" in words
    assert "over 1 s 1" in words


def test_what_is_kept_for_charts_is_bounded(visit: Visit) -> None:
    page = visit()
    drawn = page.evaluate(
        "() => { const saved = latest.equity, [{ account, points }] = saved.curves;"
        "latest.equity = { curves: [{ account, points: Array(50000).fill(points[0]) }] };"
        "const made = drawEquity(); latest.equity = saved; return made.data.map(each => each.x.length); }"
    )
    assert drawn == [2000, 2000]


def test_a_fill_leads_to_the_story_of_its_order(
    visit: Visit, trading: SimulatedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = orders_of(trading.snapshot())[0].client_order_id
    snapshot = trading.snapshot()
    ledger = dict(snapshot.machines["ledger:SIM"])
    ledger["recent_fills"] = [row | {"client_order_id": order} for row in ledger["recent_fills"]]
    told = msgspec.structs.replace(snapshot, machines=snapshot.machines | {"ledger:SIM": ledger})
    monkeypatch.setattr(trading, "snapshot", lambda: told)
    page = visit()
    page.locator("#fills-table [data-order]").first.click()
    page.wait_for_selector("#story-steps li")
    assert page.get_attribute("#story", "data-order") == order


def test_fills_are_those_of_the_desk(visit: Visit, trading: SimulatedDesk) -> None:
    page = visit()
    fills = fills_of(trading.snapshot())
    shown = [column.field for column in columns.FILLS.columns].index("price")
    assert [row[shown] for row in texts(page, "fills")] == [
        figures.text(fill.price, "price") for fill in fills
    ]

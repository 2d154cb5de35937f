"""The page without its server, without its cluster, and with a connection that has died."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serve.desk.standing import cluster_of
from serve.web import figures
from tests.serve.simulated_desk import SimulatedDesk
from tests.serve.web.served import Served

Visit = Callable[..., Any]
IS_OLD = "#positions[data-old]"
BEAT_MS = 1_100
"""After that long every panel has said anew how old it is."""


def test_when_the_server_goes_the_page_says_so_and_greys_its_figures_until_it_is_back(
    visit: Visit, served: Served, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    page.may_complain = True
    assert page.query_selector(IS_OLD) is None
    served.stop()
    page.wait_for_selector("#link[data-value=disconnected]")
    assert "Disconnected" in page.text_content("#banner")
    page.clock.run_for(6_000)
    page.wait_for_selector(IS_OLD)
    assert "s old" in page.text_content("#positions [data-age]")
    opacity = page.eval_on_selector(
        "#positions .scroll, #positions .note", "node => getComputedStyle(node).opacity"
    )
    assert float(opacity) < 1
    trading.advance(3)
    served.start()
    page.clock.resume()  # a try that failed just now is followed by another
    page.clock.run_for(20_000)
    page.wait_for_selector("#link[data-value=live]")
    page.wait_for_selector("#positions:not([data-old])")
    page.wait_for_function("() => document.getElementById('banner').textContent === ''")
    clock = figures.text(cluster_of(trading.snapshot()).as_of, "time")
    page.wait_for_function(
        "clock => document.getElementById('market-clock').textContent === clock", arg=clock
    )


def test_when_the_cluster_goes_the_page_names_the_reason_and_recovers(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    page.may_complain = True
    trading.go_down()
    page.wait_for_selector("#link[data-value='no cluster']")
    assert "no cluster named 'simulated'" in page.text_content("#banner")
    page.clock.run_for(6_000)
    page.wait_for_selector(IS_OLD)
    trading.go_down(is_down=False)
    page.wait_for_selector("#link[data-value=live]")
    page.clock.run_for(BEAT_MS)
    page.wait_for_selector("#positions:not([data-old])")


def test_when_nothing_changes_the_figures_are_still_known_to_be_right(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    for _ in range(5):
        with page.expect_response("**/v1/portfolio"):
            page.clock.run_for(4_000)
        page.wait_for_function("() => !link.asking")
    page.clock.run_for(BEAT_MS)
    assert page.query_selector(IS_OLD) is None


def test_a_stream_that_has_died_unnoticed_is_opened_again(
    visit: Visit, served: Served, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    streams = served.app.streams
    served.app.mute()
    trading.advance(3)
    clock = figures.text(cluster_of(trading.snapshot()).as_of, "time")
    page.clock.run_for(5_000)
    page.clock.resume()
    page.wait_for_function(
        "clock => document.getElementById('market-clock').textContent === clock", arg=clock
    )
    assert served.app.streams > streams


def test_a_panel_whose_question_fails_says_why_and_the_others_go_on(visit: Visit) -> None:
    page = visit(is_live=False)
    page.may_complain = True
    problem = {"code": "FAILED", "detail": "the registry cannot be read."}
    page.route("**/v1/models", lambda route: route.fulfill(status=500, json=problem))
    page.reload()
    page.wait_for_selector("#link[data-value=live]")
    page.locator("#models").scroll_into_view_if_needed()
    page.wait_for_selector("#models[data-state=error]")
    assert page.text_content("#models [data-note]") == "the registry cannot be read."
    assert page.get_attribute("#positions", "data-state") in ("fresh", "empty")


def test_without_rows_a_panel_says_that_there_are_none(visit: Visit) -> None:
    page = visit()
    page.locator("#backtests").scroll_into_view_if_needed()
    page.wait_for_selector("#backtests[data-state=empty]")
    assert "No backtest yet" in page.text_content("#backtests [data-note]")
    assert page.is_hidden("#jobs-table")


@pytest.fixture
def starting(tmp_path: Path, trading: SimulatedDesk) -> Iterator[Served]:
    trading.go_down()
    served = Served(tmp_path, trading)
    yield served
    served.close()


def test_when_the_page_comes_before_the_cluster_it_fills_when_the_cluster_comes(
    browser: Any, starting: Served, trading: SimulatedDesk
) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(starting.url)
    page.wait_for_selector("#link[data-value='no cluster']")
    assert page.get_attribute("#positions", "data-state") == "error"
    trading.go_down(is_down=False)
    page.wait_for_selector("#link[data-value=live]")
    page.wait_for_selector("#orders-table tbody tr")
    assert page.get_attribute("#orders", "data-state") == "fresh"
    page.close()

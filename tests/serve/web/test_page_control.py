"""Pausing trading and the kill switch: always in two steps, by mouse and by keyboard."""

from collections.abc import Callable
from typing import Any

import pytest

from serve.desk.portfolio import portfolio_of
from serve.desk.principal import ALL, Principal
from tests.serve.simulated_desk import SimulatedDesk
from tests.serve.web.pages import DELIBERATE_MS, arm, press_twice
from tests.serve.web.served import Served
from trading.errors import PermissionMissing

Visit = Callable[..., Any]
ME = Principal(name="test", permissions=ALL, came_by="loopback")


def state(trading: SimulatedDesk) -> tuple[str, bool]:
    trading.connection.forget_look()
    portfolio = portfolio_of(trading.snapshot())
    return portfolio.trading_state, portfolio.is_killed


def acted_on(served: Served) -> tuple[str, str]:
    """Return the newest action on trading and its outcome; a panel that forecasts is in the trail too."""
    facts = served.desk.audit.read()
    newest = next(each for each in facts if each.action.startswith("POST /v1/trading"))
    return newest.action, newest.outcome


def expect_said(page: Any, selector: str, words: str) -> None:
    page.wait_for_function(
        "([selector, words]) => document.querySelector(selector).textContent.includes(words)",
        arg=[selector, words],
    )


def test_pause_asks_twice_and_resume_too(
    visit: Visit, trading: SimulatedDesk, served: Served
) -> None:
    page = visit(is_frozen=True)
    arm(page, "#pause")
    assert "only orders that make a position smaller leave" in page.text_content("#armed")
    assert state(trading) == ("ACTIVE", False)
    page.click("#pause")
    page.clock.resume()
    page.wait_for_selector("#trading-state[data-value=REDUCING]")
    assert state(trading) == ("REDUCING", False)
    assert acted_on(served) == ("POST /v1/trading/pause", "OK")
    page.wait_for_function("() => document.getElementById('pause').textContent === 'Resume'")
    press_twice(page, "#pause")
    page.wait_for_selector("#trading-state[data-value=ACTIVE]")
    assert state(trading) == ("ACTIVE", False)


def test_a_press_that_is_not_repeated_in_time_does_nothing(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    arm(page, "#pause")
    page.clock.fast_forward(5_000)
    page.wait_for_selector("#pause:not([data-armed])")
    assert page.text_content("#pause") == "Pause"
    assert page.is_hidden("#armed")
    page.click("#pause")  # the first press again
    page.wait_for_selector("#pause[data-armed]")
    assert state(trading) == ("ACTIVE", False)


def test_a_double_click_is_one_press(visit: Visit, trading: SimulatedDesk) -> None:
    page = visit(is_frozen=True)  # however long the second press takes, it comes at once
    page.dblclick("#pause")
    page.clock.run_for(DELIBERATE_MS)
    page.wait_for_selector("#pause[data-armed=ready]")
    assert state(trading) == ("ACTIVE", False)


def test_escape_takes_the_first_press_back(visit: Visit, trading: SimulatedDesk) -> None:
    page = visit(is_frozen=True)  # so that it is the key that ends it, and not its time
    page.click("#pause")
    page.wait_for_selector("#pause[data-armed]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#pause:not([data-armed])")
    assert state(trading) == ("ACTIVE", False)


def test_the_kill_switch_latches_after_a_reason_and_two_presses(
    visit: Visit, trading: SimulatedDesk, served: Served
) -> None:
    page = visit(is_frozen=True)
    page.click("#kill")
    page.click("#kill-go")  # no reason yet
    assert page.get_attribute("#kill-go", "data-armed") is None
    page.fill("#kill-reason", "wrong prices")
    arm(page, "#kill-go")
    accounts = portfolio_of(trading.snapshot()).accounts
    assert accounts[0].account in page.text_content("#kill-armed")
    assert "left open" in page.text_content("#kill-armed")
    assert "working order" in page.text_content("#kill-armed")
    assert state(trading)[1] is False
    page.click("#kill-go")
    page.clock.resume()
    page.wait_for_selector("#banner[data-state=killed]")
    assert state(trading)[1] is True
    assert "wrong prices" in trading.snapshot().machines["risk:SIM"]["kill_switch"]
    expect_said(page, "#kill-armed", "cancelled")  # the stream may be quicker than the answer
    assert acted_on(served) == ("POST /v1/trading/kill", "OK")


def test_flatten_closes_every_position_and_says_so_before(
    visit: Visit, trading: SimulatedDesk
) -> None:
    while not portfolio_of(trading.snapshot()).positions:
        trading.advance(1)
    page = visit(is_frozen=True)
    page.wait_for_selector("#positions-table tbody tr")
    page.click("#kill")
    page.fill("#kill-reason", "storm")
    page.check("#kill-flatten")
    count = len(portfolio_of(trading.snapshot()).positions)
    arm(page, "#kill-go")
    assert f"{count} position" in page.text_content("#kill-armed")
    assert "closed at the market" in page.text_content("#kill-armed")
    page.click("#kill-go")
    page.clock.resume()
    page.wait_for_selector("#banner[data-state=killed]")
    expect_said(page, "#kill-armed", "The kill switch is on.")
    trading.advance(2)
    assert portfolio_of(trading.snapshot()).positions == []


def test_what_would_happen_changes_so_the_first_press_counts_no_more(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    page.click("#kill")
    page.fill("#kill-reason", "storm")
    arm(page, "#kill-go")
    page.check("#kill-flatten")
    page.wait_for_selector("#kill-go:not([data-armed])")
    page.click("#kill-go")
    page.wait_for_selector("#kill-go[data-armed]")
    assert state(trading)[1] is False


def test_a_latched_kill_switch_is_reset_in_two_steps(visit: Visit, trading: SimulatedDesk) -> None:
    trading.kill(ME, "test", flatten=False)
    page = visit()
    page.wait_for_selector("#banner[data-state=killed]")
    assert page.text_content("#trading-state") == "KILLED"
    page.click("#kill")
    assert page.is_hidden("#kill-flatten")
    page.fill("#kill-reason", "found the cause")
    press_twice(page, "#kill-go")
    page.wait_for_selector("#banner:not([data-state=killed])", state="attached")
    assert state(trading)[1] is False


def test_a_refusal_is_told_and_nothing_happened(
    visit: Visit, trading: SimulatedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionMissing("test lacks the permission trade:paper.")

    monkeypatch.setattr(trading, "set_state", refused)
    page = visit()
    page.may_complain = True  # the browser notes every answer of 403
    press_twice(page, "#pause")
    page.wait_for_function(
        "() => document.getElementById('armed').textContent.startsWith('Not done')"
    )
    assert "trade:paper" in page.text_content("#armed")
    assert state(trading) == ("ACTIVE", False)


def test_the_keyboard_alone_reaches_and_throws_the_kill_switch(
    visit: Visit, trading: SimulatedDesk
) -> None:
    page = visit(is_frozen=True)
    focused = "document.activeElement.id || document.activeElement.className"
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
    assert reached == ["skip", "pause", "kill", "theme"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(focused) == "kill-reason"
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "kill-go"
    page.keyboard.press("Enter")
    page.clock.run_for(DELIBERATE_MS)
    page.wait_for_selector("#kill-go[data-armed=ready]")
    page.keyboard.press("Enter")
    page.clock.resume()
    page.wait_for_selector("#banner[data-state=killed]")
    assert state(trading)[1] is True
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "kill"


def test_enter_in_the_reason_is_the_first_step_only(visit: Visit, trading: SimulatedDesk) -> None:
    page = visit(is_frozen=True)
    page.click("#kill")
    page.fill("#kill-reason", "storm")
    page.keyboard.press("Enter")
    page.clock.run_for(DELIBERATE_MS)
    page.wait_for_selector("#kill-go[data-armed=ready]")
    assert page.is_visible("#kill-dialog")
    assert state(trading)[1] is False

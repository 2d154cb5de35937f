"""The page behind its door: sign in, stay in, sign out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serve.auth.access import Access
from serve.desk.principal import ALL, Permission
from tests.serve.auth.door import PASSWORD, a_door
from tests.serve.simulated_desk import SimulatedDesk
from tests.serve.web.pages import freeze, press_twice
from tests.serve.web.served import Served

Visit = Callable[..., Any]


@pytest.fixture
def served(tmp_path: Path, trading: SimulatedDesk) -> Iterator[Served]:
    door = a_door(tmp_path).with_people()
    served = Served(tmp_path, trading, door.gate)
    served.access = door.access  # type: ignore[attr-defined]
    yield served
    served.close()


def sign_in(page: Any, name: str, password: str = PASSWORD) -> None:
    page.fill("#login-name", name)
    page.fill("#login-password", password)
    page.keyboard.press("Enter")


def test_signing_in_shows_the_page_and_signing_out_takes_it_away(visit: Visit) -> None:
    page = visit(is_live=False)
    page.clock.install()
    assert page.query_selector("table") is None
    sign_in(page, "alice")
    page.wait_for_selector("#link[data-value=live]")
    assert "alice" in page.text_content("footer")
    page.reload()
    page.wait_for_selector("#link[data-value=live]")
    freeze(page)  # else a panel may ask between the sign-out and the end of the page
    page.wait_for_function(
        "() => !link.asking && [...polls.values()].every((panel) => !panel.isAsking)"
    )
    page.click("#sign-out")
    page.wait_for_selector("#login")
    assert page.context.cookies() == []


def test_what_a_signed_in_person_does_passes_the_door(visit: Visit, served: Served) -> None:
    page = visit(is_live=False)
    sign_in(page, "alice")
    page.wait_for_selector("#link[data-value=live]")
    press_twice(page, "#pause")
    page.wait_for_selector("#trading-state[data-value=REDUCING]")
    paused = [each for each in served.desk.audit.read() if each.action == "POST /v1/trading/pause"]
    assert [each.actor for each in paused] == ["alice"]


def test_a_wrong_password_is_told_without_saying_what_was_wrong(visit: Visit) -> None:
    page = visit(is_live=False)
    page.may_complain = True  # the browser notes every answer of 401
    says = []
    for name in ("alice", "nobody"):
        with page.expect_response("**/v1/auth/login") as answered:
            sign_in(page, name, "guess")
        assert answered.value.status == 401
        page.wait_for_function(
            "() => !['', 'Asking…'].includes(document.getElementById('login-says').textContent)"
        )
        says.append(page.text_content("#login-says"))
    assert says[0] == says[1]
    assert page.query_selector("table") is None


def test_who_may_only_read_cannot_press(visit: Visit) -> None:
    page = visit(is_live=False)
    sign_in(page, "bob")
    page.wait_for_selector("#link[data-value=live]")
    assert page.is_disabled("#pause")
    assert page.is_disabled("#kill")
    assert page.query_selector("#audit") is None


def test_when_a_session_ends_the_page_says_so_and_its_figures_grow_old(
    visit: Visit, served: Served
) -> None:
    page = visit(is_live=False)
    page.may_complain = True
    page.clock.install()
    page.reload()
    page.clock.resume()
    sign_in(page, "alice")
    page.wait_for_selector("#link[data-value=live]")
    access: Access = served.access  # type: ignore[attr-defined]
    access.remove_user("alice", "test")
    page.clock.run_for(10_000)  # nothing changes, so the page asks
    page.wait_for_selector("#link[data-value='signed out']")
    assert "sign in" in page.text_content("#banner")
    page.clock.run_for(6_000)
    page.wait_for_selector("#positions[data-old]")
    access.add_user("carol", PASSWORD, ALL & {Permission.READ}, "test")
    page.reload()
    sign_in(page, "carol")
    page.wait_for_selector("#link[data-value=live]")

"""One browser for a module; a server, a context and a page for each test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.simulated_desk import SimulatedDesk
from tests.serve.web.pages import FRAME_MS, load_frozen, settled, told
from tests.serve.web.served import Served

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"there is no {CHROMIUM}: the page is not tried in a browser")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: the page is not tried"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def trading(tmp_path: Path) -> SimulatedDesk:
    trading = SimulatedDesk(tmp_path)
    trading.advance(6)
    return trading


@pytest.fixture
def served(tmp_path: Path, trading: SimulatedDesk) -> Iterator[Served]:
    served = Served(tmp_path, trading)
    yield served
    served.close()


class Seen:
    """What a browser complained of, and whom it asked."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()

    def watch(self, page: Any) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page; at the end nobody else was asked, and nothing complained.

    It is live then, and every topic of the stream is drawn. With `is_frozen` its clock stands still from the
    beginning. `page.may_complain` may be set to True where a test takes the server away.
    """
    seen, contexts = Seen(), []

    def visit(
        *, path: str = "/", is_live: bool = True, is_frozen: bool = False, **options: Any
    ) -> Any:
        context = browser.new_context(**({"reduced_motion": "reduce"} | options))
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.seen = seen
        page.may_complain = False
        visit.page = page  # type: ignore[attr-defined]
        seen.watch(page)
        if is_frozen:
            load_frozen(page, served.url + path)
            told(page)
            page.clock.run_for(FRAME_MS)
        else:
            page.goto(served.url + path)
        if is_live:
            page.wait_for_selector("#link[data-value=live]")
            settled(page)
        return page

    yield visit
    may_complain = visit.page.may_complain  # type: ignore[attr-defined]
    for context in contexts:
        context.close()
    assert seen.hosts <= {f"127.0.0.1:{served.port}"}
    assert may_complain or seen.complaints == []

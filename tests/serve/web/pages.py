"""What tests do with an open page: wait until all is drawn, let its time stand still, press twice."""

from typing import Any

LOADED_AT_S = 1_800_000_000
FRAME_MS = 50
DELIBERATE_MS = 600
"""After that long the second press counts; the page says 500."""
AHEAD_S = 30
"""Of the page's time when it is stopped: it can only be stopped at a moment to come."""


def told(page: Any) -> None:
    """Wait until every topic of the stream has come."""
    page.wait_for_function("() => TOPICS.split(',').every((name) => latest[name])")


def settled(page: Any) -> None:
    """Wait until the page has drawn every topic of the stream."""
    told(page)
    page.wait_for_function("() => pending.size === 0")


def load_frozen(page: Any, url: str) -> None:
    """Open the page with a clock that stands still: `page.clock` moves it on, or lets it go."""
    page.clock.install(time=LOADED_AT_S)
    page.clock.pause_at(LOADED_AT_S + 1)
    page.goto(url)


def freeze(page: Any) -> None:
    """Stop the clock of an open page, a little ahead of where it is."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + AHEAD_S)


def arm(page: Any, selector: str) -> None:
    """Press once and let pass what makes a second press count; the clock has to stand still."""
    page.click(selector)
    page.clock.run_for(DELIBERATE_MS)
    page.wait_for_selector(f"{selector}[data-armed=ready]")


def press_twice(page: Any, selector: str) -> None:
    """Press, and again when the second press counts: in the page's time, which then goes on."""
    freeze(page)
    arm(page, selector)
    page.click(selector)
    page.clock.resume()

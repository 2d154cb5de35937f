"""The page for everybody: on a phone, with a keyboard, read aloud, in the dark and in the light."""

from collections.abc import Callable
from typing import Any

import pytest

Visit = Callable[..., Any]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}

CONTRASTS = """
() => {
  const shade = (text) => {
    const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    probe.fillStyle = text;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = shade(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  let count = 0;
  for (const element of document.querySelectorAll('body *:not(svg *, option)')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.disabled) continue;
    count += 1;
    const [one, other] = [light(shade(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) faint.push([element.tagName, element.id, element.className, element.textContent.trim().slice(0, 30), ratio]);
  }
  return { faint, count };
}
"""
OVERFLOW = """
() => {
  const wide = [...document.querySelectorAll('body *')].filter((element) =>
    element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1
    && !element.parentElement.closest('.scroll'));
  return { page: document.documentElement.scrollWidth - innerWidth, wide: wide.map((element) => element.tagName + element.id) };
}
"""


def see_all(page: Any) -> None:
    """Scroll through the page, so that every panel has loaded."""
    for panel in ("fan", "models", "backtests", "sandbox", "log"):
        page.locator(f"#{panel}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{panel}:not([data-state=loading])")


def test_a_phone_shows_everything_without_scrolling_sideways(visit: Visit) -> None:
    page = visit(**PHONE)
    see_all(page)
    assert page.evaluate(OVERFLOW) == {"page": 0, "wide": []}
    page.click("#kill")
    assert page.evaluate(OVERFLOW) == {"page": 0, "wide": []}
    page.click("#kill-cancel")
    page.locator("[data-order]").first.click()
    page.wait_for_selector("#story-steps li")
    assert page.evaluate(OVERFLOW) == {"page": 0, "wide": []}


def test_on_a_phone_buttons_are_large_enough_for_a_finger(visit: Visit) -> None:
    page = visit(**PHONE)
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, select, input')].filter(e => e.checkVisibility() "
        "&& e.getBoundingClientRect().height < 24).map(e => e.id || e.textContent)"
    )
    assert small == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_text_stands_out_from_its_ground(visit: Visit, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    see_all(page)
    found = page.evaluate(CONTRASTS)
    assert found["count"] > 150
    assert found["faint"] == []


def ground(page: Any) -> str:
    found: str = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    return found


def test_colours_follow_the_system_until_one_chooses_and_the_choice_is_remembered(
    visit: Visit,
) -> None:
    page = visit(color_scheme="dark")
    dark = ground(page)
    page.emulate_media(color_scheme="light")
    light = ground(page)
    assert dark != light
    page.click("#theme")
    assert ground(page) == dark
    assert page.get_attribute("#theme", "aria-label") == "Colours: dark"
    page.reload()
    assert ground(page) == dark
    page.click("#theme")
    assert ground(page) == light
    page.click("#theme")
    page.emulate_media(color_scheme="dark")
    assert ground(page) == dark


def test_charts_change_colour_with_the_page(visit: Visit) -> None:
    page = visit(color_scheme="dark")
    page.wait_for_selector("#equity-chart .scatterlayer .trace")
    read = "document.getElementById('equity-chart').data[0].line.color"
    before = page.evaluate(read)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"before => {read} !== before", arg=before)


def test_landmarks_and_headings_say_where_one_is(visit: Visit) -> None:
    page = visit()
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation", name="Panels").count() == 1
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3')].filter(e => e.checkVisibility()).map(e => e.tagName)"
    )
    assert levels[0] == "H1"
    assert set(levels[1:]) == {"H2"}
    for name in ("Positions", "Orders", "Fills", "Risk", "Log", "Audit"):
        assert page.get_by_role("region", name=name, exact=True).count() == 1, name


def test_everything_one_can_press_has_a_name_and_tables_have_headings(visit: Visit) -> None:
    page = visit()
    page.wait_for_selector("#equity-chart .scatterlayer .trace")  # out of sight it is not drawn
    see_all(page)
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, a, input, select, [tabindex=\"0\"], [role=img]')].filter(e => "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert nameless == []
    bare = page.evaluate(
        "() => [...document.querySelectorAll('table')].filter(t => !t.caption || [...t.tHead.rows[0].cells]"
        ".some(c => c.tagName !== 'TH' || c.scope !== 'col')).map(t => t.id)"
    )
    assert bare == []
    words = page.get_attribute("#equity-chart", "aria-label")
    assert "drawdown" in words


def test_only_changes_of_state_are_read_aloud(visit: Visit) -> None:
    page = visit()
    live = page.evaluate(
        "() => [...document.querySelectorAll('[aria-live]:not([aria-live=off]), [role=status], [role=alert]')].map(e => e.id)"
    )
    assert set(live) == {
        "armed", "banner", "kill-armed", "story-note", "result-note", "backtest-says",
    }  # fmt: skip
    assert page.get_attribute("#log-lines", "aria-live") == "off"


def test_the_skip_link_leads_past_the_header(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")


def test_the_focus_can_be_seen_and_never_gets_stuck(visit: Visit) -> None:
    page = visit()
    see_all(page)
    seen = []
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement === document.body"):
            break
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate(
            "() => document.activeElement.outerHTML.slice(0, 200)"
        )
        seen.append(page.evaluate("() => document.activeElement.id"))
    else:
        pytest.fail("the focus never left the page")
    for name in ("pause", "kill", "theme", "fan-symbol", "backtest-strategy", "log-level"):
        assert name in seen
    assert seen.index("pause") < seen.index("fan-symbol") < seen.index("log-level")


def test_who_wants_no_motion_gets_none(visit: Visit) -> None:
    page = visit(reduced_motion="reduce")
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_a_dialog_keeps_the_focus_inside(visit: Visit) -> None:
    page = visit()
    page.click("#kill")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "() => document.activeElement === document.body || document.getElementById('kill-dialog').contains(document.activeElement)"
        )

"""What the server sends: the first state of the page, its files, and what browsers may keep."""

import asyncio
import gzip
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from serve.desk.port import TradingDesk
from serve.desk.principal import ALL, Permission, Principal
from serve.http.app import build_app
from serve.web import columns, figures
from serve.web.assets import TYPES, asset
from tests.serve.simulated_desk import SimulatedDesk, front_desk
from trading.errors import AuthError

VOID = {"meta", "link", "input", "rect", "br", "img"}
OWN = {"page.js", "page.css", "icon.svg"}


@pytest.fixture
def get(tmp_path: Path, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that asks the application one thing."""

    def get(path: str = "/", trading: TradingDesk | None = None, **options: Any) -> Any:
        guard = {"guard": options.pop("guard")} if "guard" in options else {}
        desk = front_desk(tmp_path, trading=trading)
        app = build_app(desk.forecasts, desk=desk, **guard)
        return asyncio.run(call(app, "GET", path, **options))

    return get


class Document(HTMLParser):
    """Elements with their attributes; complains of a tag that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


class LiveDesk(SimulatedDesk):
    """The same cluster, as if there were real money in it."""

    @property
    def mode(self) -> str:
        return "live"


def test_the_first_state_has_the_figures_of_the_cluster(
    get: Callable[..., Any], tmp_path: Path
) -> None:
    trading = SimulatedDesk(tmp_path)
    reply = get(trading=trading)
    assert reply.status == 200
    text = reply.body.decode()
    assert "simulated" in text
    assert ">PAPER<" in text
    for order in trading.snapshot().machines["ledger:SIM"]["recent_orders"]:
        assert f'data-order="{order["client_order_id"]}"' in text


def test_the_page_is_valid_and_labelled(get: Callable[..., Any]) -> None:
    document = Document(get().body.decode())
    ids = Counter(attributes["id"] for _, attributes in document.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    labelled = {label["for"] for label in document.all("label")}
    for field in document.all("input", "select", "textarea"):
        assert field["id"] in labelled, field
    for tag, attributes in document.elements:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            assert set(attributes.get(name, "").split()) <= set(ids), (tag, name)
        if tag == "a" and attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids
    assert [attributes["lang"] for attributes in document.all("html")] == ["en"]
    assert len(document.all("h1")) == len(document.all("main")) == 1


def test_nothing_in_the_page_is_inline(get: Callable[..., Any]) -> None:
    text = get().body.decode()
    document = Document(text)
    for tag, attributes in document.elements:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
    assert all("src" in script for script in document.all("script"))
    assert "<style" not in text
    policy = get().headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert policy.split("script-src ")[1].split(";")[0] == "'self'"


def test_nothing_of_ours_names_another_host(get: Callable[..., Any]) -> None:
    sources = [get().body.decode(), *(asset(name).content.decode() for name in OWN)]
    found = {url for text in sources for url in re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)}
    assert found <= {"http://www.w3.org"}  # the name of SVG, which nobody fetches


def test_the_page_is_never_kept_by_a_browser(get: Callable[..., Any]) -> None:
    assert get().headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_file_is_kept_for_good_under_the_address_that_the_page_gives(
    get: Callable[..., Any], name: str
) -> None:
    addresses = re.findall(rf'"(/web/{re.escape(name)}\?v=\w+)"', get().body.decode())
    assert len(addresses) == 1
    reply = get(addresses[0])
    assert reply.status == 200
    assert reply.headers["content-type"] == TYPES[name]
    assert "immutable" in reply.headers["cache-control"]
    assert reply.body == asset(name).content
    again = get(addresses[0], headers={"if-none-match": reply.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_a_file_under_an_old_address_is_asked_for_again(get: Callable[..., Any]) -> None:
    assert get("/web/page.js?v=old").headers["cache-control"] == "no-cache"


def test_a_file_is_packed_for_who_can_unpack(get: Callable[..., Any]) -> None:
    reply = get("/web/plotly.min.js", headers={"accept-encoding": "br, gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.headers["vary"] == "accept-encoding"
    assert gzip.decompress(reply.body) == asset("plotly.min.js").content
    assert len(reply.body) < 2_000_000


@pytest.mark.parametrize("name", ["page.html", "..%2froutes.py", "routes.py", "__init__.py"])
def test_nothing_but_the_files_of_the_page_can_be_fetched(
    get: Callable[..., Any], name: str
) -> None:
    assert get(f"/web/{name}").status == 404


def test_the_script_is_small(get: Callable[..., Any]) -> None:
    script = asset("page.js").content.decode()
    assert len(script.splitlines()) < 1_000
    assert "innerHTML" not in script
    assert "insertAdjacentHTML" not in script
    assert "eval(" not in script


def test_when_the_cluster_does_not_answer_the_page_says_so(
    get: Callable[..., Any], tmp_path: Path
) -> None:
    trading = SimulatedDesk(tmp_path)
    trading.go_down()
    reply = get(trading=trading)
    assert reply.status == 200
    assert "no cluster named" in reply.body.decode()
    assert "UNKNOWN" in reply.body.decode()


def test_live_money_is_said_aloud(get: Callable[..., Any], tmp_path: Path) -> None:
    text = get(trading=LiveDesk(tmp_path)).body.decode()
    assert ">LIVE<" in text
    assert 'data-mode="live"' in text


def refuse(scope: Any) -> Principal:
    raise AuthError("say who you are.")


def test_who_is_not_known_gets_the_sign_in_and_no_figure(get: Callable[..., Any]) -> None:
    reply = get(guard=refuse)
    document = Document(reply.body.decode())
    assert reply.status == 200
    assert {"login-name", "login-password"} <= {field["id"] for field in document.all("input")}
    assert document.all("table") == []
    assert "simulated" not in reply.body.decode()
    assert {label["for"] for label in document.all("label")} == {"login-name", "login-password"}


def test_who_may_not_read_gets_no_figure_and_hears_why(get: Callable[..., Any]) -> None:
    nobody = Principal(name="eve", permissions=frozenset(), came_by="token")
    reply = get(guard=lambda scope: nobody, headers={"cookie": "nt_session=x"})
    assert "lacks the permission read" in reply.body.decode()
    assert Document(reply.body.decode()).all("table") == []


@pytest.mark.parametrize(
    ("permissions", "pause", "kill", "audit"),
    [
        (ALL, True, True, True),
        ({Permission.READ, Permission.TRADE_PAPER}, False, True, False),
        ({Permission.READ}, False, False, False),
    ],
)
def test_what_one_may_not_do_is_not_offered(
    get: Callable[..., Any], permissions: set[Permission], pause: bool, kill: bool, audit: bool
) -> None:
    by = Principal(name="eve", permissions=frozenset(permissions), came_by="token")
    document = Document(get(guard=lambda scope: by).body.decode())
    buttons = {button.get("id"): "disabled" not in button for button in document.all("button")}
    assert (buttons["pause"], buttons["kill"]) == (pause, kill)
    assert ("audit" in {section["id"] for section in document.all("section")}) is audit
    assert "sign-out" in buttons


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "money", "\N{EN DASH}"),
        ("", "text", "\N{EN DASH}"),
        (Decimal("-1234.5"), "money", "\N{MINUS SIGN}1,234.50"),
        (Decimal("1234.005"), "gain", "+1,234.01"),
        (Decimal("-0.001"), "gain", "0.00"),
        (Decimal(0), "gain", "0.00"),
        (0.0123, "gain_percent", "+1.23 %"),
        (Decimal("100.000000"), "quantity", "100"),
        (Decimal("0.125"), "quantity", "0.125"),
        (Decimal("0.00001234"), "price", "0.000012"),
        (Decimal("12.5"), "price", "12.50"),
        ("0.02", "number", "0.02"),
        ("5m", "number", "5m"),
    ],
)
def test_a_value_is_written_as_people_read_it(value: Any, form: str, text: str) -> None:
    assert figures.text(value, form) == text


@pytest.mark.parametrize(
    ("used", "limit", "percent"),
    [
        ("5", "20", 25.0),
        ("-30", "20", 100.0),
        (None, "20", None),
        ("1", "0", None),
        ("1", "x", None),
    ],
)
def test_the_room_of_a_limit_is_a_share(used: Any, limit: str, percent: float | None) -> None:
    assert figures.used_percent(used, limit) == percent


def test_every_column_has_a_known_form() -> None:
    tables = [value for value in vars(columns).values() if isinstance(value, columns.Table)]
    groups = [value for value in vars(columns).values() if isinstance(value, tuple) and value]
    described = [column for table in tables for column in table.columns]
    described += [one for group in groups for one in group if isinstance(one, columns.Column)]
    assert len(tables) > 10
    assert {column.form for column in described} - {"room"} <= set(figures.FORMS)

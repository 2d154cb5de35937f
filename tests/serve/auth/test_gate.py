"""What a request must show before any route sees it: permissions, origin, limits, and the headers of every answer."""

import asyncio
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from serve.auth.credentials import COOKIE
from serve.auth.mcp_tokens import McpTokens
from serve.desk.principal import ALL, Permission
from tests.serve.auth.door import HOST, PASSWORD, Door
from tests.serve.auth.route_walk import BAD, open_doors, requests_of

MakeDoor = Callable[..., Door]
EVIL = "https://evil.example"
LOGIN = {"username": "alice", "password": PASSWORD}
ORDER = {"symbol": "AAPL"}


def ask(door: Door, method: str, path: str, *, address: str = "192.0.2.7", **options: Any) -> Any:
    async def work() -> Any:
        async with door.client(address) as client:
            return await client.request(method, path, **options)

    return asyncio.run(work())


# -- who may come in


@pytest.mark.parametrize("shown", BAD.values(), ids=BAD.keys())
def test_without_good_credentials_no_route_answers(door: Door, shown: dict[str, str]) -> None:
    requests = list(requests_of(door.app))
    assert {("GET", "/v1/forgotten"), ("POST", "/v1/orders"), ("GET", "/v1/auth/keys")} <= set(
        requests
    )
    assert asyncio.run(open_doors(door.entrance, requests, shown)) == []


def test_a_path_that_is_none_needs_credentials_too(door: Door) -> None:
    assert ask(door, "GET", "/v1/nowhere").status_code == 401
    assert ask(door, "GET", "/web/../v1/portfolio").status_code in (401, 404)
    assert ask(door, "GET", "//v1/portfolio").status_code == 401


@pytest.mark.parametrize("needed", Permission)
@pytest.mark.parametrize("had", Permission)
def test_each_permission_opens_its_own_route_and_no_other(
    door: Door, had: Permission, needed: Permission
) -> None:
    _, key = door.access.issue_key("bot", frozenset({had}), "test")
    reply = ask(door, "POST", f"/v1/only/{needed}", headers={"x-api-key": key})
    assert reply.status_code == (200 if had is needed else 403)
    if had is not needed:
        assert reply.json()["code"] == "PERMISSION_MISSING"
        assert needed in reply.json()["detail"]


@pytest.mark.parametrize("had", Permission)
def test_reading_needs_the_permission_even_where_a_route_forgets_to_ask(
    door: Door, had: Permission
) -> None:
    _, key = door.access.issue_key("bot", frozenset({had}), "test")
    for path in ("/v1/portfolio", "/v1/forgotten"):
        reply = ask(door, "GET", path, headers={"authorization": f"Bearer {key}"})
        assert reply.status_code == (200 if had is Permission.READ else 403)


def test_on_loopback_without_authentication_everybody_may_do_everything(
    make_door: MakeDoor,
) -> None:
    door = make_door(is_on=False)
    reply = ask(door, "GET", "/v1/portfolio", address="127.0.0.1")
    assert reply.json() == {"by": "http:127.0.0.1", "came_by": "loopback", "address": "127.0.0.1"}
    for permission in Permission:
        assert ask(door, "POST", f"/v1/only/{permission}").status_code == 200
    assert ask(door, "GET", "/v1/auth/status").json()["enabled"] is False
    refused = ask(door, "POST", "/v1/auth/login", json=LOGIN)
    assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")


# -- logging in over HTTP


@pytest.mark.parametrize("root", ["/v1/auth", "/auth"])
def test_login_use_refresh_logout(door: Door, root: str) -> None:
    pair = ask(door, "POST", f"{root}/login", json=LOGIN).json()
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 86_400)
    assert pair["scope"] == " ".join(sorted(ALL))
    bearer = {"authorization": f"Bearer {pair['access_token']}"}
    verified = ask(door, "POST", f"{root}/verify", headers=bearer).json()
    assert (verified["username"], verified["came_by"]) == ("alice", "token")
    fresh = ask(
        door, "POST", f"{root}/refresh", json={"refresh_token": pair["refresh_token"]}
    ).json()
    newer = {"authorization": f"Bearer {fresh['access_token']}"}
    assert ask(door, "POST", f"{root}/logout", headers=newer).status_code == 204
    for headers in (bearer, newer):
        assert ask(door, "GET", f"{root}/verify", headers=headers).status_code == 401
    assert ask(door, "GET", f"{root}/status", headers=newer).json() == {
        "enabled": True, "authenticated": False, "username": "", "permissions": [], "came_by": "",
    }  # fmt: skip


def test_token_says_what_it_must(door: Door) -> None:
    pair = ask(door, "POST", "/v1/auth/login", json=LOGIN | {"scope": "read trade:paper"}).json()
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "scope"}
    assert claims["exp"] - claims["iat"] == 86_400
    assert (claims["sub"], claims["scope"]) == ("alice", "read trade:paper")
    assert jwt.get_unverified_header(pair["access_token"]) == {"alg": "HS256", "typ": "JWT"}


def test_form_of_oauth_logs_in(door: Door) -> None:
    reply = ask(door, "POST", "/v1/auth/token", data=LOGIN | {"grant_type": "password"})
    assert reply.json()["access_token"]
    assert reply.headers["cache-control"] == "no-store"


def test_wrong_name_and_wrong_password_get_the_same_answer(door: Door) -> None:
    replies = [
        ask(door, "POST", "/v1/auth/login", json={"username": name, "password": "wrong " * 3})
        for name in ("alice", "nobody")
    ]
    bodies = [{**reply.json(), "correlation_id": ""} for reply in replies]
    assert bodies[0] == bodies[1]
    assert bodies[0]["status"] == 401


def test_brute_force_over_http_is_429_by_the_tenth_try(door: Door) -> None:
    replies = [
        ask(door, "POST", "/v1/auth/login", json={"username": "alice", "password": f"guess {n}"})
        for n in range(10)
    ]
    assert [reply.status_code for reply in replies] == [401] * 5 + [429] * 5
    assert replies[-1].headers["retry-after"] == "30"
    assert replies[-1].json()["code"] == "AUTH_LOCKED"


@pytest.mark.parametrize(
    "body", [{}, {"username": "alice"}, LOGIN | {"admin": True}, LOGIN | {"scope": "root"}]
)
def test_malformed_logins_are_422_and_do_not_repeat_the_password(
    door: Door, body: dict[str, Any]
) -> None:
    reply = ask(door, "POST", "/v1/auth/login", json=body)
    assert reply.status_code == 422
    assert PASSWORD not in reply.text


def test_keys_of_ones_own_are_made_listed_and_revoked(door: Door) -> None:
    bearer = door.bearer()
    wanted = {"name": "bot", "permissions": ["read"], "days": 7}
    made = ask(door, "POST", "/v1/auth/keys", headers=bearer, json=wanted)
    assert made.status_code == 201
    key = {"x-api-key": made.json()["key"]}
    assert ask(door, "GET", "/v1/portfolio", headers=key).json()["by"] == "alice/bot"
    (listed,) = ask(door, "GET", "/v1/auth/keys", headers=bearer).json()["keys"]
    assert listed["key_id"] == made.json()["key_id"]
    assert "key" not in listed
    assert ask(door, "GET", "/v1/auth/keys", headers=door.bearer("bob")).json()["keys"] == []
    path = f"/v1/auth/keys/{listed['key_id']}"
    assert ask(door, "DELETE", path, headers=door.bearer("bob")).status_code == 404
    assert ask(door, "POST", "/v1/auth/keys", headers=key, json=wanted).status_code == 403
    assert ask(door, "POST", "/v1/auth/logout", headers=key).status_code == 409
    assert ask(door, "DELETE", path, headers=bearer).status_code == 204
    assert ask(door, "GET", "/v1/portfolio", headers=key).status_code == 401


def test_nobody_makes_a_key_that_may_do_more_than_the_token_at_hand(door: Door) -> None:
    granted = door.login(wanted=frozenset({Permission.READ}))
    reply = ask(
        door, "POST", "/v1/auth/keys", json={"name": "bot", "permissions": ["trade:live"]},
        headers={"authorization": f"Bearer {granted.access_token}"},
    )  # fmt: skip
    assert reply.status_code == 403


# -- browsers


def logged_in_browser(door: Door) -> dict[str, str]:
    reply = ask(door, "POST", "/v1/auth/login", json=LOGIN, headers={"origin": HOST})
    assert reply.json()["access_token"] is None
    assert reply.json()["refresh_token"] is None
    cookie = SimpleCookie(reply.headers["set-cookie"])[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    return {"cookie": f"{COOKIE}={cookie.value}", "origin": HOST}


def test_browser_gets_a_cookie_that_no_script_reads(door: Door) -> None:
    browser = logged_in_browser(door)
    assert ask(door, "GET", "/v1/portfolio", headers=browser).json()["by"] == "alice"
    reply = ask(door, "POST", "/v1/auth/logout", headers=browser, json={})
    assert reply.status_code == 204
    assert SimpleCookie(reply.headers["set-cookie"])[COOKIE].value == ""
    assert ask(door, "GET", "/v1/portfolio", headers=browser).status_code == 401


def test_cookie_is_for_tls_alone_behind_a_proxy_that_speaks_it(make_door: MakeDoor) -> None:
    door = make_door(trusted_proxies=("127.0.0.1",)).with_people()
    headers = {"origin": HOST, "x-forwarded-proto": "https"}
    for address, secure in (("127.0.0.1", True), ("192.0.2.7", "")):
        reply = ask(door, "POST", "/v1/auth/login", json=LOGIN, headers=headers, address=address)
        assert SimpleCookie(reply.headers["set-cookie"])[COOKIE]["secure"] == secure
        assert ("strict-transport-security" in reply.headers) is bool(secure)


def test_cookie_without_a_sign_of_our_page_changes_nothing(door: Door) -> None:
    browser = logged_in_browser(door)
    form = ask(door, "POST", "/v1/only/read", headers=browser, data={"a": "b"})
    assert (form.status_code, form.json()["code"]) == (403, "CSRF_HEADER_MISSING")
    assert ask(door, "POST", "/v1/only/read", headers=browser, json={}).status_code == 200
    marked = browser | {"x-requested-with": "neural-trader"}
    assert ask(door, "POST", "/v1/only/read", headers=marked).status_code == 200


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": f"{EVIL}/127.0.0.1:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": HOST, "sec-fetch-site": "cross-site"},
    ],
)
def test_another_page_changes_nothing_also_on_loopback(
    make_door: MakeDoor, is_on: bool, headers: dict[str, str]
) -> None:
    door = make_door(is_on=is_on).with_people()
    headers = headers | door.bearer()
    for method, path in (("POST", "/v1/orders"), ("POST", "/v1/auth/login"), ("POST", "/mcp")):
        reply = ask(door, method, path, headers=headers, json=ORDER)
        assert (reply.status_code, reply.json()["code"]) == (403, "ORIGIN_REFUSED")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "127.0.0.1@evil.example", "[::1", "169.254.169.254", "0.0.0.0"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/portfolio", "/healthz", "/", "/v1/auth/login"])
def test_a_name_that_is_not_ours_is_421(make_door: MakeDoor, host: str, path: str) -> None:
    reply = ask(make_door(is_on=False), "GET", path, headers={"host": host})
    assert (reply.status_code, reply.json()["code"]) == (421, "HOST_UNKNOWN")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "127.9.8.7", "[::1]", "[::1]:8000", "desk.example"]
)  # fmt: skip
def test_our_own_names_are_known(make_door: MakeDoor, host: str) -> None:
    door = make_door(is_on=False, hosts=("Desk.example",))
    assert ask(door, "GET", "/healthz", headers={"host": host}).status_code == 200


def test_beyond_loopback_and_with_authentication_any_name_will_do(make_door: MakeDoor) -> None:
    door = make_door(host="0.0.0.0")
    assert ask(door, "GET", "/healthz", headers={"host": "10.1.2.3"}).status_code == 200
    picky = make_door(host="0.0.0.0", hosts=("desk.example",))
    assert ask(picky, "GET", "/healthz", headers={"host": "10.1.2.3"}).status_code == 421


def test_no_other_page_reads_anything_by_default(door: Door) -> None:
    reply = ask(door, "GET", "/healthz", headers={"origin": EVIL})
    assert "access-control-allow-origin" not in reply.headers
    preflight = {"origin": EVIL, "access-control-request-method": "GET"}
    assert ask(door, "OPTIONS", "/v1/portfolio", headers=preflight).status_code == 401


def test_a_configured_page_may_ask_and_no_other(make_door: MakeDoor) -> None:
    door = make_door(origins=("https://desk.example",)).with_people()
    for origin, allowed in (("https://desk.example", "https://desk.example"), (EVIL, None)):
        preflight = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        reply = ask(door, "OPTIONS", "/v1/orders", headers=preflight)
        assert reply.status_code == (200 if allowed else 400)
        assert reply.headers.get("access-control-allow-origin") == allowed
        asked = ask(
            door, "POST", "/v1/orders", headers=door.bearer() | {"origin": origin}, json=ORDER
        )
        assert asked.status_code == (200 if allowed else 403)
        assert "access-control-allow-credentials" not in asked.headers


def socket_of(door: Door, **headers: str) -> Any:
    client = TestClient(door.entrance, base_url=HOST, client=("192.0.2.7", 1))
    return client.websocket_connect("/v1/quotes", headers={"host": "127.0.0.1:8000"} | headers)


def test_websocket_needs_credentials_and_our_own_page(door: Door) -> None:
    with socket_of(door, **door.bearer()) as socket:
        assert socket.receive_json() == {"bid": 1}
    browser = logged_in_browser(door)
    with socket_of(door, **browser) as socket:
        assert socket.receive_json() == {"bid": 1}
    _, blind = door.access.issue_key("blind", frozenset({Permission.SANDBOX_RUN}), "test")
    refused = {
        401: {},
        403: browser | {"origin": EVIL},
        421: {"host": "evil.example"},
    }
    for status, headers in refused.items():
        with pytest.raises(WebSocketDenialResponse) as caught, socket_of(door, **headers):
            pass
        assert caught.value.status_code == status
    with pytest.raises(WebSocketDenialResponse) as caught, socket_of(door, **{"x-api-key": blind}):
        pass
    assert caught.value.json()["code"] == "PERMISSION_MISSING"


# -- limits


def test_requests_of_one_principal_are_counted_whatever_the_address(make_door: MakeDoor) -> None:
    door = make_door(requests_per_s=2.0).with_people()
    bearer, other = door.bearer(), door.bearer("bob")

    async def work() -> list[Any]:
        replies = []
        for number in range(6):
            async with door.client(f"192.0.2.{number}", headers=bearer) as client:
                replies.append(await client.get("/v1/portfolio"))
        async with door.client(headers=other) as client:
            return [*replies, await client.get("/v1/portfolio")]

    *mine, others = asyncio.run(work())
    assert [reply.status_code for reply in mine] == [200] * 4 + [429] * 2
    assert mine[0].headers["x-ratelimit-limit"] == "4"
    assert [reply.headers["x-ratelimit-remaining"] for reply in mine] == list("321000")
    assert int(mine[-1].headers["retry-after"]) >= 1
    assert mine[-1].json()["code"] == "RATE_LIMITED"
    assert others.status_code == 200


def test_trades_and_logins_are_counted_more_strictly(make_door: MakeDoor) -> None:
    door = make_door(trades_per_s=1.0, logins_per_min=3.0).with_people()
    bearer = door.bearer()
    trades = [ask(door, "POST", "/v1/orders", headers=bearer, json=ORDER) for _ in range(4)]
    assert [reply.status_code for reply in trades] == [200, 200, 429, 429]
    assert ask(door, "GET", "/v1/portfolio", headers=bearer).status_code == 200
    logins = [ask(door, "POST", "/v1/auth/login", json=LOGIN) for _ in range(5)]
    assert [reply.status_code for reply in logins] == [200] * 3 + [429] * 2
    assert logins[-1].json()["code"] == "LOGIN_RATE_LIMITED"


def test_without_authentication_only_trades_are_counted(make_door: MakeDoor) -> None:
    door = make_door(is_on=False, requests_per_s=1.0, trades_per_s=1.0)
    reads = [ask(door, "GET", "/v1/portfolio").status_code for _ in range(20)]
    assert set(reads) == {200}
    trades = [ask(door, "POST", "/v1/orders", json=ORDER).status_code for _ in range(4)]
    assert trades == [200, 200, 429, 429]


def test_forwarded_addresses_count_only_from_our_proxies(make_door: MakeDoor) -> None:
    door = make_door(trusted_proxies=("10.0.0.1", "10.0.0.2")).with_people()
    bearer = door.bearer()
    cases = [
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
    ]
    for peer, forwarded, expected in cases:
        headers = bearer | {"x-forwarded-for": forwarded}
        reply = ask(door, "GET", "/v1/portfolio", headers=headers, address=peer)
        assert reply.json()["address"] == expected


# -- every answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/healthz", 200), ("GET", "/v1/portfolio", 401), ("GET", "/docs", 200), ("POST", "/v1/auth/login", 422),
     ("GET", "/openapi.json", 200), ("GET", "/v1/auth/status", 200)],
)  # fmt: skip
def test_every_answer_has_the_headers(door: Door, method: str, path: str, status: int) -> None:
    reply = ask(door, method, path)
    assert reply.status_code == status
    policy = reply.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-correlation-id"]
    assert "strict-transport-security" not in reply.headers
    assert "server" not in reply.headers


def test_documentation_works_without_a_foreign_server(door: Door) -> None:
    for page in ("/docs", "/redoc"):
        text = ask(door, "GET", page).text
        assert "http" not in text
        assert "<script>" not in text
        for file in (part.split('"')[0] for part in text.split('="/docs/')[1:]):
            found = ask(door, "GET", f"/docs/{file}")
            assert (found.status_code, len(found.content) > 100) == (200, True)
    assert ask(door, "GET", "/docs/../../etc/passwd").status_code in (401, 404)


def test_document_says_how_to_log_in(door: Door) -> None:
    document = ask(door, "GET", "/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["password"]["flows"]["password"]["tokenUrl"] == "/v1/auth/token"
    assert set(schemes) == {"password", "token", "key"}
    assert document["paths"]["/v1/auth/login"]["post"]["security"] == []
    assert not any(path.startswith("/auth") for path in document["paths"])


def test_mcp_is_told_where_tokens_come_from(make_door: MakeDoor) -> None:
    where = "/.well-known/oauth-protected-resource/mcp"
    for door, base in (
        (make_door(), HOST),
        (make_door(public_url="https://desk.example/"), "https://desk.example"),
    ):
        for headers in ({}, {"authorization": "Bearer x"}):
            reply = ask(door, "POST", "/mcp", headers=headers, json={})
            assert reply.status_code == 401
            assert f'resource_metadata="{base}{where}"' in reply.headers["www-authenticate"]


def test_tokens_and_keys_hold_for_mcp(door: Door) -> None:
    verifier = McpTokens(door.access, f"{HOST}/mcp")
    granted = door.login(wanted=frozenset({Permission.READ}))
    _, key = door.access.issue_key("agent", frozenset({Permission.TRADE_PAPER}), "test")

    async def work() -> list[Any]:
        return [await verifier.verify_token(each) for each in (granted.access_token, key, "x", "")]

    by_token, by_key, *none = asyncio.run(work())
    assert (by_token.subject, by_token.scopes) == ("alice", ["read"])
    assert (by_key.subject, by_key.scopes) == ("key:agent", ["trade:paper"])
    assert by_key.resource == f"{HOST}/mcp"
    assert none == [None, None]
    door.access.logout(granted.access_token)
    assert asyncio.run(verifier.verify_token(granted.access_token)) is None


def test_a_failure_inside_the_door_shows_nothing_but_its_id(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("secret 42")

    monkeypatch.setattr(door.access, "by_token", breaks)
    reply = ask(door, "GET", "/v1/portfolio", headers={"authorization": "Bearer x"})
    assert (reply.status_code, reply.json()["code"]) == (500, "FAILED")
    assert "secret" not in reply.text

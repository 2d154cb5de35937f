"""`/v1/orders`: asked for once, refused with the rule's code, listed page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from serve.desk.principal import Permission
from tests.serve.api.fake_desk import FakeTrading, a_receipt, order_row
from trading.errors import JournalUnavailable

Ask = Callable[..., Any]
ORDER = {"symbol": "AAPL", "side": "BUY", "quantity": "10"}
KEY = {"Idempotency-Key": "k-1"}


def test_an_accepted_order_is_created_and_says_where_it_is(ask: Ask, trading: FakeTrading) -> None:
    reply = ask("POST", "/v1/orders", json=ORDER, headers=KEY | {"X-Correlation-Id": "mine-7"})
    assert (reply.status_code, reply.headers["location"]) == (201, "/v1/orders/O-1")
    assert "idempotent-replayed" not in reply.headers
    assert reply.json()["status"] == "ACCEPTED"
    ((what, (order, _, key, correlation_id)),) = trading.asked
    assert (what, order.symbol, key, correlation_id) == ("submit", "AAPL", "k-1", "mine-7")


@pytest.mark.parametrize(
    "receipt",
    [
        a_receipt(status="SUBMITTED"),
        a_receipt(status="AMBIGUOUS"),
        a_receipt(status="REQUESTED", code="OUTCOME_UNKNOWN"),
    ],
)
def test_an_order_of_unknown_outcome_is_only_accepted(
    ask: Ask, trading: FakeTrading, receipt: Any
) -> None:
    trading.receipt = receipt
    reply = ask("POST", "/v1/orders", json=ORDER, headers=KEY)
    assert (reply.status_code, reply.json()["status"]) == (202, receipt.status)


def test_a_repeated_order_is_marked_as_replayed(ask: Ask, trading: FakeTrading) -> None:
    trading.receipt = a_receipt(is_repeated=True)
    reply = ask("POST", "/v1/orders", json=ORDER, headers=KEY)
    assert (reply.status_code, reply.headers["idempotent-replayed"]) == (201, "true")


@pytest.mark.parametrize("status", ["DENIED", "REJECTED"])
def test_a_refused_order_is_a_problem_with_the_code_of_the_rule(
    ask: Ask, trading: FakeTrading, outcomes: Callable[[], Any], status: str
) -> None:
    trading.receipt = a_receipt(
        status=status, code="RISK_MAX_NOTIONAL", reason="It is too large.", is_repeated=True
    )
    reply = ask("POST", "/v1/orders", json=ORDER, headers=KEY)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["idempotent-replayed"] == "true"
    problem = reply.json()
    assert problem["code"] == "RISK_MAX_NOTIONAL"
    assert problem["detail"] == "It is too large."
    assert problem["client_order_id"] == "O-1"
    assert outcomes() == [
        ("POST /v1/orders", "k-1", "OK"),
        ("POST /v1/orders", "k-1", "RISK_MAX_NOTIONAL"),
    ]


def test_an_order_without_a_key_is_refused_and_not_asked_for(
    ask: Ask, trading: FakeTrading
) -> None:
    reply = ask("POST", "/v1/orders", json=ORDER)
    assert (reply.status_code, reply.json()["code"]) == (400, "IDEMPOTENCY_KEY_MISSING")
    assert trading.asked == []


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "a\u00e9", "../etc", "a;b"])
def test_a_key_that_is_not_plain_is_refused(ask: Ask, trading: FakeTrading, key: str) -> None:
    reply = ask("POST", "/v1/orders", json=ORDER, headers={"Idempotency-Key": key.encode()})
    assert (reply.status_code, reply.json()["code"]) == (422, "REQUEST_INVALID")
    assert trading.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "NaN"},
        {"quantity": "1e400"},
        {"side": "HOLD"},
        {"symbol": None},
        {"limit_price": "-1"},
        {"nonsense": 1},
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_not_asked_for(
    ask: Ask, trading: FakeTrading, changes: dict[str, Any]
) -> None:
    reply = ask("POST", "/v1/orders", json=ORDER | changes, headers=KEY)
    assert (reply.status_code, reply.json()["code"]) == (422, "REQUEST_INVALID")
    assert trading.asked == []


def test_a_reader_may_not_trade_and_that_is_on_record(
    ask: Ask, app_for: Any, trading: FakeTrading, outcomes: Callable[[], Any]
) -> None:
    app = app_for(Permission.READ, Permission.RISK_ADMIN)
    reply = ask("POST", "/v1/orders", of=app, json=ORDER, headers=KEY)
    assert (reply.status_code, reply.json()["code"]) == (403, "PERMISSION_MISSING")
    assert "trade:paper" in reply.json()["detail"]
    assert trading.asked == []
    assert outcomes() == [("POST /v1/orders", "k-1", "PERMISSION_MISSING")]


def test_a_live_cluster_asks_for_the_live_permission(
    ask: Ask, app_for: Any, trading: FakeTrading
) -> None:
    trading.mode = "live"
    paper, live = app_for(Permission.TRADE_PAPER), app_for(Permission.TRADE_LIVE)
    assert ask("POST", "/v1/orders", of=paper, json=ORDER, headers=KEY).status_code == 403
    assert ask("POST", "/v1/orders", of=live, json=ORDER, headers=KEY).status_code == 201


def test_nothing_is_carried_out_that_cannot_be_recorded(
    ask: Ask, desk: Any, trading: FakeTrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise JournalUnavailable("the disk is full.")

    monkeypatch.setattr(type(desk.audit), "record", full)
    reply = ask("POST", "/v1/orders", json=ORDER, headers=KEY)
    assert (reply.status_code, reply.json()["code"]) == (503, "JOURNAL_UNAVAILABLE")
    assert trading.asked == []


def test_cancelling_and_changing_say_whether_it_is_over(ask: Ask, trading: FakeTrading) -> None:
    trading.receipt = a_receipt(status="PENDING_CANCEL")
    assert ask("DELETE", "/v1/orders/O-1?reason=late").status_code == 202
    trading.receipt = a_receipt(status="CANCELED", is_final=True)
    assert ask("DELETE", "/v1/orders/O-1").status_code == 200
    assert ask("PATCH", "/v1/orders/O-1", json={"quantity": "5"}).status_code == 200
    assert ask("DELETE", "/v1/orders?strategy=pairs").json() == {"canceled": 3}
    assert [what for what, _ in trading.asked] == ["cancel", "cancel", "replace", "cancel_all"]
    assert trading.asked[0][1] == ("O-1", "http:127.0.0.1", "late")
    assert trading.asked[3][1][2] == "pairs"


def test_orders_are_listed_page_by_page_while_new_ones_arrive(
    ask: Ask, trading: FakeTrading
) -> None:
    trading.broker["open_orders"] = [order_row(f"open-{n}", n) for n in range(3)]
    trading.ledger["recent_orders"] = [order_row(f"done-{n}", n) for n in range(4)]
    first = ask("GET", "/v1/orders?limit=4").json()
    assert [row["client_order_id"] for row in first["orders"]] == [
        "open-2",
        "open-1",
        "open-0",
        "done-3",
    ]
    trading.broker["open_orders"].append(order_row("open-9", 9))
    second = ask("GET", "/v1/orders", params={"limit": 4, "cursor": first["next"]}).json()
    assert [row["client_order_id"] for row in second["orders"]] == ["done-2", "done-1", "done-0"]
    assert second["next"] is None


def test_orders_are_filtered(ask: Ask, trading: FakeTrading) -> None:
    trading.broker["open_orders"] = [order_row("a", 1), order_row("b", 2, symbol="KO")]
    trading.ledger["recent_orders"] = [order_row("c", 3, strategy="pairs")]

    def ids(query: str) -> list[str]:
        rows = ask("GET", f"/v1/orders?{query}").json()["orders"]
        return [row["client_order_id"] for row in rows]

    assert ids("open=true") == ["b", "a"]
    assert ids("open=false") == ["c"]
    assert ids("symbol=KO") == ids("symbol=KO.XNAS") == ["b"]
    assert ids("strategy=pairs") == ["c"]
    assert ids("account=A1") == ["b", "a", "c"]
    assert ids("account=other") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=%%%",
        "cursor=bm9uZQ",
        "cursor=W1tdXQ",
        "cursor=" + "a" * 600,
        "open=perhaps",
        "sorted=yes",
    ],
)
def test_a_page_that_cannot_be_asked_for_is_refused(
    ask: Ask, trading: FakeTrading, query: str
) -> None:
    trading.broker["open_orders"] = [order_row("a", 1)]
    reply = ask("GET", f"/v1/orders?{query}")
    assert reply.status_code == 422
    assert reply.json()["code"] in {"REQUEST_INVALID", "CURSOR_INVALID"}


def test_an_outage_is_a_problem_that_says_what_to_do(ask: Ask, trading: FakeTrading) -> None:
    trading.is_down = True
    reply = ask("GET", "/v1/orders")
    assert (reply.status_code, reply.json()["code"]) == (503, "CLUSTER_UNREACHABLE")
    assert "trader up" in reply.json()["detail"]

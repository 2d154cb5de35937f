"""What the accounts hold, over HTTP."""

from collections.abc import Callable
from typing import Any

Ask = Callable[..., Any]


def test_the_equity_is_that_of_the_account_that_is_asked_for(ask: Ask) -> None:
    for query, account, worth in (
        ("", "DEMO", "1000"),
        ("?account=DEMO", "DEMO", "1000"),
        ("?account=OTHER", "OTHER", "2000"),
    ):
        told = ask("GET", f"/v1/equity{query}").json()
        assert (told["account"], [point["equity"] for point in told["points"]]) == (
            account,
            [worth],
        )


def test_an_account_that_does_not_trade_here_is_told_apart(ask: Ask) -> None:
    reply = ask("GET", "/v1/equity?account=nobody")
    assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND")
    assert reply.json()["detail"] == "no account 'nobody' trades here; there are: DEMO, OTHER."

"""What a caller may do decides before anything else, and whatever changes something is in the audit trail."""

import asyncio
from typing import Any

import pytest

from serve.desk.principal import Permission
from serve.mcp.shelf import load_tools
from serve.mcp.stdio import permissions_of
from serve.mcp.tool import STOP, TOOLS, TRADE
from tests.serve.mcp.calls import VALID
from tests.serve.mcp.mcp_scene import Person, Scene, called, code, facts
from trading.errors import JournalUnavailable, UsageError

load_tools()
READ_ONLY = frozenset({Permission.READ})


def needed(permission: str) -> Permission:
    return Permission.TRADE_PAPER if permission in (TRADE, STOP) else Permission(permission)


@pytest.mark.parametrize(
    "name", sorted(name for name, spec in TOOLS.items() if spec.permission != Permission.READ)
)
def test_reader_may_not(scene: Scene, name: str) -> None:
    person = Person()
    before = len(scene.jobs.asked)
    result = asyncio.run(called(scene.server(permissions=READ_ONLY), name, VALID[name], person))
    assert code(result) == "PERMISSION_MISSING"
    assert needed(TOOLS[name].permission) in result.structured_content["message"]
    assert person.questions == []
    assert scene.sent() == []
    assert len(scene.jobs.asked) == before
    assert scene.audited()[-1] == (f"mcp {name}", "PERMISSION_MISSING")


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_who_may_not_even_read_may_nothing(scene: Scene, name: str) -> None:
    every_other = frozenset(Permission) - READ_ONLY
    result = asyncio.run(called(scene.server(permissions=every_other), name, VALID[name], Person()))
    assert code(result) == "PERMISSION_MISSING"


def test_trader_and_risk_admin_may_both_stop_everything(fresh: Scene) -> None:
    for permission in (Permission.TRADE_PAPER, Permission.RISK_ADMIN):
        server = fresh.server(permissions=READ_ONLY | {permission})
        facts(asyncio.run(called(server, "kill_switch", {"reason": "drill"})))


def test_job_of_somebody_else_is_not_cancelled(scene: Scene) -> None:
    made = facts(asyncio.run(called(scene.server(name="ann"), "list_agents", {})))
    bob = scene.server(name="bob", permissions=READ_ONLY)
    assert (
        code(asyncio.run(called(bob, "cancel_job", {"job_id": made["job_id"]})))
        == "PERMISSION_MISSING"
    )
    ann = scene.server(name="ann", permissions=READ_ONLY)
    facts(asyncio.run(called(ann, "cancel_job", {"job_id": made["job_id"]})))


CHANGES: list[tuple[str, dict[str, Any]]] = [
    (name, VALID[name])
    for name in (
        "pause_trading",
        "resume_trading",
        "set_risk_limit",
        "run_backtest",
        "run_in_sandbox",
    )
]


@pytest.mark.parametrize(("name", "arguments"), CHANGES)
def test_change_is_recorded_with_who_and_what(
    fresh: Scene, name: str, arguments: dict[str, Any]
) -> None:
    facts(asyncio.run(called(fresh.server(name="ann"), name, arguments, Person())))
    (fact,) = fresh.desk.audit.read()
    assert (fact.actor, fact.came_by, fact.action, fact.outcome) == (
        "ann",
        "stdio",
        f"mcp {name}",
        "OK",
    )
    assert fact.correlation_id.startswith("mcp-")
    assert len(fact.subject) <= 300


def test_looking_is_not_recorded(fresh: Scene) -> None:
    asyncio.run(called(fresh.server(), "get_portfolio_status", {}))
    asyncio.run(called(fresh.server(), "simulate_trade", VALID["simulate_trade"]))
    assert fresh.desk.audit.read() == []


def test_refusal_is_recorded_after_what_was_asked_for(fresh: Scene) -> None:
    wrong = {"name": "max_order_value", "value": "much", "reason": "x"}
    asyncio.run(called(fresh.server(), "set_risk_limit", wrong, Person()))
    asyncio.run(called(fresh.server(), "set_risk_limit", wrong, Person("decline")))
    assert fresh.audited() == [
        ("mcp set_risk_limit", "OK"),
        ("mcp set_risk_limit", "USAGE"),
        ("mcp set_risk_limit", "NOT_CONFIRMED"),
    ]


def test_what_cannot_be_recorded_is_not_done(fresh: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise JournalUnavailable("the disk is full; nothing was appended.")

    monkeypatch.setattr(fresh.desk.audit, "record", full)
    result = asyncio.run(called(fresh.server(), "execute_trade", VALID["execute_trade"], Person()))
    assert code(result) == "JOURNAL_UNAVAILABLE"
    assert fresh.sent() == []


def test_permissions_are_read_and_misspelt_ones_refused() -> None:
    assert permissions_of("") == frozenset(Permission)
    assert permissions_of("read, trade:paper") == {Permission.READ, Permission.TRADE_PAPER}
    with pytest.raises(UsageError, match="trade:papr"):
        permissions_of("read,trade:papr")

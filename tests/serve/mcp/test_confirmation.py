"""Faults 26 and 27: an order needs a person's yes. The exchange's own orders are counted: zero where zero, one where one."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from serve.desk.portfolio import portfolio_of
from serve.desk.principal import Permission
from serve.mcp.confirmation import Confirm
from serve.mcp.tool import TOOLS
from tests.serve.mcp.mcp_scene import (
    BUY,
    LEGACY,
    MODERN,
    Person,
    Scene,
    called,
    code,
    connected,
    facts,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ERAS = [MODERN, LEGACY]
YES = {"confirm": True}


def trade(scene: Scene, person: Person | None, mode: str = MODERN, **changes: Any) -> Any:
    return asyncio.run(called(scene.server(), "execute_trade", BUY | changes, person, mode))


async def first_round(
    client: Client, arguments: Mapping[str, Any] = BUY, tool: str = "execute_trade"
) -> Any:
    result = await client.session.call_tool(tool, dict(arguments), allow_input_required=True)
    assert isinstance(result, types.InputRequiredResult)
    return result


async def answered(
    client: Client,
    asked: types.InputRequiredResult,
    arguments: Mapping[str, Any] = BUY,
    tool: str = "execute_trade",
    content: Any = YES,
) -> Any:
    responses = {
        key: types.ElicitResult(action="accept", content=content)
        for key in asked.input_requests or {}
    }
    return await client.session.call_tool(
        tool,
        dict(arguments),
        input_responses=responses,
        request_state=asked.request_state,
        allow_input_required=True,
    )


@pytest.mark.parametrize("mode", ERAS)
def test_person_who_says_yes_gets_one_order(fresh: Scene, mode: str) -> None:
    person = Person()
    told = facts(trade(fresh, person, mode))

    (order,) = fresh.sent()
    assert told["client_order_id"] == order.client_order_id
    assert told["status"] == "FILLED"
    assert told["filled_quantity"] == "3"
    assert told["account_mode"] == "paper"
    assert len(person.questions) == 1
    assert fresh.audited() == [("mcp execute_trade", "OK")]


def test_question_names_account_mode_order_value_and_what_risk_objects(scene: Scene) -> None:
    person = Person("decline")
    trade(scene, person, quantity=5_000, limit_price=57, order_type="limit")

    (question,) = person.questions
    for said in (
        "PAPER",
        "account SIM",
        "BUY 5000 KO.XNAS",
        "limit 57",
        "value about",
        "Risk objects",
    ):
        assert said in question


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    ("person", "told"),
    [
        (Person("decline"), "NOT_CONFIRMED"),
        (Person("cancel"), "NOT_CONFIRMED"),
        (Person(content={"confirm": False}), "NOT_CONFIRMED"),
        (Person(content={"confirm": "yes"}), "ANSWER_INVALID"),
        (Person(content={}), "ANSWER_INVALID"),
        (None, "CONFIRMATION_IMPOSSIBLE"),
    ],
    ids=["declined", "cancelled", "said no", "said a word", "said nothing", "cannot be asked"],
)
def test_anything_but_yes_sends_nothing(
    scene: Scene, mode: str, person: Person | None, told: str
) -> None:
    before = len(scene.sent())
    assert code(trade(scene, person, mode)) == told
    assert len(scene.sent()) == before


@pytest.mark.parametrize(
    "forged", [{"confirm": True}, {"answer": {"action": "accept", "data": YES}}]
)
@pytest.mark.parametrize("mode", ERAS)
def test_yes_forged_as_an_argument_is_refused(
    scene: Scene, forged: dict[str, Any], mode: str
) -> None:
    person = Person()
    assert code(trade(scene, person, mode, **forged)) == "ARGUMENT_UNKNOWN"
    assert person.questions == []
    assert scene.sent() == []


def test_yes_before_the_question_is_not_heard(scene: Scene) -> None:
    async def work() -> Any:
        async with connected(scene.server(), Person()) as client:
            asked = await first_round(client)
            asked.request_state = None
            return await answered(client, asked)

    assert isinstance(asyncio.run(work()), types.InputRequiredResult)
    assert scene.sent() == []


@pytest.mark.parametrize(
    ("tool", "changes"),
    [
        ("execute_trade", {"symbol": "JNJ"}),
        ("execute_trade", {"quantity": 300}),
        ("execute_trade", {"action": "sell"}),
        ("execute_trade", {"client_order_id": "another"}),
        ("switch_active_strategy", {}),
    ],
)
def test_yes_to_one_order_is_none_to_another(
    scene: Scene, tool: str, changes: dict[str, Any]
) -> None:
    async def work() -> None:
        async with connected(scene.server(), Person()) as client:
            asked = await first_round(client)
            with pytest.raises(MCPError, match="requestState"):
                await answered(client, asked, BUY | changes, tool)

    asyncio.run(work())
    assert scene.sent() == []


def test_yes_of_one_caller_is_none_of_another(scene: Scene) -> None:
    async def work() -> None:
        async with connected(scene.server(keys=[KEY], name="ann"), Person()) as client:
            asked = await first_round(client)
        async with connected(scene.server(keys=[KEY], name="bob"), Person()) as client:
            with pytest.raises(MCPError, match="requestState"):
                await answered(client, asked)

    asyncio.run(work())
    assert scene.sent() == []


def test_yes_at_a_foreign_cluster_is_refused(scene: Scene) -> None:
    async def work() -> None:
        async with connected(scene.server(keys=[KEY]), Person()) as client:
            asked = await first_round(client)
        async with connected(scene.server(keys=[OTHER_KEY]), Person()) as client:
            with pytest.raises(MCPError, match="requestState"):
                await answered(client, asked)

    asyncio.run(work())
    assert scene.sent() == []


def test_question_of_one_replica_is_answered_at_another_and_replays_send_nothing_more(
    fresh: Scene,
) -> None:
    async def work() -> list[Any]:
        async with connected(fresh.server(keys=[KEY]), Person()) as client:
            asked = await first_round(client)
        found = []
        for _ in range(3):  # each at a replica of its own
            async with connected(fresh.server(keys=[KEY]), Person()) as client:
                found.append(facts(await answered(client, asked)))
        return found

    first, *others = asyncio.run(work())
    assert len(fresh.sent()) == 1
    assert first["is_repeated"] is False
    assert all(each["is_repeated"] for each in others)
    assert {each["client_order_id"] for each in others} == {first["client_order_id"]}


def test_two_yes_to_the_same_words_are_two_orders(fresh: Scene) -> None:
    for _ in range(2):
        facts(trade(fresh, Person()))
    assert len(fresh.sent()) == 2


def test_key_of_the_caller_makes_a_retry_one_order(fresh: Scene) -> None:
    found = [facts(trade(fresh, Person(), client_order_id="mine-1")) for _ in range(2)]
    assert len(fresh.sent()) == 1
    assert [each["is_repeated"] for each in found] == [False, True]
    assert code(trade(fresh, Person(), client_order_id="mine-1", quantity=4)) == "CONFLICT"
    assert len(fresh.sent()) == 1


@pytest.mark.parametrize(("factor", "orders"), [("1.003", 1), ("0.997", 1), ("1.02", 0), ("2", 0)])
def test_market_that_moves_meanwhile_undoes_the_yes_only_when_it_moves_far(
    fresh: Scene, monkeypatch: pytest.MonkeyPatch, factor: str, orders: int
) -> None:
    asked = fresh.trading.preview

    def moved(order: Any) -> Any:
        found = asked(order)
        price = found.reference_price * Decimal(factor)
        return found.model_copy(update={"reference_price": price})

    person = Person(before_answering=lambda: monkeypatch.setattr(fresh.trading, "preview", moved))
    result = trade(fresh, person)
    assert len(person.questions) == 1, "the question stays what it was"
    assert len(fresh.sent()) == orders
    if not orders:
        assert code(result) == "NOT_CONFIRMED"
        assert "when the person said yes" in result.content[0].text


def test_who_may_not_trade_is_asked_nothing(scene: Scene) -> None:
    person = Person()
    server = scene.server(permissions=frozenset({Permission.READ}))
    result = asyncio.run(called(server, "execute_trade", BUY, person))
    assert code(result) == "PERMISSION_MISSING"
    assert "trade:paper" in result.content[0].text
    assert person.questions == []
    assert scene.audited()[-1] == ("mcp execute_trade", "PERMISSION_MISSING")


CONFIRMED = {
    "execute_trade",
    "execute_multi_asset_trade",
    "switch_active_strategy",
    "replace_order",
    "kill_switch",
    "promote_strategy",
    "set_risk_limit",
    "resume_trading",
}


def test_whatever_trades_or_spends_is_confirmed() -> None:
    scene_tools = {name for name, spec in TOOLS.items() if spec.is_confirmed}
    assert scene_tools == CONFIRMED
    assert Confirm.model_fields.keys() == {"confirm"}


CONFIRMED_CALLS: list[tuple[str, dict[str, Any]]] = [
    (
        "execute_multi_asset_trade",
        {
            "strategy": "operator",
            "trades": [
                {"symbol": "KO", "action": "buy", "quantity": 1},
                {"symbol": "JNJ", "action": "sell", "quantity": 1},
            ],
        },
    ),
    (
        "switch_active_strategy",
        {"from_strategy": "trend", "to_strategy": "reversion", "close_positions": True},
    ),
    ("kill_switch", {"reason": "wrong prices", "flatten": True}),
    ("set_risk_limit", {"name": "max_order_value", "value": "1000", "reason": "fed day"}),
    ("resume_trading", {"reason": "all is well"}),
    ("promote_strategy", {"name": "calm", "to": "paper"}),
]


@pytest.mark.parametrize(("tool", "arguments"), CONFIRMED_CALLS)
def test_every_confirmed_tool_does_nothing_without_a_yes(
    scene: Scene, tool: str, arguments: dict[str, Any]
) -> None:
    before = len(scene.jobs.asked)
    person = Person("decline")
    assert code(asyncio.run(called(scene.server(), tool, arguments, person))) == "NOT_CONFIRMED"
    assert len(person.questions) == 1
    assert "account SIM" in person.questions[0]
    assert scene.sent() == []
    assert len(scene.jobs.asked) == before
    assert not portfolio_of(scene.trading.snapshot()).is_killed
    assert [each.changed_by for each in scene.trading.limits() if each.changed_by] == []

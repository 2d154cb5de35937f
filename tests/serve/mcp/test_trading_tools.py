"""What the tools that change something really do: to the exchange, to the risk manager, to the switch."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from serve.desk.portfolio import portfolio_of
from serve.desk.principal import Permission
from serve.mcp.holdings import holdings_of
from tests.serve.mcp.mcp_scene import BUY, Person, Scene, called, code, facts


def done(scene: Scene, tool: str, /, **arguments: Any) -> dict[str, Any]:
    return facts(asyncio.run(called(scene.server(), tool, arguments, Person())))


def limits(scene: Scene) -> dict[str, str]:
    return {each.name: each.limit for each in scene.trading.limits()}


def test_several_trades_after_one_yes(fresh: Scene) -> None:
    person = Person()
    trades = [
        {"symbol": "KO", "action": "buy", "quantity": 1},
        {"symbol": "JNJ", "action": "sell", "quantity": 2, "price": 160},
    ]
    arguments = {"strategy": "operator", "trades": trades}
    told = facts(
        asyncio.run(called(fresh.server(), "execute_multi_asset_trade", arguments, person))
    )
    assert len(person.questions) == 1
    assert "BUY 1 KO.XNAS" in person.questions[0]
    assert "SELL 2 JNJ.XNAS" in person.questions[0]
    assert len(fresh.sent()) == len(told["results"]) == 2
    assert told["refused"] == []
    assert Decimal(told["total_value"]) > 0


@pytest.mark.parametrize(("parallel", "orders"), [(True, 1), (False, 0)])
def test_refused_trade_leaves_the_others_alone_or_stops_them(
    fresh: Scene, parallel: bool, orders: int
) -> None:
    trades = [
        {"symbol": "KO", "action": "buy", "quantity": 900_000},
        {"symbol": "KO", "action": "buy", "quantity": 1},
    ]
    told = done(
        fresh,
        "execute_multi_asset_trade",
        strategy="operator",
        trades=trades,
        execute_parallel=parallel,
    )
    assert len(fresh.sent()) == orders
    assert len(told["refused"]) == 1
    assert "[RISK_" in told["refused"][0]
    assert len(told["results"]) == orders


def test_pause_stops_new_orders_and_resume_lets_them_go_on(fresh: Scene) -> None:
    assert done(fresh, "pause_trading", reason="lunch")["trading_state"] == "HALTED"
    paused = asyncio.run(called(fresh.server(), "execute_trade", BUY, Person()))
    assert code(paused) == "RISK_HALTED"
    assert fresh.sent() == []
    assert done(fresh, "resume_trading", reason="back")["trading_state"] == "ACTIVE"
    done(fresh, "execute_trade", **BUY)
    assert len(fresh.sent()) == 1


def test_kill_needs_no_yes_and_only_a_yes_lets_trading_go_on(fresh: Scene) -> None:
    person = Person("decline")
    killed = facts(
        asyncio.run(called(fresh.server(), "kill_switch", {"reason": "wrong prices"}, person))
    )
    assert person.questions == []
    assert killed["accounts"][0]["reached"]
    assert portfolio_of(fresh.trading.snapshot()).is_killed
    held = portfolio_of(fresh.trading.snapshot()).positions
    assert held, "positions stay without flatten"

    refused = asyncio.run(called(fresh.server(), "resume_trading", {"reason": "why not"}, person))
    assert code(refused) == "NOT_CONFIRMED"
    assert "kill switch is latched" in person.questions[0]
    assert portfolio_of(fresh.trading.snapshot()).is_killed

    assert not done(fresh, "resume_trading", reason="checked")["is_killed"]


def test_kill_with_flatten_closes_everything_after_a_yes(fresh: Scene) -> None:
    person = Person()
    arguments = {"reason": "get out", "flatten": True}
    facts(asyncio.run(called(fresh.server(), "kill_switch", arguments, person)))
    assert "close 2 positions" in person.questions[0]
    assert portfolio_of(fresh.trading.snapshot()).positions == []


def test_limit_is_changed_shown_and_given_back(fresh: Scene) -> None:
    before = limits(fresh)
    told = done(fresh, "set_risk_limit", name="max_order_value", value="150", reason="fed day")
    assert told["limit"]["limit"] == "150"
    shown = {each["name"]: each for each in done(fresh, "get_risk_limits")["limits"]}
    assert shown["max_order_value"]["changed_by"] == "tester"
    refused = asyncio.run(called(fresh.server(), "execute_trade", BUY, Person()))
    assert code(refused) == "RISK_MAX_ORDER_VALUE"
    assert fresh.audited()[-2:] == [
        ("mcp execute_trade", "OK"),
        ("mcp execute_trade", "RISK_MAX_ORDER_VALUE"),
    ]
    assert fresh.sent() == []
    done(fresh, "set_risk_limit", name="max_order_value", value="", reason="over")
    assert limits(fresh).get("max_order_value") == before.get("max_order_value")


def test_switched_off_strategy_opens_nothing_more_and_is_closed(fresh: Scene) -> None:
    held = {k: v for k, v in holdings_of(fresh.trading.snapshot(), "trend").items() if v}
    assert held, "the scene begins with positions of trend"
    told = done(
        fresh,
        "switch_active_strategy",
        from_strategy="trend",
        to_strategy="reversion",
        close_positions=True,
    )
    assert told["not_closed"] == []
    assert {str(key) for key in held} == told["positions_affected"].keys()
    assert len(fresh.sent()) == len(held)
    assert "trend=0.01" in limits(fresh)["max_strategy_exposure"]

    before = len(fresh.trading.exchange_orders())
    fresh.trading.advance(15)
    later = fresh.trading.exchange_orders()[before:]
    opened = [each for each in later if str(each.client_order_id).startswith("trend")]
    left = {k: v for k, v in holdings_of(fresh.trading.snapshot(), "trend").items() if v}
    assert left == {}
    assert opened == []


def test_switch_that_would_trade_needs_the_permission_to_trade_before_anything_is_changed(
    scene: Scene,
) -> None:
    admin = frozenset({Permission.READ, Permission.RISK_ADMIN})
    arguments = {"from_strategy": "trend", "to_strategy": "reversion", "close_positions": True}
    person = Person()
    server = scene.server(permissions=admin)
    result = asyncio.run(called(server, "switch_active_strategy", arguments, person))
    assert code(result) == "PERMISSION_MISSING"
    assert "trend" not in limits(scene)["max_strategy_exposure"]


def test_working_order_is_shown_replaced_and_cancelled(fresh: Scene) -> None:
    waiting = BUY | {"order_type": "limit", "limit_price": 50, "time_in_force": "gtc"}
    order = done(fresh, "execute_trade", **waiting)["client_order_id"]
    assert [
        row["client_order_id"] for row in done(fresh, "list_orders", is_open=True)["orders"]
    ] == [order]

    person = Person()
    asked = {"client_order_id": order, "limit_price": 51}
    facts(asyncio.run(called(fresh.server(), "replace_order", asked, person)))
    assert "limit 50" in person.questions[0]
    assert "limit_price 51" in person.questions[0]
    fresh.trading.advance(1)
    story = done(fresh, "get_order", client_order_id=order)
    assert Decimal(story["order"]["limit_price"]) == 51

    done(fresh, "cancel_order", client_order_id=order, reason="no more")
    fresh.trading.advance(1)
    assert done(fresh, "list_orders", is_open=True)["orders"] == []


def test_positions_of_one_strategy_are_its_own(scene: Scene) -> None:
    own = done(scene, "get_positions", strategy="trend")
    held = holdings_of(scene.trading.snapshot(), "trend")
    assert {row["instrument_id"]: Decimal(row["quantity"]) for row in own["positions"]} == {
        str(name): units for name, units in held.items() if units
    }

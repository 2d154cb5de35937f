"""Who trades by hand trades under the same rules, and is told before what risk would say."""

from decimal import Decimal
from typing import Any

import pytest

from serve.desk.port import NewOrder
from serve.desk.principal import Principal
from tests.serve.simulated_desk import SimulatedDesk
from trading.account import OPERATOR
from trading.values import OrderSide, OrderType, TradingState


def order(quantity: int = 10, side: OrderSide = OrderSide.BUY, **terms: Any) -> NewOrder:
    return NewOrder(**{"symbol": "JNJ", "side": side, "quantity": Decimal(quantity), **terms})


def limit(price: str) -> dict[str, Any]:
    return {"order_type": OrderType.LIMIT, "limit_price": Decimal(price)}


def by_hand(desk: SimulatedDesk) -> list[str]:
    return [each.purpose for each in desk.received_orders() if each.strategy_id == OPERATOR]


def codes(objections: list[str]) -> list[str]:
    return [each.partition(":")[0] for each in objections]


@pytest.mark.parametrize(
    ("limits", "asked", "code"),
    [
        ({}, order(6_000), "RISK_MAX_SHARES"),
        ({"max_order_value": "500"}, order(), "RISK_MAX_ORDER_VALUE"),
        ({}, order(10, **limit("250")), "RISK_PRICE_COLLAR"),
        ({}, order(10, **limit("170.001")), "RISK_BAD_PRICE"),
        ({}, NewOrder(symbol="JNJ", side="BUY", quantity=Decimal("0.5")), "RISK_BAD_QUANTITY"),
        ({}, order(10, reduce_only=True), "RISK_REDUCE_ONLY"),
        ({"max_strategy_exposure.operator": "500"}, order(), "RISK_MAX_STRATEGY_EXPOSURE"),
        ({"max_notional_per_position": "500"}, order(), "RISK_MAX_NOTIONAL"),
        ({"max_total_exposure": "500"}, order(), "RISK_MAX_EXPOSURE"),
        ({"max_open_positions": "1"}, order(), "RISK_MAX_POSITIONS"),
        ({"restricted": "JNJ.XNAS"}, order(), "RISK_RESTRICTED"),
        ({"max_concentration": "0.001"}, order(), "RISK_MAX_CONCENTRATION"),
        ({"max_gross_leverage": "0.001"}, order(), "RISK_MAX_GROSS_LEVERAGE"),
        ({"max_net_leverage": "0.001"}, order(), "RISK_MAX_NET_LEVERAGE"),
        ({"max_group_exposure.currency:USD": "500"}, order(), "RISK_MAX_GROUP_EXPOSURE"),
        ({"require_locate": "on"}, order(10, OrderSide.SELL, symbol="AAPL"), "RISK_NO_LOCATE"),
    ],
)
def test_a_limit_refuses_an_order_by_hand_and_the_preview_said_so(
    desk: SimulatedDesk, ann: Principal, limits: dict[str, str], asked: NewOrder, code: str
) -> None:
    for name, value in limits.items():
        desk.change_limit(name, value, ann, "test")
    before = desk.preview(asked)
    receipt = desk.submit(asked, ann, "k", "c")
    assert (receipt.status, receipt.code) == ("DENIED", code)
    assert not before.is_allowed
    assert codes(before.objections)[0] == code
    assert by_hand(desk) == []


@pytest.mark.parametrize(
    ("state", "code"),
    [(TradingState.HALTED, "RISK_HALTED"), (TradingState.REDUCING, "RISK_REDUCING")],
)
def test_a_pause_counts_for_orders_by_hand(
    desk: SimulatedDesk, ann: Principal, state: TradingState, code: str
) -> None:
    assert desk.set_state(state, ann, "lunch") == state
    assert codes(desk.preview(order()).objections) == [code]
    receipt = desk.submit(order(), ann, "k", "c")
    assert (receipt.code, "ann: lunch" in receipt.reason) == (code, True)
    assert by_hand(desk) == []


def test_while_reducing_a_position_can_be_closed_by_hand(
    desk: SimulatedDesk, ann: Principal
) -> None:
    desk.submit(order(50), ann, "open", "c")
    desk.set_state(TradingState.REDUCING, ann, "lunch")
    closing = order(50, OrderSide.SELL)
    assert desk.preview(closing).is_allowed
    assert desk.submit(closing, ann, "close", "c").status == "FILLED"


def test_the_kill_switch_counts_for_orders_by_hand(desk: SimulatedDesk, ann: Principal) -> None:
    desk.kill(ann, "enough", flatten=False)
    assert codes(desk.preview(order()).objections)[0] == "KILL_SWITCH"
    assert desk.submit(order(), ann, "k", "c").code == "KILL_SWITCH"
    assert by_hand(desk) == []
    desk.reset_kill(ann, "go on")
    assert desk.submit(order(), ann, "k2", "c").status == "FILLED"


def test_a_position_by_hand_is_stopped_out_like_any_other(
    desk: SimulatedDesk, ann: Principal
) -> None:
    desk.change_limit("stop_loss", "0.0001", ann, "test")
    desk.submit(order(10), ann, "long", "c")
    desk.submit(order(10, OrderSide.SELL, symbol="BAC"), ann, "short", "c")
    desk.advance(8)
    assert "stop_loss" in by_hand(desk)


def test_a_preview_that_objects_to_nothing_is_what_happens(
    desk: SimulatedDesk, ann: Principal
) -> None:
    asked = order(20)
    seen = desk.preview(asked)
    assert seen.is_allowed
    receipt = desk.submit(asked, ann, "k", "c")
    ledger = desk.snapshot().machines["ledger:SIM"]
    held = {row["instrument_id"]: row["quantity"] for row in ledger["positions"]}
    assert receipt.average_price == seen.reference_price
    assert held["JNJ.XNAS"] == seen.position_after
    assert seen.estimated_value == 20 * receipt.average_price
    assert seen.estimated_cost is not None
    assert seen.cash_after == ledger["cash"] - seen.estimated_cost  # the spread is in the price
    assert seen.position_after - seen.position_before == 20


def test_a_preview_sends_and_journals_nothing(desk: SimulatedDesk) -> None:
    with desk.link.journal() as journal:
        heads = {stream: journal.head(stream) for stream in journal.streams()}
    desk.preview(order())
    with desk.link.journal() as journal:
        assert {stream: journal.head(stream) for stream in journal.streams()} == heads


def test_while_risk_is_down_a_preview_says_that_nothing_goes(desk: SimulatedDesk) -> None:
    desk.crash("risk", restart_after_s=60.0)
    assert codes(desk.preview(order()).objections) == ["RISK_UNAVAILABLE"]


def test_no_strategy_may_take_the_name_of_those_who_trade_by_hand() -> None:
    from cluster.config import load_config
    from trading.errors import ConfigError

    with pytest.raises(ConfigError, match="people trade by that name"):
        load_config(None, {"strategies": {str(OPERATOR): {"kind": "momentum", "capital": 0.1}}})


def test_the_exposure_limit_of_strategies_holds_for_orders_by_hand_too() -> None:
    from cluster.config import load_config
    from cluster.launch import limits_of

    limits = limits_of(load_config(None, {"risk": {"max_strategy_exposure": 1000}}))
    assert limits.max_strategy_exposure[OPERATOR] == 1000

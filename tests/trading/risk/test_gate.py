"""The protocol: taking over, deciding once, answers, watermarks, replacements, kill switch."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import (
    AnnounceRisk,
    PermittedOrder,
    RiskAcknowledged,
    Watermark,
)
from trading.effects import Send
from trading.events import (
    KillSwitchReset,
    KillSwitchTripped,
    OrderDenied,
)
from trading.outcomes import JournalUnavailable, LinkUp, Started
from trading.refusals import RefusalCode
from trading.risk import gate as gate_module
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits, SymbolLimits
from trading.risk.permits import verify
from trading.values import OrderType

SECOND = 1_000_000_000
KEY = b"a secret of the tests"


def reserved(desk, symbol="A"):
    line = desk.gate.state.holdings.reservations.account.line(f"{symbol}.X")
    return line.buys, line.sells


# -- names


def test_gate_names_itself_its_stream_and_what_it_listens_to(desk):
    assert desk.gate.name == "risk:DEMO"
    assert desk.gate.stream == "risk:DEMO"
    assert desk.gate.follows == ("account:paper:DEMO", "limits:DEMO")
    assert desk.gate.subscribes == ("book.paper.",)


# -- taking over


def test_started_gate_announces_its_epoch_and_is_not_ready(new_desk):
    desk = new_desk()
    desk.restore()
    effects = desk.gate.handle(Started(epoch=7), desk.now)
    (sent,) = effects
    assert sent == Send(
        "broker:paper:DEMO",
        AnnounceRisk(ts_init=desk.now, risk_epoch=7, reply_to="risk:DEMO"),
    )
    assert not desk.gate.is_ready


def test_gate_waits_until_the_account_is_folded_as_far_as_the_broker_said(new_desk):
    desk = new_desk()
    desk.restore()
    desk.handle(Started(epoch=2))
    desk.handle(RiskAcknowledged(risk_epoch=2, account_seq=1))
    assert not desk.gate.is_ready
    desk.submitted(desk.order())
    assert desk.gate.is_ready


def test_answer_to_another_epoch_is_ignored(new_desk):
    desk = new_desk()
    desk.restore()
    desk.handle(Started(epoch=2))
    desk.handle(RiskAcknowledged(risk_epoch=1, account_seq=0))
    assert not desk.gate.is_ready


def test_orders_wait_in_order_until_ready_with_the_watermark_behind(new_desk):
    desk = new_desk(strategies=("one",))
    desk.restore()
    desk.handle(Started(epoch=2))
    desk.price("A", 100)
    first, second = desk.order(), desk.order()
    for message in (first, second, Watermark(sequence=4, sender="strategy:one")):
        assert desk.handle(message) == []
    desk.epoch = 2
    effects = desk.acknowledge()
    kinds = [type(effect.message) for effect in effects]
    assert kinds == [PermittedOrder, PermittedOrder, Watermark]
    assert [e.message.order for e in effects[:2]] == [first, second]


def test_order_that_expired_while_waiting_is_denied(new_desk):
    desk = new_desk()
    desk.restore()
    desk.handle(Started(epoch=2))
    desk.handle(desk.order(expires_at=desk.now + SECOND))
    desk.now += 2 * SECOND
    desk.epoch = 2
    desk.acknowledge()
    assert desk.own[-1].code == RefusalCode.RISK_ORDER_STALE


def test_order_beyond_the_waiting_room_is_denied(new_desk, monkeypatch):
    monkeypatch.setattr(gate_module, "WAITING_MAX", 2)
    desk = new_desk()
    desk.restore()
    desk.handle(Started(epoch=2))
    orders = [desk.order() for _ in range(3)]
    assert [desk.verdict(order) for order in orders] == [None, None, RefusalCode.RISK_NOT_READY]


def test_link_to_the_broker_coming_up_announces_again_and_stays_ready(desk):
    (sent,) = desk.handle(LinkUp(peer="broker:paper:DEMO"))
    assert sent.message.risk_epoch == desk.epoch
    assert desk.gate.is_ready
    assert desk.handle(LinkUp(peer="strategy:one")) == []


def test_broker_that_started_anew_gets_a_new_announcement_and_orders_wait(desk):
    (sent,) = desk.handle(RiskAcknowledged(risk_epoch=0, account_seq=0))
    assert sent.message.risk_epoch == desk.epoch
    order = desk.order()
    assert desk.verdict(order) is None
    (permitted,) = desk.acknowledge()
    assert permitted.message.order == order


def test_refusal_by_the_broker_is_the_accounts_fact_even_when_it_carries_the_order(desk):
    order = desk.order()
    desk.handle(order)
    desk.about(OrderDenied, order, code="BROKER_NOT_READY", reason="x", order=order)
    assert reserved(desk) == (0, 0)
    assert desk.gate.state.holdings.sequence == 1
    assert desk.gate.view()["denials"] == {}


def test_permitted_order_that_never_reached_the_broker_is_refused_and_released(desk):
    lost, young = desk.order(), desk.order()
    assert desk.verdict(lost) == "approved"
    desk.now += 3 * SECOND
    desk.price("A", 100)
    assert desk.verdict(young) == "approved"
    assert reserved(desk) == (20, 0)
    desk.handle(LinkUp(peer="broker:paper:DEMO"))
    desk.acknowledge()
    assert reserved(desk) == (10, 0)
    assert (desk.own[-1].order, desk.own[-1].code) == (lost, RefusalCode.RISK_PERMIT_EXPIRED)


def test_journal_down_makes_orders_wait_until_started_anew(desk):
    desk.handle(JournalUnavailable(stream="risk:DEMO", reason="disk full"))
    order = desk.order()
    assert desk.verdict(order) is None
    desk.epoch += 1
    desk.handle(Started(epoch=desk.epoch))
    assert not desk.gate.is_ready
    effects = desk.acknowledge()
    assert [effect.message.order for effect in effects] == [order]


# -- deciding


def test_approved_order_goes_to_the_broker_with_a_valid_permit(desk):
    order = desk.order()
    (sent,) = desk.handle(order)
    assert sent.to == "broker:paper:DEMO"
    permit = sent.message.permit
    assert verify(order, permit, KEY, min_epoch=desk.epoch, now=desk.now) is None
    assert permit.expires_at == desk.now + 2 * SECOND


def test_denied_order_is_appended_and_sent_to_nobody(desk):
    order = desk.order(quantity=2000)
    (appended,) = desk.handle(order)
    assert appended.event.code == RefusalCode.RISK_MAX_SHARES
    assert appended.event.order == order
    assert appended.event.correlation_id == order.correlation_id


def test_repeated_order_gets_no_second_verdict_before_or_after_a_restart(desk):
    approved, denied = desk.order(), desk.order(quantity=2000)
    desk.handle(approved)
    desk.handle(denied)
    assert desk.handle(approved) == []
    assert desk.handle(denied) == []
    desk.submitted(approved)
    desk.start()
    assert desk.handle(approved) == []
    assert desk.handle(denied) == []


def test_order_of_a_foreign_account_or_strategy_is_denied(desk):
    assert desk.ask(account_id="OTHER") == RefusalCode.RISK_UNKNOWN_STRATEGY
    assert desk.ask(strategy="three") == RefusalCode.RISK_UNKNOWN_STRATEGY
    assert desk.ask("Z") == RefusalCode.RISK_UNKNOWN_INSTRUMENT


def test_absurd_numbers_are_denied_without_an_error(desk):
    for quantity in ("NaN", "sNaN", "-Infinity", "1E+500", "-5"):
        assert desk.ask(quantity=quantity) == RefusalCode.RISK_BAD_QUANTITY
    limit = {"order_type": OrderType.LIMIT}
    for price in ("NaN", "sNaN", "Infinity", "1E+500", "0"):
        assert desk.ask(price=Decimal(price), **limit) == RefusalCode.RISK_BAD_PRICE


def test_limit_price_above_the_market_counts_for_the_notional(desk):
    # 60 * 100 fits, 60 * 200 = 12,000 does not
    high = {"order_type": OrderType.LIMIT, "price": Decimal(200)}
    assert desk.ask(quantity=60, **high) == RefusalCode.RISK_MAX_NOTIONAL
    assert desk.ask(quantity=60) == "approved"


def test_orders_faster_than_the_throttle_are_denied_until_it_refills(new_desk):
    desk = new_desk(RiskLimits(max_orders_per_second=2))
    desk.price("A", 1)
    verdicts = [desk.ask(quantity=1) for _ in range(3)]
    assert verdicts == ["approved", "approved", RefusalCode.RISK_ORDER_RATE]
    desk.now += SECOND // 2
    assert [desk.ask(quantity=1), desk.ask(quantity=1)] == ["approved", RefusalCode.RISK_ORDER_RATE]


# -- watermarks


def test_watermark_passes_when_the_slowest_strategy_is_done(desk):
    def marks(sequence, sender):
        effects = desk.handle(Watermark(sequence=sequence, sender=sender))
        return [effect.message.sequence for effect in effects]

    assert marks(1, "strategy:one") == []
    assert marks(1, "strategy:two") == [1]
    assert marks(1, "strategy:two") == []
    assert marks(3, "strategy:one") == []
    assert marks(2, "strategy:two") == [2]
    assert marks(5, "strategy:two") == [3]
    assert marks(9, "strategy:other") == []
    assert desk.sent_of(Watermark)[-1].sender == "risk:DEMO"


# -- kill switch


def test_latched_kill_switch_denies_everything_also_after_a_restart(desk):
    desk.trade("A", "BUY", 50, 100)
    desk.fact(KillSwitchTripped(actor="ann", reason="enough"))
    assert desk.ask("B") == RefusalCode.KILL_SWITCH
    desk.start()
    desk.prices(A=100, B=50)
    assert desk.ask("A", "SELL", 50, purpose="flatten") == RefusalCode.KILL_SWITCH
    desk.fact(KillSwitchReset(actor="ann", reason="go on"))
    assert desk.ask("B") == "approved"


# -- prices


def test_bad_price_changes_nothing_and_does_not_refresh(desk):
    assert desk.ask(quantity=90) == "approved"
    for bad in (float("nan"), float("inf"), 0.0, -1.0, 1e308, 0.001):
        desk.price("A", bad)
    assert desk.gate.view()["bad_prices"] == 6
    assert desk.ask(quantity=11) == RefusalCode.RISK_MAX_NOTIONAL
    desk.now += 6 * SECOND
    desk.price("A", float("nan"))
    assert desk.ask(quantity=1) == RefusalCode.DATA_STALE


def test_exposure_is_counted_at_the_higher_side_of_the_book(desk):
    desk.price("A", 99, 101)
    assert desk.ask(quantity=100) == RefusalCode.RISK_MAX_NOTIONAL
    assert desk.ask(quantity=99) == "approved"  # 99 * 101 = 9,999


# -- what people see


def test_view_is_plain_and_shows_room_reservations_and_refusals(desk):
    desk.ask(quantity=40)
    desk.ask(quantity=2000)
    view = desk.gate.view()
    assert view["ready"]
    assert view["epoch"] == desk.epoch
    room = view["limits"]["max_notional_per_position"]
    assert (room["limit"], room["used"], room["left"]) == (10_000, 4_000, 6_000)
    assert view["denials"] == {"RISK_MAX_SHARES": 1}
    assert view["reservations"][0]["reserved"] == 40
    msgspec.json.encode(view)


def test_symbol_override_reaches_the_gate(new_desk):
    desk = new_desk(RiskLimits(symbols={"A.X": SymbolLimits(max_shares=Decimal(5))}))
    desk.prices(A=100, B=50)
    assert desk.ask("A", quantity=6) == RefusalCode.RISK_MAX_SHARES
    assert desk.ask("B", quantity=6) == "approved"


def test_gate_with_an_unusable_key_or_life_is_not_built(desk):
    for key, ttl_ns in ((b"", SECOND), (KEY, 3 * SECOND)):
        with pytest.raises(ValueError, match="a permit"):
            RiskGate(desk.config(key=key, permit_ttl_ns=ttl_ns))

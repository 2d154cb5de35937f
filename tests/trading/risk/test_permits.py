from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import ReplaceOrder, RiskPermit, SubmitOrder
from trading.refusals import RefusalCode
from trading.risk.permits import PERMIT_TTL_NS_MAX, sign, verify
from trading.values import OrderSide, OrderType

KEY = b"key"
NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
ORDER = SubmitOrder(
    client_order_id="1" * 32,
    account_id="DEMO",
    strategy_id="one",
    instrument_id="A.X",
    side=OrderSide.BUY,
    quantity=Decimal(10),
)


def test_signed_order_is_accepted_until_it_expires():
    permit = sign(ORDER, KEY, risk_epoch=3, now=NOW, ttl_ns=SECOND)
    assert verify(ORDER, permit, KEY, min_epoch=3, now=NOW) is None
    assert verify(ORDER, permit, KEY, min_epoch=3, now=NOW + SECOND - 1) is None
    expired = verify(ORDER, permit, KEY, min_epoch=3, now=NOW + SECOND)
    assert expired is RefusalCode.RISK_PERMIT_EXPIRED


def test_signed_replace_is_accepted_and_does_not_cover_another():
    replace = ReplaceOrder(client_order_id="1" * 32, account_id="DEMO", quantity=Decimal(5))
    permit = sign(replace, KEY, 1, NOW)
    more = msgspec.structs.replace(replace, quantity=Decimal(50))
    assert verify(replace, permit, KEY, 1, NOW) is None
    assert verify(more, permit, KEY, 1, NOW) is RefusalCode.RISK_PERMIT_INVALID


def test_order_without_permit_is_refused():
    assert verify(ORDER, None, KEY, 1, NOW) is RefusalCode.RISK_PERMIT_MISSING


def test_permit_of_an_older_epoch_is_refused():
    permit = sign(ORDER, KEY, risk_epoch=2, now=NOW)
    assert verify(ORDER, permit, KEY, 3, NOW) is RefusalCode.RISK_PERMIT_STALE_EPOCH


def test_genuine_permit_with_a_long_life_is_refused():
    permit = sign(ORDER, KEY, 1, NOW + 1)  # as if it lived 2 s and 1 ns
    assert verify(ORDER, permit, KEY, 1, NOW) is RefusalCode.RISK_PERMIT_INVALID


def test_permit_replayed_for_another_order_is_refused():
    other = msgspec.structs.replace(ORDER, client_order_id="2" * 32)
    assert verify(other, sign(ORDER, KEY, 1, NOW), KEY, 1, NOW) is RefusalCode.RISK_PERMIT_INVALID


@pytest.mark.parametrize("ttl_ns", [0, -1, PERMIT_TTL_NS_MAX + 1])
def test_life_out_of_range_cannot_be_signed(ttl_ns):
    with pytest.raises(ValueError, match="at most 2 s"):
        sign(ORDER, KEY, 1, NOW, ttl_ns)


def test_empty_key_cannot_sign():
    with pytest.raises(ValueError, match="key"):
        sign(ORDER, b"", 1, NOW)


changes_of_order = st.sampled_from(
    [
        {"client_order_id": "f" * 32},
        {"account_id": "LIVE"},
        {"strategy_id": "two"},
        {"instrument_id": "B.X"},
        {"side": OrderSide.SELL},
        {"quantity": Decimal(11)},
        {"quantity": Decimal("10.0")},
        {"order_type": OrderType.LIMIT},
        {"price": Decimal(1)},
        {"trigger_price": Decimal(1)},
        {"reduce_only": True},
        {"purpose": "flatten"},
        {"expires_at": 1},
        {"ts_event": 5},
    ]
)


@settings(deadline=None, max_examples=150)
@given(change=changes_of_order, epoch=st.integers(0, 9), age=st.integers(0, 3 * SECOND))
def test_altered_order_is_always_refused(change, epoch, age):
    permit = sign(ORDER, KEY, epoch, NOW)
    altered = msgspec.structs.replace(ORDER, **change)
    assert verify(altered, permit, KEY, 0, NOW + age) is RefusalCode.RISK_PERMIT_INVALID


@settings(deadline=None, max_examples=150)
@given(data=st.data(), age=st.integers(0, 3 * SECOND))
def test_altered_permit_is_always_refused(data, age):
    permit = sign(ORDER, KEY, 5, NOW)
    field = data.draw(st.sampled_from(["order_hash", "risk_epoch", "expires_at", "signature"]))
    value = getattr(permit, field)
    fresh = st.text(max_size=70) if isinstance(value, str) else st.integers(-(2**62), 2**62)
    forged = msgspec.structs.replace(
        permit, **{field: data.draw(fresh.filter(lambda x: x != value))}
    )
    assert verify(ORDER, forged, KEY, 0, NOW + age) is RefusalCode.RISK_PERMIT_INVALID


@settings(deadline=None, max_examples=100)
@given(key=st.binary(min_size=1, max_size=80).filter(lambda key: key.rstrip(b"\0") != KEY))
def test_permit_of_another_key_is_refused(key):
    assert verify(ORDER, sign(ORDER, key, 1, NOW), KEY, 1, NOW) is RefusalCode.RISK_PERMIT_INVALID


def test_signature_in_any_script_is_refused_without_an_error():
    permit = RiskPermit(order_hash="ä", risk_epoch=1, expires_at=NOW + 1, signature="Ω" * 64)
    assert verify(ORDER, permit, KEY, 1, NOW) is RefusalCode.RISK_PERMIT_INVALID

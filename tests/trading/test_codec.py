import enum
import types
import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.codec import MESSAGE_TYPES, decode, digest, digest_of, encode
from trading.commands import Command, PermittedOrder, RiskPermit, SubmitOrder, Watermark
from trading.data import Bar, BarSlice, BookSnapshot
from trading.events import Event, OrderDenied, OrderFilled, ReplayAdvanced
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
    TradeId,
    VenueOrderId,
)
from trading.messages import Message
from trading.outcomes import Started
from trading.reports import Report
from trading.values import OrderSide

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=12),
    float: st.floats(allow_nan=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
}

ORDER = SubmitOrder(
    ts_event=1,
    ts_init=2,
    correlation_id="feed:paper/7",
    causation_id="strategy:s/7",
    client_order_id=ClientOrderId("c"),
    account_id=AccountId("DEMO"),
    strategy_id=StrategyId("s"),
    instrument_id=InstrumentId("A.XNAS"),
    side=OrderSide.BUY,
    quantity=Decimal(100),
)
PERMIT = RiskPermit(order_hash="aa", risk_epoch=3, expires_at=300, signature="bb")
FILL = OrderFilled(
    ts_event=5,
    client_order_id=ClientOrderId("c"),
    strategy_id=StrategyId("s"),
    instrument_id=InstrumentId("A.XNAS"),
    venue_order_id=VenueOrderId("v"),
    trade_id=TradeId("t"),
    side=OrderSide.SELL,
    last_qty=Decimal(3),
    last_px=Decimal("10.50"),
    commission=Decimal("0.01"),
)
BAR = Bar(instrument_id=InstrumentId("A.XNAS"), open=1.0, high=2.0, low=0.5, close=1.5, sequence=7)

GOLDEN: list[tuple[Message, str]] = [
    (
        ReplayAdvanced(ts_event=1, ts_init=2, sequence=3),
        "96ae5265706c6179416476616e6365640102a0a003",
    ),
    (
        ORDER,
        (
            "dc0018ab5375626d69744f726465720102ac666565643a70617065722f37ac73747261746567793a"
            "732f37a163a444454d4fa173a6412e584e4153a3425559a3313030a64d41524b4554a3444159c0c0"
            "c0c2c2a67461726765740000c0c2c0"
        ),
    ),
    (
        PermittedOrder(order=ORDER, permit=PERMIT),
        (
            "97ae5065726d69747465644f726465720000a0a0dc0018ab5375626d69744f726465720102ac6665"
            "65643a70617065722f37ac73747261746567793a732f37a163a444454d4fa173a6412e584e4153a3"
            "425559a3313030a64d41524b4554a3444159c0c0c0c2c2a67461726765740000c0c2c099aa526973"
            "6b5065726d69740000a0a0a2616103cd012ca26262"
        ),
    ),
    (
        FILL,
        (
            "dc0013ab4f7264657246696c6c65640500a0a0a163a173a6412e584e4153a176a174a453454c4ca1"
            "33a531302e3530a4302e3031a3555344a554414b4552a6746172676574a130c2"
        ),
    ),
    (
        OrderDenied(
            client_order_id=ClientOrderId("c"),
            strategy_id=StrategyId("s"),
            instrument_id=InstrumentId("A.XNAS"),
            code="KILL_SWITCH",
            reason="r",
        ),
        ("9bab4f7264657244656e6965640000a0a0a163a173a6412e584e4153ab4b494c4c5f535749544348a172c0"),
    ),
    (
        Watermark(sequence=9, sender=MachineName("strategy:s")),
        "97a957617465726d61726b0000a0a009aa73747261746567793a73",
    ),
    (
        BarSlice(ts_event=4, sequence=7, bars=(BAR,)),
        (
            "97a8426172536c6963650400a0a007919ca34261720000a0a007a6412e584e4153cb3ff000000000"
            "0000cb4000000000000000cb3fe0000000000000cb3ff8000000000000cb0000000000000000"
        ),
    ),
    (
        BookSnapshot(
            instrument_id=InstrumentId("A.XNAS"), bids=((9.5, 100.0),), asks=((10.0, 50.0),)
        ),
        (
            "99ac426f6f6b536e617073686f740000a0a000a6412e584e41539192cb4023000000000000cb4059"
            "0000000000009192cb4024000000000000cb4049000000000000"
        ),
    ),
    (
        Started(epoch=2),
        "96a7537461727465640000a0a002",
    ),
]


def instances(annotation: Any) -> st.SearchStrategy[Any]:
    """Build any value that the annotation of a message field allows."""
    if isinstance(annotation, typing.NewType):
        return instances(annotation.__supertype__)
    if annotation in SCALARS:
        return SCALARS[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([instances(each) for each in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(instances(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(instances(each) for each in arguments))
    if issubclass(annotation, enum.Enum):
        return st.sampled_from(annotation)
    return st.builds(annotation, **{n: instances(t) for n, t in fields_of(annotation).items()})


def fields_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = typing.get_type_hints(struct)
    return {name: hints[name] for name in struct.__struct_fields__}


def leaves_of(annotation: Any) -> Iterator[Any]:
    """Yield every plain type below an annotation, through unions, tuples and structs."""
    if isinstance(annotation, typing.NewType):
        yield from leaves_of(annotation.__supertype__)
    elif arguments := typing.get_args(annotation):
        for each in arguments:
            yield from leaves_of(each)
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        for each in fields_of(annotation).values():
            yield from leaves_of(each)
    else:
        yield annotation


def concrete(base: type[Message]) -> list[type[Message]]:
    return [cls for cls in MESSAGE_TYPES if issubclass(cls, base)]


messages: st.SearchStrategy[Message] = st.sampled_from(MESSAGE_TYPES).flatmap(instances)


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_message_of_every_type_comes_back_equal_and_to_the_same_bytes(kind: type[Message]) -> None:
    @settings(deadline=None, max_examples=15, database=None)
    @given(message=instances(kind))
    def check(message: Message) -> None:
        payload = encode(message)
        found = decode(payload)
        assert type(found) is kind
        assert found == message
        assert encode(found) == payload
        assert decode(memoryview(payload)) == message
        assert digest(found) == digest(message)

    check()


@settings(deadline=None)
@given(message=messages)
def test_equal_copy_gives_equal_bytes(message: Message) -> None:
    copy = msgspec.structs.replace(message)
    assert copy is not message
    assert encode(copy) == encode(message)


def test_type_names_are_unique_and_stamps_come_first() -> None:
    names = [kind.__name__ for kind in MESSAGE_TYPES]
    assert len(set(names)) == len(names)
    for kind in MESSAGE_TYPES:
        assert kind.__struct_fields__[:4] == Message.__struct_fields__
        assert kind.__struct_config__.tag == kind.__name__


@pytest.mark.parametrize("base", [Event, Command, Report])
def test_nothing_that_moves_money_holds_a_float(base: type[Message]) -> None:
    assert concrete(base)
    for kind in concrete(base):
        assert float not in set(leaves_of(kind)), kind.__name__


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_annotations_hold_plain_types_alone(kind: type[Message]) -> None:
    for leaf in leaves_of(kind):
        is_enum = isinstance(leaf, type) and issubclass(leaf, enum.Enum)
        assert is_enum or leaf is Ellipsis or leaf in SCALARS, leaf


@pytest.mark.parametrize(("message", "expected"), GOLDEN, ids=lambda each: type(each).__name__)
def test_bytes_are_those_of_the_journals_that_exist(message: Message, expected: str) -> None:
    assert encode(message).hex() == expected
    assert decode(bytes.fromhex(expected)) == message


ORDER_BEFORE_ARRIVAL_PX = (
    "dc0015ab5375626d69744f726465720102ac666565643a70617065722f37ac73747261746567793a"
    "732f37a163a444454d4fa173a6412e584e4153a3425559a3313030a64d41524b4554a3444159c0c0"
    "c0c2c2a67461726765740000"
)


OLDER: list[tuple[Message, str]] = [
    (ORDER, ORDER_BEFORE_ARRIVAL_PX),
    (
        ORDER,
        (
            "dc0016ab5375626d69744f726465720102ac666565643a70617065722f37ac73747261746567793a"
            "732f37a163a444454d4fa173a6412e584e4153a3425559a3313030a64d41524b4554a3444159c0c0"
            "c0c2c2a67461726765740000c0"
        ),
    ),
    (
        PermittedOrder(order=ORDER, permit=PERMIT),
        (
            "97ae5065726d69747465644f726465720000a0a0dc0016ab5375626d69744f726465720102ac6665"
            "65643a70617065722f37ac73747261746567793a732f37a163a444454d4fa173a6412e584e4153a3"
            "425559a3313030a64d41524b4554a3444159c0c0c0c2c2a67461726765740000c099aa5269736b50"
            "65726d69740000a0a0a2616103cd012ca26262"
        ),
    ),
    (
        FILL,
        (
            "dc0011ab4f7264657246696c6c65640500a0a0a163a173a6412e584e4153a176a174a453454c4ca1"
            "33a531302e3530a4302e3031a3555344a554414b4552a6746172676574"
        ),
    ),
]
"""As released versions wrote them."""


@pytest.mark.parametrize(("message", "payload"), OLDER, ids=lambda each: type(each).__name__)
def test_record_of_a_released_version_decodes(message: Message, payload: str) -> None:
    assert decode(bytes.fromhex(payload)) == message


def test_record_of_an_older_version_decodes_with_the_defaults() -> None:
    fields = [*msgspec.msgpack.decode(encode(FILL))]
    older = msgspec.msgpack.encode(fields[:-3])
    assert decode(older) == FILL


@settings(deadline=None, max_examples=300)
@given(payload=st.binary(max_size=80))
def test_garbage_is_a_decode_error(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(payload)


@settings(deadline=None, max_examples=300)
@given(message=messages, data=st.data())
def test_damaged_message_decodes_or_is_a_decode_error(
    message: Message, data: st.DataObject
) -> None:
    payload = encode(message)
    start = data.draw(st.integers(0, len(payload)))
    stop = data.draw(st.integers(start, len(payload)))
    damaged = payload[:start] + data.draw(st.binary(max_size=4)) + payload[stop:]
    try:
        found = decode(damaged)
    except msgspec.DecodeError:
        return
    assert isinstance(found, Message)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x91\xa1\xff",
        b"\x91\xa7Unknown",
        b"\x91\xa5Event",
        encode(ReplayAdvanced(sequence=1)) + b"\x00",
        b"\x97" + encode(ReplayAdvanced(sequence=1))[1:] + b"\x91" * 200_000 + b"\xc0",
        msgspec.msgpack.encode(ReplayAdvanced(sequence=1)).replace(b"\xa0", b"\xa1\xff", 1),
    ],
    ids=["empty", "not utf-8", "unknown", "base class", "trailing", "deep", "bad text"],
)
def test_every_kind_of_damage_is_a_decode_error(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(payload)


def test_number_where_a_price_belongs_is_a_decode_error() -> None:
    fields = msgspec.msgpack.decode(encode(FILL))
    at = 1 + OrderFilled.__struct_fields__.index("last_px")
    for wrong in ("ten", "", [], None):
        fields[at] = wrong
        with pytest.raises(msgspec.DecodeError):
            decode(msgspec.msgpack.encode(fields))


def test_digest_of_state_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"b": 1, "a": Decimal("2.50")}) == digest_of({"a": Decimal("2.50"), "b": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    assert len(digest(Started(epoch=1))) == 32

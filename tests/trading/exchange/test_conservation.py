"""Random requests, prices, days and restarts: nothing appears, nothing vanishes, nothing differs."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.events import (
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderSubmitted,
    OrderUpdated,
    VenueRequestReceived,
)
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.slippage import Slippage
from trading.identifiers import AccountId
from trading.outcomes import Started
from trading.values import OrderStatus

CENTS = st.integers(9_960, 10_040).map(lambda cents: f"{cents / 100:.2f}")
TARGET = st.integers(0, 50)
SUBMIT = st.fixed_dictionaries(
    {
        "do": st.just("submit"),
        "repeats": st.sampled_from([False] * 9 + [True]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "account": st.sampled_from("AB"),
        "quantity": st.integers(1, 250),
        "type": st.sampled_from(
            ["MARKET", "LIMIT", "LIMIT", "STOP_MARKET", "STOP_LIMIT", "TRAILING_STOP_MARKET"]
        ),
        "tif": st.sampled_from(["DAY", "GTC", "GTC", "IOC", "FOK"]),
        "price": CENTS,
        "trigger": CENTS,
        "post_only": st.sampled_from([False, False, False, True]),
    }
)
REPLACE = st.fixed_dictionaries(
    {
        "do": st.just("replace"),
        "target": TARGET,
        "quantity": st.none() | st.integers(1, 250),
        "price": st.none() | CENTS,
        "trigger": st.none() | CENTS,
    }
)
CANCEL = st.fixed_dictionaries({"do": st.just("cancel"), "target": TARGET})
MARKET = st.fixed_dictionaries(
    {
        "do": st.just("market"),
        "close": st.integers(9_950, 10_050).map(lambda cents: cents / 100),
        "next_day": st.sampled_from([False, False, True]),
    }
)
OTHER = st.fixed_dictionaries({"do": st.sampled_from(["restart", "restart", "cancel_all"])})
ACTIONS = st.lists(
    st.one_of(*[SUBMIT] * 6, *[REPLACE] * 2, CANCEL, *[MARKET] * 4, OTHER),
    min_size=15,
    max_size=45,
)


def act(desk, action, day, sent):
    """Perform one action; return the day after it. `sent` lists (id, account) of all orders."""
    match action["do"]:
        case "submit":
            submit(desk, action, sent)
        case "replace" if sent:
            key, account = sent[action["target"] % len(sent)]
            change = {name: action[name] for name in ("quantity", "price", "trigger")}
            desk.replace(key, **change, account=account)
        case "cancel" if sent:
            key, account = sent[action["target"] % len(sent)]
            desk.cancel(key, account=account)
        case "market":
            day += action["next_day"]
            desk.market(action["close"], day=day)
        case "restart":
            desk.restart()
            desk.handle(Started(epoch=2))
            desk.market(100.0, day=day)
        case "cancel_all":
            desk.cancel_all()
    return day


def submit(desk, action, sent):
    kind, account = action["type"], action["account"]
    if not (action["repeats"] and sent):
        sent.append((str(len(sent)), account))
    desk.submit(
        sent[-1][0],
        action["side"],
        action["quantity"],
        action["price"] if kind in {"LIMIT", "STOP_LIMIT"} else None,
        type=kind,
        tif=action["tif"],
        account=account,
        trigger=action["trigger"] if kind in {"STOP_MARKET", "STOP_LIMIT"} else None,
        offset="0.15" if kind == "TRAILING_STOP_MARKET" else None,
        post_only=action["post_only"] and kind == "LIMIT" and action["tif"] in {"DAY", "GTC"},
    )


def run(new_desk, actions):
    desk = new_desk(
        fees=Fees(per_share=Decimal("0.003"), taker_bps=Decimal("1.5"), maker_bps=Decimal("-0.5")),
        slippage=Slippage(bps=Decimal(3)),
        buying_power=BuyingPower(max_leverage=Decimal("0.08")),
    )
    desk.market(100.0)
    day, sent = 1, []
    for action in actions:
        day = act(desk, action, day, sent)
        desk.exchange.validate()
    return desk


@settings(deadline=None, max_examples=120)
@given(ACTIONS)
def test_books_balance_at_every_step_and_the_fold_equals_the_life(new_desk, actions):
    desk = run(new_desk, actions)
    assert desk.fold(desk.events).state_hash() == desk.exchange.state_hash()
    recorded = [e.request_id for e in desk.events if isinstance(e, VenueRequestReceived)]
    assert recorded == [f"r{n}" for n in range(1, desk.request_count + 1)]


@settings(deadline=None, max_examples=40)
@given(ACTIONS)
def test_no_order_trades_beyond_its_limit_or_after_its_end(new_desk, actions):
    desk = run(new_desk, actions)
    limits, ended = {}, set()
    for event in desk.events:
        key = event.client_order_id
        match event:
            case OrderSubmitted():
                limits[key] = event.order.price
            case OrderUpdated():
                limits[key] = event.price
            case OrderCanceled() | OrderExpired():
                ended.add(key)
            case OrderFilled(side=side, last_px=price):
                assert key not in ended
                assert event.last_qty > 0
                assert price % Decimal("0.01") == 0
                if limits[key] is not None:
                    assert side.sign * price <= side.sign * limits[key]


@settings(deadline=None, max_examples=40)
@given(ACTIONS)
def test_execution_messages_are_numbered_without_gaps(new_desk, actions):
    desk = run(new_desk, actions)
    for account in "AB":
        numbers = [message.venue_seq for message in desk.told(account)]
        assert numbers == list(range(1, len(numbers) + 1))


@settings(deadline=None, max_examples=25)
@given(ACTIONS, st.data())
def test_a_torn_record_is_finished_at_the_start(new_desk, actions, data):
    desk = run(new_desk, actions)
    end = data.draw(st.integers(0, len(desk.events)))
    torn = desk.fold(desk.events[:end])
    torn.handle(Started(epoch=2), now=desk.now)
    torn.validate()
    assert all(o.order_type != "MARKET" for o in open_orders(torn))


def open_orders(exchange):
    orders = (o for a in "AB" for o in exchange.orders(AccountId(a)))
    return [o for o in orders if o.status in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}]

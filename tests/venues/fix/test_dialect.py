"""Dialects as files, what they claim, and the messages that come of them."""

from decimal import Decimal
from pathlib import Path

import pytest

from actors.venues.fix import messages
from actors.venues.fix.dialect import capabilities, load_dialect
from actors.venues.fix.profile import FIX
from actors.venues.profile import VenueSettings
from tests.venues.fix.reports import AAPL, NOW, OURS, STANDARD, dialect_file
from tests.venues.fix.rig import DIALECT
from trading.commands import ReplaceOrder, SubmitOrder
from trading.errors import ConfigError
from trading.identifiers import AccountId, StrategyId, Venue
from trading.instruments import Instrument
from trading.values import AssetClass, OrderSide, OrderType, TimeInForce

ACCOUNT = AccountId("ACC")


def order(**changes) -> SubmitOrder:
    details = {
        "order_type": OrderType.LIMIT,
        "price": Decimal("10.50"),
        "side": OrderSide.BUY,
        **changes,
    }
    return SubmitOrder(
        client_order_id=OURS,
        account_id=ACCOUNT,
        strategy_id=StrategyId("s"),
        instrument_id=AAPL,
        quantity=Decimal(100),
        ts_init=NOW,
        **details,
    )


def new_order(dialect, **changes):
    return messages.new_order(
        order(**changes), Instrument(instrument_id=AAPL), NOW, "ACC-1", dialect
    )


def test_the_standard_order_has_the_tags_of_the_specification():
    assert new_order(STANDARD) == {
        11: OURS,
        55: "AAPL",
        54: "1",
        60: "20231114-22:13:20.000",
        38: "100",
        40: "2",
        59: "0",
        44: "10.50",
        1: "ACC-1",
        21: "1",
    }


def test_lime_wants_its_own_tags():
    fields = new_order(load_dialect("lime"), time_in_force=TimeInForce.OPG, side=OrderSide.SELL)
    assert {tag: fields[tag] for tag in (54, 59, 100, 528, 9999)} == {
        54: "2",
        59: "2",
        100: "LIME",
        528: "A",
        9999: "API",
    }


def test_a_stop_limit_order_has_both_prices_and_post_only_its_instruction():
    fields = new_order(STANDARD, order_type=OrderType.STOP_LIMIT, trigger_price=Decimal(11))
    assert (fields[40], fields[44], fields[99]) == ("4", "10.50", "11")
    assert new_order(STANDARD, post_only=True)[18] == "6"


def test_a_replacement_repeats_the_whole_order():
    sent = messages.sent_order(order(), new_order(STANDARD))
    change = ReplaceOrder(client_order_id=OURS, account_id=ACCOUNT, quantity=Decimal(150))
    fields = messages.replace_order(sent, change, "new-id", NOW, "", STANDARD)
    assert {tag: fields[tag] for tag in (11, 41, 38, 40, 44, 59, 54)} == {
        11: "new-id",
        41: OURS,
        38: "150",
        40: "2",
        44: "10.50",
        59: "0",
        54: "1",
    }


def test_a_venue_may_name_the_exchange_and_write_symbols_its_own_way(tmp_path):
    path = dialect_file(tmp_path, "exchange_tag = 0 ", "exchange_tag = 207 ")
    Path(path).write_text(
        Path(path).read_text().replace("[symbols.exchanges]", '[symbols.exchanges]\nXNAS = "Q"')
    )
    instrument = Instrument(instrument_id=AAPL, venue_symbol="AAPL.O")
    fields = messages.new_order(order(), instrument, NOW, "", load_dialect(path))
    assert (fields[55], fields[207]) == ("AAPL.O", "Q")


@pytest.mark.parametrize("name", ["standard", "lime"])
def test_what_a_dialect_does_not_list_is_not_claimed(name):
    dialect = load_dialect(name)
    table = capabilities(dialect)
    assert table.orders.keys() == {AssetClass.EQUITY}
    assert OrderType.TRAILING_STOP_MARKET not in table.orders[AssetClass.EQUITY].pairs
    assert table.can_cancel_all is dialect.requests.mass_cancel
    assert table.replays_missed
    assert not table.orders[AssetClass.EQUITY].order_lists


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[throttle]", "[throttle]\nspeed = 3", "speed"),
        ("length_max = 64 ", "length_max = 20 ", "echo_tag"),
        ('MARKET = "1"', 'MARKETS = "1"', "MARKETS"),
        ('OPG = "2"', "OPG = 2", "times_in_force"),
        ('LIMIT = ["DAY", "GTC", "IOC", "FOK"]', 'LIMIT = ["NOON"]', "NOON"),
        ('GTC = "1"', "", "GTC"),
        ("[ids]", "[ids", "wrong"),
    ],
)
def test_a_wrong_dialect_is_refused_in_one_sentence(tmp_path, old, new, said):
    with pytest.raises(ConfigError, match=said):
        load_dialect(dialect_file(tmp_path, old, new))


def test_a_missing_dialect_is_named_with_those_that_there_are():
    with pytest.raises(ConfigError, match="lime, standard"):
        load_dialect("nobody")


GOOD = {"port": 1, "sender_comp_id": "A", "target_comp_id": "B", "is_test": True}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"port": 0}, "port"),
        ({"target_comp_id": ""}, "target_comp_id"),
        ({"hearbeat": 3}, "hearbeat"),
        ({"heartbeat_s": 0}, "heartbeat_s"),
        ({"is_test": False}, "real money"),
        ({"start_time": "09:30:00"}, "end_time"),
        ({"start_time": "09:30:00", "end_time": "09:30:00"}, "the same"),
        ({"start_time": "09:30:00", "end_time": "16:00:00", "time_zone": "Mars/Olympus"}, "Mars"),
        ({"data_dictionary": "/nowhere/FIX44.xml"}, "data_dictionary"),
        ({"dialect": "nobody"}, "nobody"),
        ({"dialect": str(DIALECT)}, "account"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_opened(tmp_path, changes, said):
    options = {**GOOD, "store_dir": str(tmp_path), **changes}
    with pytest.raises(ConfigError, match=said):
        FIX.open_execution(VenueSettings(venue=Venue("fix"), account_id=ACCOUNT, options=options))


def test_live_trading_opens_any_session(tmp_path):
    options = {**GOOD, "is_test": False, "store_dir": str(tmp_path)}
    FIX.open_execution(
        VenueSettings(venue=Venue("fix"), account_id=ACCOUNT, options=options, is_live=True)
    )

"""The table, the options, and what an unused venue costs."""

import subprocess
import sys

import pytest

from actors.venues.ib.config import IbOptions, check_options
from actors.venues.ib.error_codes import ErrorKind, error_kind
from actors.venues.ib.profile import IB
from actors.venues.opening import venue_profile
from actors.venues.profile import VenueSettings
from trading.errors import ConfigError
from trading.identifiers import AccountId, Venue
from trading.values import AssetClass, DataKind, OrderListKind


def settings(**options):
    return VenueSettings(venue=Venue("ib"), account_id=AccountId("DU1"), options=options)


def test_the_profile_is_found_and_costs_nothing():
    assert venue_profile("ib") is IB
    code = (
        "import sys, actors.venues.ib.profile\n"
        "heavy = {'ib_async', 'eventkit', 'aiohttp', 'pandas', 'nest_asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_that_blocks_is_imported():
    code = (
        "import sys, actors.venues.ib.execution, actors.venues.ib.market_data\n"
        "assert 'nest_asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(type(IB), "is_installed", property(lambda self: False))
    for opening in (IB.open_execution, IB.open_market_data):
        with pytest.raises(ConfigError, match=r"neural-trader\[ib\]"):
            opening(settings())


def test_the_table_names_what_is_taken():
    assert set(IB.capabilities.orders) == {
        AssetClass.EQUITY,
        AssetClass.OPTION,
        AssetClass.FUTURE,
        AssetClass.FOREX,
    }
    lists = IB.capabilities.orders[AssetClass.EQUITY].order_lists
    assert OrderListKind.MULTI_LEG not in lists
    assert set(IB.capabilities.streams) == set(DataKind)
    assert not IB.credentials


@pytest.mark.parametrize(
    "options",
    [
        {"prot": 7497},
        {"port": "x"},
        {"messages_per_s": 51},
        {"market_data_client_id": 1},
        {"client_id": -1},
        {"heartbeat_s": 0},
        {"market_data_type": 5},
    ],
)
def test_wrong_options_are_one_sentence(options):
    with pytest.raises(ConfigError):
        IB.open_execution(settings(**options))


def test_the_feed_has_the_next_client_id():
    assert check_options(IbOptions(client_id=4)).feed_client_id == 5
    assert check_options(IbOptions(client_id=4, market_data_client_id=9)).feed_client_id == 9


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (201, ErrorKind.REFUSED),
        (103, ErrorKind.REFUSED),
        (110, ErrorKind.REFUSED),
        (321, ErrorKind.REFUSED),
        (10147, ErrorKind.REFUSED),
        (10148, ErrorKind.REFUSED),
        (354, ErrorKind.REFUSED),
        (202, ErrorKind.CANCELED),
        (399, ErrorKind.WARNING),
        (404, ErrorKind.WARNING),
        (2109, ErrorKind.WARNING),
        (2161, ErrorKind.WARNING),
        (10167, ErrorKind.WARNING),
        (10349, ErrorKind.WARNING),
        (100, ErrorKind.PACING),
        (1100, ErrorKind.LOST),
        (2110, ErrorKind.LOST),
        (1101, ErrorKind.RESUBSCRIBE),
        (1102, ErrorKind.RESTORED),
        (1300, ErrorKind.UNKNOWN),
        (2103, ErrorKind.FARM_DOWN),
        (2105, ErrorKind.FARM_DOWN),
        (2104, ErrorKind.FARM_UP),
        (2106, ErrorKind.FARM_UP),
        (2158, ErrorKind.FARM_UP),
        (326, ErrorKind.IN_USE),
        (502, ErrorKind.UNKNOWN),
        (504, ErrorKind.UNKNOWN),
        (507, ErrorKind.UNKNOWN),
        (-1, ErrorKind.UNKNOWN),
        (123_456, ErrorKind.UNKNOWN),
    ],
)
def test_each_number_means_one_thing(code, kind):
    assert error_kind(code) is kind

import subprocess
import sys
from importlib.metadata import entry_points

import msgspec
import pytest

from actors.venues.alpaca.config import AlpacaOptions
from actors.venues.alpaca.profile import ALPACA
from actors.venues.profile import VenueSettings
from trading.errors import ConfigError
from trading.identifiers import AccountId, Venue
from trading.values import AssetClass


def settings(**changes):
    credentials = {"ALPACA_API_KEY": "k", "ALPACA_SECRET_KEY": "s"}
    return VenueSettings(Venue("alpaca"), AccountId("A"), **{"credentials": credentials, **changes})


def test_profile_is_found_and_costs_no_library():
    (entry,) = entry_points(group="neural_trader.venues", name="alpaca")
    assert entry.value == "actors.venues.alpaca.profile:ALPACA"
    code = (
        "import sys, actors.venues.alpaca.profile;"
        "print([m for m in ('alpaca', 'requests', 'aiohttp', 'pandas', 'websockets') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["ALPACA_API_KEY", "ALPACA_SECRET_KEY"])
def test_missing_credential_is_named(name):
    credentials = {"ALPACA_API_KEY": "k", "ALPACA_SECRET_KEY": "s", name: ""}
    with pytest.raises(ConfigError, match=name):
        ALPACA.open_execution(settings(credentials=credentials))


@pytest.mark.parametrize("options", [{"apiurl": "x"}, {"feed": "opra"}, {"request_timeout_s": 0}])
def test_wrong_option_is_named(options):
    with pytest.raises(ConfigError):
        ALPACA.open_execution(settings(options=options))


def test_addresses_are_those_of_the_paper_side_until_every_gate_was_passed():
    options = AlpacaOptions()
    assert options.trading_url(is_live=False) == "https://paper-api.alpaca.markets"
    assert options.updates_url(is_live=False) == "wss://paper-api.alpaca.markets/stream"
    assert options.trading_url(is_live=True) == "https://api.alpaca.markets"
    assert options.updates_url(is_live=True) == "wss://api.alpaca.markets/stream"


@pytest.mark.parametrize(
    "options",
    [
        {"api_url": "https://api.alpaca.markets"},
        {"trading_stream_url": "wss://api.alpaca.markets/stream"},
    ],
)
def test_options_do_not_open_the_live_side(options):
    with pytest.raises(ConfigError, match="real money"):
        ALPACA.open_execution(settings(options=options))


def test_feeds_have_addresses_of_their_own():
    options = msgspec.convert({"feed": "sip", "option_feed": "opra"}, AlpacaOptions)
    assert options.market_stream_url(AssetClass.EQUITY) == "wss://stream.data.alpaca.markets/v2/sip"
    assert options.market_stream_url(AssetClass.OPTION).endswith("/v1beta1/opra")
    assert options.market_stream_url(AssetClass.CRYPTO).endswith("/v1beta3/crypto/us")


def test_missing_library_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "alpaca", None)
    with pytest.raises(ConfigError, match=r"neural-trader\[alpaca\]"):
        ALPACA.open_execution(settings())

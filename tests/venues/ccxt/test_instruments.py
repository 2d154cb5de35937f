"""Markets of ccxt under our names."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from actors.venues.ccxt.instruments import Markets
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import AssetClass


def market(symbol, market_id, **changes):
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return {
        "symbol": symbol,
        "id": market_id,
        "base": base,
        "quote": quote,
        "settle": settle or None,
        "spot": not settle,
        "swap": bool(settle),
        "linear": settle == quote if settle else None,
        "contractSize": "0.01" if settle else None,
        "precision": {"amount": "1" if settle else "0.0001", "price": "0.1"},
        "limits": {"amount": {"min": "2" if settle else "0.001"}, "cost": {"min": "5"}},
        **changes,
    }


SPOT = market("BTC/USDT", "BTCUSDT")
SWAP = market("BTC/USDT:USDT", "BTCUSDT")
INVERSE = market("BTC/USD:BTC", "BTCUSD")
OTHER = market("ETH/USDT", "ETHUSDT")


def markets(*rows, configured=(), mode=4):
    by_id = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(row)
    made = Markets("okx", configured)
    made.load(
        SimpleNamespace(
            markets={row["symbol"]: row for row in rows}, markets_by_id=by_id, precisionMode=mode
        )
    )
    return made


def test_an_id_is_the_symbol_and_the_venue_in_capitals():
    found = markets(SPOT).find("BTC/USDT")
    assert found.instrument_id == "BTC/USDT.OKX"
    assert (found.tick_size, found.lot_size) == (Decimal("0.1"), Decimal("0.0001"))
    assert (found.min_quantity, found.min_notional) == (Decimal("0.001"), 5)
    assert found.asset_class is AssetClass.CRYPTO
    assert found.venue_symbol == ""


def test_a_perpetual_counts_in_units_of_the_coin():
    found = markets(SWAP).find("BTC/USDT-PERP")
    assert found.instrument_id == "BTC/USDT-PERP.OKX"
    assert found.multiplier == found.lot_size == Decimal("0.01")
    assert found.min_quantity == Decimal("0.02")
    assert found.is_margined


@pytest.mark.parametrize("name", ["BTC/USDT", "BTCUSDT"])
def test_a_name_of_ours_wins_over_the_derived_one(name):
    mine = Instrument(instrument_id=InstrumentId(f"{name}.OKX"))
    made = markets(SPOT, OTHER, configured=(mine,))
    assert made.symbol(mine.instrument_id) == "BTC/USDT"
    assert made.terms("BTC/USDT").instrument_id == mine.instrument_id
    assert made.find("BTC/USDT").instrument_id == mine.instrument_id
    assert made.traded == ("BTC/USDT",)


def test_the_symbol_of_the_venue_can_be_given():
    mine = Instrument(instrument_id=InstrumentId("XBT.OKX"), venue_symbol="BTC/USDT")
    assert markets(SPOT, configured=(mine,)).symbol(mine.instrument_id) == "BTC/USDT"


def test_a_name_that_means_two_things_is_refused_with_both():
    with pytest.raises(VenueRefused, match="BTC/USDT or BTC/USDT:USDT"):
        markets(SPOT, SWAP).find("BTCUSDT")


def test_what_is_not_there_is_refused():
    with pytest.raises(VenueRefused, match="DOGE"):
        markets(SPOT).find("DOGE/USDT")
    with pytest.raises(VenueRefused, match="not traded"):
        markets(SPOT).symbol(InstrumentId("DOGE/USDT.OKX"))


def test_what_settles_in_another_coin_is_not_traded():
    made = markets(INVERSE)
    assert made.terms("BTC/USD:BTC") is None
    with pytest.raises(VenueRefused):
        made.find("BTCUSD")


def test_places_become_steps_and_digits_become_the_finest():
    row = market("BTC/USDT", "BTCUSDT", precision={"amount": "4", "price": "2"})
    assert markets(row, mode=2).find("BTC/USDT").tick_size == Decimal("0.01")
    assert markets(row, mode=3).find("BTC/USDT").tick_size == Decimal("1e-8")

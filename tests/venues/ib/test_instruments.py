"""Contracts and instruments: ids, questions, ambiguity, hours."""

from decimal import Decimal

import pytest

from actors.venues.ib.exchanges import EXCHANGE_OF, MIC_OF
from actors.venues.ib.instruments import (
    derived_id,
    instrument_of,
    market_hours,
    query_for,
    query_for_symbol,
)
from actors.venues.ib.messages import ContractListing, IbContract
from tests.venues.ib.acts import limit, run, trading, watching
from tests.venues.ib.contracts import AAPL, CALL, ES, EURUSD, HOURS, INSTRUMENTS, NEW_YORK
from trading.errors import VenueRefused
from trading.instruments import Instrument
from trading.values import AssetClass, OptionRight


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        ({"sec_type": "STK", "symbol": "AAPL", "primary_exchange": "NASDAQ"}, "AAPL.XNAS"),
        ({"sec_type": "STK", "symbol": "BRK B", "primary_exchange": "NYSE"}, "BRK.B.XNYS"),
        ({"sec_type": "STK", "symbol": "VOD", "primary_exchange": "LSE"}, "VOD.XLON"),
        ({"sec_type": "STK", "symbol": "X", "primary_exchange": "SOME.EX"}, "X.SOMEEX"),
        ({"sec_type": "CASH", "symbol": "EUR", "currency": "USD"}, "EUR/USD.IDEALPRO"),
        ({"sec_type": "FUT", "local_symbol": "ESZ6", "exchange": "CME"}, "ESZ6.XCME"),
        (
            {"sec_type": "OPT", "local_symbol": "AAPL  261218C00110000", "exchange": "SMART"},
            "AAPL261218C00110000.OPRA",
        ),
        ({"sec_type": "BOND", "con_id": 5}, "con5.IB"),
    ],
)
def test_each_contract_has_its_id(contract, expected):
    assert derived_id(IbContract(**contract)) == expected


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("AAPL", {"symbol": "AAPL", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}),
        ("KO.XNYS", {"symbol": "KO", "primary_exchange": "NYSE"}),
        ("BRK.B", {"symbol": "BRK B", "sec_type": "STK"}),
        ("BRK.B.XNYS", {"symbol": "BRK B", "primary_exchange": "NYSE"}),
        ("EUR/USD", {"symbol": "EUR", "sec_type": "CASH", "currency": "USD"}),
        ("EUR/USD.IDEALPRO", {"symbol": "EUR", "sec_type": "CASH", "exchange": "IDEALPRO"}),
        ("ESZ6.XCME", {"local_symbol": "ESZ6", "sec_type": "FUT", "exchange": "CME"}),
        ("265598", {"con_id": 265598}),
        (
            "AAPL261218C00110500",
            {"symbol": "AAPL", "sec_type": "OPT", "expiry": "20261218", "strike": Decimal("110.5")},
        ),
    ],
)
def test_each_symbol_has_its_question(symbol, expected):
    found = query_for_symbol(symbol, "USD")
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("symbol", ["", "A\0B", "x" * 65, "A\nB"])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(VenueRefused):
        query_for_symbol(symbol, "USD")


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: each.instrument_id)
def test_each_configured_instrument_is_found_and_agrees_with_ib(instrument):
    async def story(rig):
        async with watching(rig) as (feed, _):
            listing = await feed.contracts.listing(feed.connection(), instrument.instrument_id)
            found = instrument_of(listing)
            assert found.instrument_id == instrument.instrument_id
            assert found.multiplier == instrument.multiplier
            assert found.tick_size == instrument.tick_size

    assert query_for(instrument)
    run(story)


def test_what_ib_says_of_an_option_is_all_there():
    async def story(rig):
        async with watching(rig) as (feed, _):
            (found,) = await feed.instruments(("AAPL261218C00110000",))
            assert found.instrument_id == CALL
            assert found.asset_class is AssetClass.OPTION
            assert found.lot_size == found.multiplier == 100
            assert (found.underlying, found.expiry) == ("AAPL", "2026-12-18")
            assert (found.strike, found.right) == (Decimal("110.0"), OptionRight.CALL)
            (future, pair) = await feed.instruments(("ESZ6.XCME", "EUR/USD"))
            assert (future.instrument_id, future.is_margined) == (ES, True)
            assert (pair.instrument_id, pair.calendar) == (EURUSD, "24/5")

    run(story)


def test_a_symbol_that_means_several_things_lists_them():
    async def story(rig):
        async with watching(rig) as (feed, _):
            with pytest.raises(VenueRefused) as refusal:
                await feed.instruments(("DUAL",))
            assert refusal.value.venue_code == "AMBIGUOUS"
            assert "conId 38708077" in refusal.value.reason
            assert "NYSE" in refusal.value.reason
            (found,) = await feed.instruments(("DUAL.XNYS",))
            assert found.instrument_id == "DUAL.XNYS"
            (by_number,) = await feed.instruments(("38708077",))
            assert by_number.instrument_id == "DUAL.XNAS"

    run(story)


def test_stocks_priced_in_pence_are_refused_by_name():
    async def story(rig):
        async with watching(rig, currency="GBP") as (feed, _):
            with pytest.raises(VenueRefused, match="1/100"):
                await feed.instruments(("VOD.XLON",))

    run(story)


def test_an_instrument_whose_multiplier_is_configured_wrongly_is_not_traded():
    async def story(rig):
        wrong = Instrument(
            instrument_id=CALL,
            asset_class=AssetClass.OPTION,
            venue_symbol="700000001",
        )
        async with trading(rig) as (port, _):
            port._contracts.configured[CALL] = wrong
            port._contracts._listings.clear()
            with pytest.raises(VenueRefused) as refusal:
                await port.submit(limit(rig, "2.50", 100, instrument_id=CALL))
            assert refusal.value.venue_code == "BAD_INSTRUMENT"
            assert "multiplier is 100" in refusal.value.reason
            assert rig.tws.received[3] == 0

    run(story)


def test_a_position_in_something_that_is_not_configured_is_named_by_ib():
    async def story(rig):
        async with trading(rig) as (port, _):
            port._contracts.configured.clear()
            port._contracts._instruments.clear()
            rig.tws.desk.request(limit(rig, 120, 5, instrument_id=AAPL))
            (position,) = await port.positions(rig.desk.account_id)
            assert (position.instrument_id, position.quantity) == (AAPL, 5)

    run(story)


@pytest.mark.parametrize(
    ("increment", "smallest", "lot", "least"),
    [("0.0001", "0.0001", 1, 1), ("100", "100", 100, 100), ("0", "0", 1, 1)],
)
def test_lots_are_whole_and_at_least_what_ib_asks_for(increment, smallest, lot, least):
    contract = IbContract(sec_type="STK", symbol="7203", primary_exchange="TSEJ", currency="JPY")
    listing = ContractListing(
        contract=contract, size_increment=Decimal(increment), min_size=Decimal(smallest)
    )
    found = instrument_of(listing)
    assert (found.instrument_id, found.lot_size, found.min_quantity) == ("7203.XTKS", lot, least)


def test_hours_are_read_in_the_time_zone_of_the_exchange():
    listing = ContractListing(contract=IbContract(), time_zone=NEW_YORK, liquid_hours=HOURS)
    hours = market_hours(listing)
    assert len(hours.opens) == 2
    assert hours.opens[0] == 1_795_444_200 * 10**9  # 2026-11-23 14:30 UTC
    assert hours.is_open(hours.opens[0])
    assert not hours.is_open(hours.closes[0] + 1)


@pytest.mark.parametrize("text", ["20261123:0930", "x-y", "20261123:0930-20261123:9999"])
def test_hours_that_cannot_be_read_are_refused(text):
    listing = ContractListing(contract=IbContract(), time_zone=NEW_YORK, liquid_hours=text)
    with pytest.raises(VenueRefused):
        market_hours(listing)


def test_every_mic_leads_back_to_an_exchange():
    assert all(MIC_OF[EXCHANGE_OF[mic]] == mic for mic in set(MIC_OF.values()))
    assert EXCHANGE_OF["XNAS"] == "NASDAQ"

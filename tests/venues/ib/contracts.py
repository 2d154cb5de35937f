"""The contracts that the simulator of IB knows."""

from decimal import Decimal

from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import AssetClass, OptionRight

NEW_YORK = "America/New_York"
HOURS = "20261123:0930-20261123:1600;20261124:0930-20261124:1600;20261125:CLOSED"
LONG_HOURS = "20261123:0400-20261123:2000;20261124:0400-20261124:2000;20261125:CLOSED"

AAPL = InstrumentId("AAPL.XNAS")
KO = InstrumentId("KO.XNYS")
EURUSD = InstrumentId("EUR/USD.IDEALPRO")
ES = InstrumentId("ESZ6.XCME")
CALL = InstrumentId("AAPL261218C00110000.OPRA")


def stock(con_id, symbol, exchange, **more):
    return {
        "con_id": con_id,
        "symbol": symbol,
        "sec_type": "STK",
        "strike": "0",
        "exchange": "SMART",
        "currency": "USD",
        "local_symbol": symbol,
        "trading_class": "NMS",
        "market_name": "NMS",
        "primary_exchange": exchange,
        "min_tick": "0.01",
        "long_name": f"{symbol} INC",
        "industry": "Technology",
        "time_zone": NEW_YORK,
        "trading_hours": LONG_HOURS,
        "liquid_hours": HOURS,
        "valid_exchanges": f"SMART,{exchange}",
        **more,
    }


LISTINGS = (
    stock(265598, "AAPL", "NASDAQ"),
    stock(8894, "KO", "NYSE", industry="Consumer, Non-cyclical"),
    stock(72063691, "BRK B", "NYSE"),
    stock(107113386, "META", "NASDAQ"),
    stock(38708077, "DUAL", "NASDAQ"),
    stock(38708078, "DUAL", "NYSE"),
    stock(29612193, "VOD", "LSE", currency="GBP", price_magnifier=100),
    {
        "con_id": 12087792,
        "symbol": "EUR",
        "sec_type": "CASH",
        "strike": "0",
        "exchange": "IDEALPRO",
        "currency": "USD",
        "local_symbol": "EUR.USD",
        "trading_class": "EUR.USD",
        "market_name": "EUR.USD",
        "min_tick": "0.00005",
        "time_zone": NEW_YORK,
        "valid_exchanges": "IDEALPRO",
    },
    {
        "con_id": 495512557,
        "symbol": "ES",
        "sec_type": "FUT",
        "expiry": "20261218",
        "strike": "0",
        "multiplier": "50",
        "exchange": "CME",
        "currency": "USD",
        "local_symbol": "ESZ6",
        "trading_class": "ES",
        "market_name": "ES",
        "min_tick": "0.25",
        "under_symbol": "ES",
        "under_sec_type": "IND",
        "real_expiry": "20261218",
        "time_zone": "US/Central",
        "valid_exchanges": "CME",
    },
    {
        "con_id": 700000001,
        "symbol": "AAPL",
        "sec_type": "OPT",
        "expiry": "20261218",
        "strike": "110.0",
        "right": "C",
        "multiplier": "100",
        "exchange": "SMART",
        "currency": "USD",
        "local_symbol": "AAPL  261218C00110000",
        "trading_class": "AAPL",
        "market_name": "AAPL",
        "min_tick": "0.01",
        "under_con_id": 265598,
        "under_symbol": "AAPL",
        "under_sec_type": "STK",
        "real_expiry": "20261218",
        "time_zone": NEW_YORK,
        "valid_exchanges": "SMART,CBOE,AMEX",
    },
)

INSTRUMENTS = (
    Instrument(instrument_id=AAPL, calendar="XNYS"),
    Instrument(instrument_id=KO, calendar="XNYS"),
    Instrument(
        instrument_id=EURUSD,
        tick_size=Decimal("0.00005"),
        asset_class=AssetClass.FOREX,
        calendar="24/5",
    ),
    Instrument(
        instrument_id=ES,
        tick_size=Decimal("0.25"),
        lot_size=Decimal(50),
        min_quantity=Decimal(50),
        multiplier=Decimal(50),
        asset_class=AssetClass.FUTURE,
        is_margined=True,
        underlying="ES",
        expiry="2026-12-18",
    ),
    Instrument(
        instrument_id=CALL,
        lot_size=Decimal(100),
        min_quantity=Decimal(100),
        multiplier=Decimal(100),
        asset_class=AssetClass.OPTION,
        venue_symbol="AAPL  261218C00110000",
        underlying="AAPL",
        expiry="2026-12-18",
        strike=Decimal(110),
        right=OptionRight.CALL,
    ),
)
PRICES = {AAPL: 100.0, KO: 60.0, EURUSD: 1.1, ES: 600.0, CALL: 2.5}
CON_IDS = {AAPL: 265598, KO: 8894, EURUSD: 12087792, ES: 495512557, CALL: 700000001}


def matching(asked):
    """Return the listings that fit what was asked, as IB's own look-up does."""
    if asked["con_id"] not in ("", "0"):
        return [each for each in LISTINGS if str(each["con_id"]) == asked["con_id"]]
    found = [each for each in LISTINGS if each["sec_type"] == asked["sec_type"]]
    for name in ("symbol", "right", "currency", "local_symbol"):
        if asked[name]:
            found = [each for each in found if each.get(name, "") == asked[name]]
    if asked["expiry"]:
        found = [each for each in found if each.get("expiry", "").startswith(asked["expiry"])]
    if Decimal(asked["strike"] or 0):
        wanted = Decimal(asked["strike"])
        found = [each for each in found if Decimal(each["strike"]) == wanted]
    if asked["exchange"]:
        found = [each for each in found if asked["exchange"] in each["valid_exchanges"].split(",")]
    if asked["primary_exchange"]:
        found = [
            each for each in found if each.get("primary_exchange") == asked["primary_exchange"]
        ]
    return found

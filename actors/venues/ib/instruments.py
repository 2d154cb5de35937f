"""IB's contracts and our instruments: pure functions both ways."""

import re
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from actors.venues.ib.exchanges import (
    CALENDAR_OF,
    EXCHANGE_OF,
    FOREX_EXCHANGE,
    FUTURES_MICS,
    OPTIONS_MIC,
    US_MICS,
    mic_of,
)
from actors.venues.ib.messages import ContractListing, IbContract
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId, instrument_id, symbol_of
from trading.instruments import Instrument
from trading.market_hours import MarketHours
from trading.values import NANOS_PER_SECOND, AssetClass, OptionRight

SMART = "SMART"
_CLASS_OF = {
    "STK": AssetClass.EQUITY,
    "OPT": AssetClass.OPTION,
    "FUT": AssetClass.FUTURE,
    "CASH": AssetClass.FOREX,
}
_TYPE_OF = {kind: sec_type for sec_type, kind in _CLASS_OF.items()}
_RIGHT_OF = {"C": OptionRight.CALL, "P": OptionRight.PUT}
_OCC = re.compile(r"^([A-Z0-9]{1,6})(\d{6})([CP])(\d{8})$")
_PAIR = re.compile(r"^([A-Z]{3})[./]([A-Z]{3})$")
_WHOLE = Decimal(1)
"""IB takes no part of a share or contract through TWS."""


def instrument_of(listing: ContractListing) -> Instrument:
    """Return what IB says of a contract as an instrument.

    Raises
    ------
    VenueRefused
        If it is of a kind that is not traded here, or priced in parts of its currency.
    """
    contract = listing.contract
    kind = _CLASS_OF.get(contract.sec_type)
    if kind is None:
        raise VenueRefused("UNKNOWN_INSTRUMENT", f"{describe(contract)}: no such kind is traded")
    if kind is AssetClass.EQUITY and listing.price_magnifier != 1:
        reason = f"{describe(contract)}: quoted in 1/{listing.price_magnifier} of its currency"
        raise VenueRefused("UNKNOWN_INSTRUMENT", reason)
    multiplier = units_per_contract(listing)
    key = derived_id(contract)
    own = contract.local_symbol or contract.symbol
    return Instrument(
        instrument_id=key,
        tick_size=listing.min_tick if listing.min_tick > 0 else Decimal("0.01"),
        lot_size=max(listing.size_increment, _WHOLE) * multiplier,
        min_quantity=max(listing.min_size, _WHOLE) * multiplier,
        currency=contract.currency,
        sector=listing.industry.lower(),
        asset_class=kind,
        multiplier=multiplier,
        is_margined=kind is AssetClass.FUTURE,
        calendar=CALENDAR_OF.get(key.rpartition(".")[2], ""),
        venue_symbol="" if own == symbol_of(key) else own,
        underlying=listing.under_symbol or (contract.symbol if _is_derived(kind) else ""),
        expiry=_iso_day(listing.real_expiry or contract.expiry),
        strike=contract.strike if kind is AssetClass.OPTION else None,
        right=_RIGHT_OF.get(contract.right) if kind is AssetClass.OPTION else None,
    )


def units_per_contract(listing: ContractListing) -> Decimal:
    """Return how many units, of what IB prices, one contract is."""
    text = listing.contract.multiplier
    units = Decimal(text) if text and text.replace(".", "", 1).isdigit() else Decimal(1)
    units = units / listing.price_magnifier
    return units if units > 0 else Decimal(1)


def derived_id(contract: IbContract) -> InstrumentId:
    """Return the id of a contract that is not configured.

    Stocks are `SYMBOL.<MIC of the primary listing>`, futures and options `<local symbol>.<MIC>`, currency
    pairs `EUR/USD.IDEALPRO`.
    """
    if contract.sec_type == "CASH":
        return instrument_id(f"{contract.symbol}/{contract.currency}", FOREX_EXCHANGE)
    name = contract.local_symbol or contract.symbol or f"con{contract.con_id}"
    place = contract.primary_exchange or contract.exchange or "IB"
    if contract.sec_type == "OPT" and place in (SMART, "IB"):
        return instrument_id(name.replace(" ", ""), OPTIONS_MIC)
    if contract.sec_type == "STK":
        mic = mic_of(place)
        share = contract.symbol or name
        return instrument_id(share.replace(" ", "." if mic in US_MICS else "-"), mic)
    return instrument_id(name.replace(" ", ""), mic_of(place))


def query_for(instrument: Instrument) -> IbContract:
    """Return the question that finds a configured instrument."""
    symbol, _, place = instrument.instrument_id.rpartition(".")
    own = instrument.venue_symbol
    if own.isdigit():
        return IbContract(con_id=int(own))
    kind = instrument.asset_class
    sec_type = _TYPE_OF.get(kind)
    if sec_type is None:
        reason = f"{instrument.instrument_id}: {kind} is not traded here"
        raise VenueRefused("UNKNOWN_INSTRUMENT", reason)
    if kind is AssetClass.FOREX:
        return _pair_query(own or symbol)
    if kind is AssetClass.EQUITY:
        return _stock_query(own or symbol, place, instrument.currency)
    if own and kind is AssetClass.FUTURE:
        exchange = EXCHANGE_OF.get(place, place)
        return IbContract(local_symbol=own, sec_type=sec_type, exchange=exchange)
    if instrument.expiry:
        return _dated_query(instrument, sec_type, place)
    return query_for_symbol(f"{own or symbol}.{place}", instrument.currency)


def query_for_symbol(symbol: str, currency: str) -> IbContract:
    """Return the question that finds a symbol.

    `AAPL`, `AAPL.XNAS`, `EUR/USD`, `ESZ6.XCME` (the local symbol of a future), `AAPL261218C00250000` (OCC), or
    `265598` (IB's contract number).

    Raises
    ------
    VenueRefused
        If it is none of these.
    """
    if not symbol.isprintable() or not symbol or len(symbol) > 64:
        raise VenueRefused("UNKNOWN_INSTRUMENT", f"{symbol[:64]!r} is not a symbol")
    if symbol.isdigit():
        return IbContract(con_id=int(symbol))
    name, _, place = symbol.rpartition(".")
    if not name or place not in CALENDAR_OF.keys() | EXCHANGE_OF.keys():
        name, place = symbol, ""
    if place == FOREX_EXCHANGE or _PAIR.match(name):
        return _pair_query(name)
    if place in FUTURES_MICS:
        return IbContract(local_symbol=name, sec_type="FUT", exchange=EXCHANGE_OF[place])
    option = _OCC.match(name)
    if option is not None:
        root, day, right, strike = option.groups()
        return IbContract(
            symbol=root,
            sec_type="OPT",
            expiry=f"20{day}",
            right=right,
            strike=Decimal(strike) / 1000,
            exchange=SMART,
            currency=currency,
        )
    return _stock_query(name, place, currency)


def describe(contract: IbContract) -> str:
    """Return a contract as one line for people."""
    parts = (
        f"conId {contract.con_id}" if contract.con_id else "",
        contract.sec_type,
        contract.local_symbol or contract.symbol,
        contract.expiry,
        contract.primary_exchange or contract.exchange,
        contract.currency,
    )
    return " ".join(part for part in parts if part)


def market_hours(listing: ContractListing, *, is_liquid: bool = True) -> MarketHours:
    """Return the sessions that IB announces (about a week).

    Parameters
    ----------
    is_liquid : bool
        Regular sessions alone; otherwise those before the open and after the close too.

    Raises
    ------
    VenueRefused
        If they cannot be read.
    """
    text = listing.liquid_hours if is_liquid else listing.trading_hours
    spans = [span for span in text.split(";") if span and "CLOSED" not in span]
    try:
        zone = ZoneInfo(listing.time_zone)
        bounds = [tuple(_moment(end, zone) for end in span.split("-")) for span in spans]
        opens, closes = zip(*bounds, strict=True) if bounds else ((), ())
        return MarketHours(opens=opens, closes=closes)
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        reason = f"the hours of {describe(listing.contract)} cannot be read: {error}"
        raise VenueRefused("BAD_HOURS", reason) from None


def _is_derived(kind: AssetClass) -> bool:
    return kind in (AssetClass.OPTION, AssetClass.FUTURE)


def _stock_query(symbol: str, place: str, currency: str) -> IbContract:
    is_american = place in US_MICS or (not place and currency == "USD")
    return IbContract(
        symbol=symbol.replace(".", " ") if is_american else symbol.replace("-", " "),
        sec_type="STK",
        exchange=SMART,
        primary_exchange=EXCHANGE_OF.get(place, place),
        currency=currency,
    )


def _pair_query(pair: str) -> IbContract:
    found = _PAIR.match(pair)
    if found is None:
        raise VenueRefused("UNKNOWN_INSTRUMENT", f"{pair!r} is not a pair like EUR/USD")
    base, quote = found.groups()
    return IbContract(symbol=base, sec_type="CASH", exchange=FOREX_EXCHANGE, currency=quote)


def _dated_query(instrument: Instrument, sec_type: str, place: str) -> IbContract:
    is_option = sec_type == "OPT"
    exchange = SMART if place == OPTIONS_MIC else EXCHANGE_OF.get(place, place)
    return IbContract(
        symbol=instrument.underlying,
        sec_type=sec_type,
        expiry=instrument.expiry.replace("-", ""),
        strike=(instrument.strike or Decimal(0)) if is_option else Decimal(0),
        right=(instrument.right or " ")[0].strip() if is_option else "",
        exchange=exchange,
        currency=instrument.currency,
    )


def _iso_day(text: str) -> str:
    if len(text) >= 8 and text[:8].isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return ""


def _moment(text: str, zone: ZoneInfo) -> int:
    naive = datetime.strptime(text.strip(), "%Y%m%d:%H%M")  # noqa: DTZ007  # zone on the next line
    return int(naive.replace(tzinfo=zone).timestamp()) * NANOS_PER_SECOND

"""What Alpaca calls things, and what we call them."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import quote

from actors.venues.alpaca.failures import NOT_FOUND_CODES
from actors.venues.alpaca.http import RestChannel
from actors.venues.alpaca.messages import Asset, Contract
from actors.venues.alpaca.wire import number, required, shaped
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import InstrumentId, instrument_id, symbol_of
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.values import ZERO, AssetClass, OptionRight

MICS: Mapping[str, str] = MappingProxyType(
    {
        "NASDAQ": "XNAS",
        "NYSE": "XNYS",
        "ARCA": "ARCX",
        "NYSEARCA": "ARCX",
        "AMEX": "XASE",
        "BATS": "BATS",
        "OTC": "OTCM",
    }
)
"""Market identifier codes (ISO 10383) of the exchanges that Alpaca names as primary listings."""
COINS = "ALPACA"
OPTIONS = "OPRA"
"""Options are listed on all exchanges; the tape that they report to stands for them."""
_OCC = re.compile(r"([A-Z0-9.]{1,6}?)(\d{6})([CP])(\d{8})")
_CENT = Decimal("0.01")
_FRACTION = Decimal("0.000000001")
_DOLLAR = Decimal(1)


class InstrumentTable:
    """Instruments by the venue's symbol and by our id; configured ones win, others are looked up once.

    Crypto is found under `BTC/USD` and `BTCUSD`: orders use the one, positions the other.
    """

    def __init__(
        self, configured: Iterable[Instrument], rest: RestChannel, *, fractional: bool = False
    ) -> None:
        self._rest = rest
        self._fractional = fractional
        self._by_symbol: dict[str, Instrument] = {}
        self._by_id: dict[InstrumentId, Instrument] = {}
        for each in configured:
            self._add(each)

    def holds(self, kind: AssetClass) -> bool:
        """Say whether anything of this class was configured or seen."""
        return any(each.asset_class is kind for each in self._by_id.values())

    async def of_symbol(self, symbol: str) -> Instrument:
        """Return what the venue calls `symbol`.

        An option that the venue has forgotten is read from its symbol; a stock, listed nowhere any more, keeps a
        place under the venue's own name.
        """
        found = self._by_symbol.get(symbol)
        if found is None:
            found = await self._read(symbol)
            if found is None:
                found = expired_option(symbol) or Instrument(
                    instrument_id=instrument_id(symbol, COINS), is_shortable=False
                )
            self._add(found)
        return found

    async def of_id(self, key: InstrumentId) -> Instrument:
        """Return the instrument that we call `key`.

        Raises
        ------
        VenueRefused
            If the venue does not list it, or under another id.
        """
        found = self._by_id.get(key)
        if found is None:
            found = await self.listed(symbol_of(key))
            if found.instrument_id != key:
                raise _unknown(f"{key} is not known at Alpaca; it lists {found.instrument_id}")
        return found

    async def listed(self, symbol: str) -> Instrument:
        """Return what the venue says of a symbol now.

        Raises
        ------
        VenueRefused
            If it does not know the symbol, or does not trade it.
        """
        found = await self._read(symbol)
        if found is None:
            raise _unknown(f"Alpaca knows no {symbol}")
        configured = self._by_symbol.get(found.venue_symbol or symbol)
        if configured is not None:
            return configured
        self._add(found)
        return found

    async def _read(self, symbol: str) -> Instrument | None:
        path = "options/contracts" if _OCC.fullmatch(symbol) else "assets"
        try:
            raw = await self._rest.get(f"/{path}/{quote(symbol, safe='')}")
        except VenueRefused as error:
            if error.venue_code in NOT_FOUND_CODES:
                return None
            raise
        if path == "assets":
            return asset_instrument(shaped(raw, Asset), fractional=self._fractional)
        return contract_instrument(shaped(raw, Contract))

    def _add(self, each: Instrument) -> None:
        symbol = venue_symbol(each)
        self._by_id[each.instrument_id] = each
        self._by_symbol[symbol] = each
        if each.asset_class is AssetClass.CRYPTO:
            self._by_symbol[symbol.replace("/", "")] = each


def venue_symbol(instrument: Instrument) -> str:
    """Return what the venue calls an instrument."""
    return instrument.venue_symbol or symbol_of(instrument.instrument_id)


def asset_instrument(asset: Asset, *, fractional: bool = False) -> Instrument:
    """Return a stock or a coin as an instrument; stocks in whole shares unless `fractional`.

    Raises
    ------
    VenueRefused
        If the venue lists it but does not trade it.
    OutcomeUnknown
        If the venue's answer makes no sense.
    """
    if not asset.tradable:
        raise _unknown(f"{asset.symbol} cannot be traded at Alpaca")
    is_coin = asset.asset_class == "crypto"
    step = number(asset.min_trade_increment)
    is_split = fractional and asset.fractionable
    lot = step or (_FRACTION if is_split else Decimal(1))
    mic = COINS if is_coin else MICS.get(asset.exchange, COINS)
    try:
        return Instrument(
            instrument_id=instrument_id(asset.symbol, mic),
            tick_size=number(asset.price_increment) or _CENT,
            lot_size=lot,
            min_quantity=number(asset.min_order_size) or lot,
            currency=asset.symbol.rpartition("/")[2] if is_coin else "USD",
            min_notional=_DOLLAR if is_coin or is_split else ZERO,
            asset_class=AssetClass.CRYPTO if is_coin else AssetClass.EQUITY,
            is_shortable=asset.shortable and asset.easy_to_borrow,
            calendar="24/7" if is_coin else "XNYS",
        )
    except ValueError as error:
        raise OutcomeUnknown(f"Alpaca's listing makes no sense: {error}") from error


def contract_instrument(contract: Contract) -> Instrument:
    """Return an option contract as an instrument; quantities are shares of the underlying.

    Raises
    ------
    OutcomeUnknown
        If the venue's answer makes no sense.
    """
    size = required(contract.size, "size")
    try:
        return Instrument(
            instrument_id=instrument_id(contract.symbol, OPTIONS),
            lot_size=size,
            min_quantity=size,
            asset_class=AssetClass.OPTION,
            multiplier=size,
            calendar="XNYS",
            underlying=contract.underlying_symbol,
            expiry=contract.expiration_date,
            strike=required(contract.strike_price, "strike_price"),
            right=OptionRight.CALL if contract.type == "call" else OptionRight.PUT,
        )
    except ValueError as error:
        raise OutcomeUnknown(f"Alpaca's contract makes no sense: {error}") from error


def expired_option(symbol: str) -> Instrument | None:
    """Return an option that only its symbol is left of (100 shares a contract); None when it is no option."""
    match = _OCC.fullmatch(symbol)
    if match is None:
        return None
    root, day, right, strike = match.groups()
    return contract_instrument(
        Contract(
            symbol=symbol,
            underlying_symbol=root,
            expiration_date=f"20{day[:2]}-{day[2:4]}-{day[4:]}",
            strike_price=str(Decimal(strike) / 1_000),
            type="call" if right == "C" else "put",
        )
    )


def _unknown(reason: str) -> VenueRefused:
    return VenueRefused(RefusalCode.RISK_UNKNOWN_INSTRUMENT, reason)

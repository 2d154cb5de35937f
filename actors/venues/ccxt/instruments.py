"""Markets of ccxt and our instruments: which is which, and how big a contract is."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

import msgspec

from trading.errors import VenueRefused
from trading.identifiers import InstrumentId, instrument_id, symbol_of
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.values import ZERO, AssetClass

CONTINUOUS = "24/7"
_DECIMAL_PLACES = 2
_TICK_SIZE = 4
_FINEST = Decimal("1e-8")
"""For exchanges that count significant digits and so have no fixed tick."""


class Terms(msgspec.Struct, frozen=True):
    """What the parser needs to know of one market.

    Attributes
    ----------
    cash : str
        Currency that is paid in: the quote of a spot market, the settlement currency of a perpetual.
    contract_size : Decimal
        Units per contract; 1 for spot.
    """

    symbol: str
    instrument_id: InstrumentId
    base: str
    cash: str
    contract_size: Decimal = Decimal(1)
    is_margined: bool = False


class Markets:
    """The markets of one exchange under our names.

    Parameters
    ----------
    venue : str
        Name of the venue in the cluster; derived ids end with it, in capitals.
    configured : iterable of Instrument
        Their ids win over derived ones.
    """

    def __init__(self, venue: str, configured: Iterable[Instrument]) -> None:
        self._venue = venue.upper().replace(".", "_")
        self._configured = tuple(configured)
        self._ids: dict[str, InstrumentId] = {}
        self._symbols: dict[InstrumentId, str] = {}
        self._markets: Mapping[str, Mapping[str, Any]] = {}
        self._precision_mode = _TICK_SIZE

    def load(self, exchange: Any) -> None:
        """Take over what a ccxt exchange has loaded."""
        self._markets = exchange.markets or {}
        self._precision_mode = exchange.precisionMode
        by_id = exchange.markets_by_id or {}
        for each in self._configured:
            symbol = self._symbol_of(each, by_id)
            if symbol:
                self._symbols[each.instrument_id] = symbol
                self._ids[symbol] = each.instrument_id

    @property
    def is_loaded(self) -> bool:
        return bool(self._markets)

    @property
    def traded(self) -> tuple[str, ...]:
        """The exchange's symbols of the configured instruments."""
        return tuple(self._ids)

    def symbol(self, instrument: InstrumentId) -> str:
        """Return the exchange's symbol.

        Raises
        ------
        VenueRefused
            If the exchange has no such market.
        """
        known = self._symbols.get(instrument) or self._derived_symbol(instrument)
        if known not in self._markets:
            raise VenueRefused(
                RefusalCode.RISK_UNKNOWN_INSTRUMENT, f"{instrument} is not traded there"
            )
        return known

    def terms(self, symbol: str | None) -> Terms | None:
        """Return what is known of a market; None for one that we cannot trade (inverse, option ...)."""
        market = self._markets.get(symbol or "")
        if market is None or not _is_tradable(market):
            return None
        return Terms(
            symbol=str(symbol),
            instrument_id=self._id(market),
            base=str(market["base"]),
            cash=str(market["settle"] or market["quote"]),
            contract_size=_contract_size(market),
            is_margined=bool(market["swap"]),
        )

    def find(self, name: str) -> Instrument:
        """Return the instrument that `name` means: a symbol of ccxt or of the exchange, or the symbol of our id.

        Raises
        ------
        VenueRefused
            If there is none, or more than one.
        """
        wanted = [
            symbol
            for symbol, market in self._markets.items()
            if _is_tradable(market) and name in self._names(symbol, market)
        ]
        if len(wanted) == 1:
            return self.describe(wanted[0])
        if not wanted:
            raise VenueRefused(RefusalCode.RISK_UNKNOWN_INSTRUMENT, f"{name} is not traded there")
        raise VenueRefused("AMBIGUOUS_SYMBOL", f"{name} may be {' or '.join(wanted)}")

    def describe(self, symbol: str) -> Instrument:
        """Return what the exchange says of a market."""
        market = self._markets[symbol]
        size = _contract_size(market)
        lot = self._step(market["precision"].get("amount")) * size
        limits = market.get("limits") or {}
        return Instrument(
            instrument_id=self._id(market),
            tick_size=self._step(market["precision"].get("price")),
            lot_size=lot,
            min_quantity=_number((limits.get("amount") or {}).get("min"), ZERO) * size or lot,
            min_notional=_number((limits.get("cost") or {}).get("min"), ZERO),
            currency=str(market["settle"] or market["quote"]),
            asset_class=AssetClass.PERPETUAL if market["swap"] else AssetClass.CRYPTO,
            multiplier=size,
            is_margined=bool(market["swap"]),
            is_shortable=bool(market["swap"]),
            calendar=CONTINUOUS,
            venue_symbol="" if symbol == symbol_of(self._id(market)) else symbol,
        )

    # -- names

    def _symbol_of(self, each: Instrument, by_id: Mapping[str, Any]) -> str:
        for name in (each.venue_symbol, symbol_of(each.instrument_id)):
            if name in self._markets:
                return name
            named = [str(m["symbol"]) for m in by_id.get(name, ()) if _is_tradable(m)]
            if named:
                return named[0]
        return self._derived_symbol(each.instrument_id)

    def _id(self, market: Mapping[str, Any]) -> InstrumentId:
        symbol = str(market["symbol"])
        return self._ids.get(symbol) or instrument_id(_our_symbol(market), self._venue)

    def _derived_symbol(self, instrument: InstrumentId) -> str:
        name = symbol_of(instrument)
        if not name.endswith("-PERP"):
            return name
        pair = name.removesuffix("-PERP")
        return f"{pair}:{pair.partition('/')[2]}"

    def _names(self, symbol: str, market: Mapping[str, Any]) -> set[str]:
        return {symbol, str(market["id"]), symbol_of(self._id(market)), _our_symbol(market)}

    def _step(self, precision: Any) -> Decimal:
        value = _number(precision, _FINEST)
        if self._precision_mode == _DECIMAL_PLACES:
            return Decimal(1).scaleb(-int(value))
        return value if self._precision_mode == _TICK_SIZE and value > 0 else _FINEST


def _our_symbol(market: Mapping[str, Any]) -> str:
    pair = f"{market['base']}/{market['quote']}"
    return f"{pair}-PERP" if market["swap"] else pair


def _is_tradable(market: Mapping[str, Any]) -> bool:
    """Spot, and perpetuals that settle in the currency of their price."""
    if market.get("swap"):
        return bool(market.get("linear")) and market.get("settle") == market.get("quote")
    return bool(market.get("spot"))


def _contract_size(market: Mapping[str, Any]) -> Decimal:
    return _number(market.get("contractSize"), Decimal(1)) if market.get("swap") else Decimal(1)


def _number(value: Any, otherwise: Decimal) -> Decimal:
    try:
        found = otherwise if value is None else Decimal(str(value))
    except DecimalException:
        return otherwise
    return found if found.is_finite() else otherwise

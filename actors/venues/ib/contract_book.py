"""Which contract of IB is which instrument of ours: asked once, then known."""

import logging
from collections.abc import Iterable
from typing import Any

from ib_async.contract import Contract

from actors.venues.ib import decode
from actors.venues.ib.connection import Connection
from actors.venues.ib.instruments import (
    derived_id,
    describe,
    instrument_of,
    query_for,
    query_for_symbol,
)
from actors.venues.ib.messages import ContractListing, IbContract
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.identifiers import InstrumentId
from trading.instruments import Instrument

log = logging.getLogger(__name__)

CANDIDATES_SHOWN = 8


class ContractBook:
    """Contracts by instrument and instruments by contract. Configured instruments win over derived ones.

    Parameters
    ----------
    configured : tuple of Instrument
    currency : str
        Of symbols that do not say theirs.
    """

    def __init__(self, configured: tuple[Instrument, ...], currency: str) -> None:
        self.configured = {each.instrument_id: each for each in configured}
        self._currency = currency
        self._listings: dict[InstrumentId, ContractListing] = {}
        self._instruments: dict[int, Instrument] = {}

    def known(self, contract: IbContract) -> Instrument | None:
        """Return the instrument of a contract that was asked for before."""
        return self._instruments.get(contract.con_id)

    async def load(self, connection: Connection) -> None:
        """Look up the configured instruments; one that IB does not know is logged, and refused when it is traded."""
        for instrument in self.configured.values():
            try:
                await self.listing(connection, instrument.instrument_id)
            except (VenueRefused, OutcomeUnknown) as error:
                log.warning("%s cannot be traded: %s", instrument.instrument_id, error)

    async def listing(self, connection: Connection, key: InstrumentId) -> ContractListing:
        """Return the one contract of an instrument.

        Raises
        ------
        VenueRefused
            If IB knows none, or more than one; the reason lists the candidates.
        """
        found = self._listings.get(key)
        if found is None:
            configured = self.configured.get(key)
            if configured is None:
                found = await find_one(connection, query_for_symbol(key, self._currency), key)
            else:
                found = await find_one(connection, query_for(configured), key)
                _check_agreement(configured, instrument_of(found))
            self._remember(found, configured, key)
        return found

    async def instrument(self, connection: Connection, key: InstrumentId) -> Instrument:
        """Return an instrument by its id; see `listing`."""
        return self._instruments[(await self.listing(connection, key)).contract.con_id]

    async def of(self, connection: Connection | None, contract: IbContract) -> Instrument:
        """Return the instrument of a contract that TWS named.

        When IB does not describe it any more (it may have expired), its id is made from what TWS said.
        """
        found = self._instruments.get(contract.con_id)
        if found is not None:
            return found
        try:
            if connection is None:
                raise VenueUnreachable("TWS is not connected")
            query = IbContract(con_id=contract.con_id)
            found = instrument_of(await find_one(connection, query, describe(contract)))
        except VenueError as error:
            log.warning("%s is named by what TWS says of it: %s", describe(contract), error)
            return _from_wire(contract)
        self._instruments[contract.con_id] = found
        return found

    async def search(
        self, connection: Connection, symbols: Iterable[str]
    ) -> tuple[Instrument, ...]:
        """Return what IB says of symbols; see `query_for_symbol`."""
        found = []
        for symbol in symbols:
            query = query_for_symbol(symbol, self._currency)
            listing = await find_one(connection, query, symbol)
            instrument = self._instruments.get(listing.contract.con_id) or instrument_of(listing)
            self._remember(listing, instrument, instrument.instrument_id)
            found.append(instrument)
        return tuple(found)

    def _remember(
        self, listing: ContractListing, instrument: Instrument | None, key: InstrumentId
    ) -> None:
        self._instruments[listing.contract.con_id] = (
            instrument_of(listing) if instrument is None else instrument
        )
        self._listings[key] = listing


async def find_one(connection: Connection, query: IbContract, name: str) -> ContractListing:
    """Return the only contract that fits `query`.

    Raises
    ------
    VenueRefused
        If there is none, or more than one; the reason lists the candidates.
    """
    rows = await connection.ask("reqContractDetails", to_library(query))
    found = [decode.listing(row[0]) for row in rows]
    if len(found) == 1:
        return found[0]
    if not found:
        raise VenueRefused("200", f"IB knows no {name}")
    shown = "; ".join(describe(each.contract) for each in found[:CANDIDATES_SHOWN])
    more = f"; and {len(found) - CANDIDATES_SHOWN} more" if len(found) > CANDIDATES_SHOWN else ""
    raise VenueRefused("AMBIGUOUS", f"{name} means {len(found)} contracts: {shown}{more}")


def to_library(contract: IbContract) -> Any:
    """Return our contract as the library's."""
    return Contract(
        conId=contract.con_id,
        symbol=contract.symbol,
        secType=contract.sec_type,
        lastTradeDateOrContractMonth=contract.expiry,
        strike=contract.strike or 0.0,
        right=contract.right,
        multiplier=contract.multiplier,
        exchange=contract.exchange,
        primaryExchange=contract.primary_exchange,
        currency=contract.currency,
        localSymbol=contract.local_symbol,
        tradingClass=contract.trading_class,
    )


def _check_agreement(ours: Instrument, theirs: Instrument) -> None:
    """Refuse a configured instrument whose quantities or prices would mean something else at IB."""
    for name in ("asset_class", "currency", "multiplier"):
        mine, its = getattr(ours, name), getattr(theirs, name)
        if mine != its:
            reason = f"{ours.instrument_id}: {name} is {its} at IB, and {mine} in the configuration"
            raise VenueRefused("BAD_INSTRUMENT", reason)


def _from_wire(contract: IbContract) -> Instrument:
    listing = ContractListing(contract=contract)
    try:
        return instrument_of(listing)
    except VenueRefused:
        return Instrument(instrument_id=derived_id(contract), currency=contract.currency or "USD")

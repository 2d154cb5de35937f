"""What the venue's symbols mean here."""

from actors.venues.fix.dialect import Dialect
from actors.venues.fix.messages import Fields
from trading.errors import OutcomeUnknown
from trading.identifiers import InstrumentId, Venue, instrument_id, symbol_of
from trading.instruments import Instrument


class InstrumentNames:
    """The configured instruments, by our id and by the venue's symbol.

    A symbol that is not configured gets an id made of it and of the exchange that the message names,
    or else of the venue's name.
    """

    def __init__(self, instruments: tuple[Instrument, ...], venue: Venue, dialect: Dialect) -> None:
        self.by_id = {each.instrument_id: each for each in instruments}
        self._venue = venue.upper().replace(".", "_")
        self._tag = dialect.symbols.exchange_tag
        self._mics = {name: mic for mic, name in dialect.symbols.exchanges.items()}
        self._by_symbol: dict[str, list[InstrumentId]] = {}
        for key, each in self.by_id.items():
            symbol = each.venue_symbol or symbol_of(key)
            self._by_symbol.setdefault(symbol, []).append(key)

    def of(self, fields: Fields) -> Instrument:
        """Return what a message is about.

        Raises
        ------
        OutcomeUnknown
            If it names no symbol.
        """
        symbol = fields.get(55, "")
        if not symbol:
            raise OutcomeUnknown("the venue sent a report without a symbol")
        exchange = fields.get(self._tag, "")
        mic = self._mics.get(exchange, exchange)
        candidates = self._by_symbol.get(symbol, [])
        named = [key for key in candidates if key.rpartition(".")[2] == mic]
        for key in (*named, *candidates):
            return self.by_id[key]
        place = mic.replace(".", "_") or self._venue
        return Instrument(instrument_id=instrument_id(symbol, place))

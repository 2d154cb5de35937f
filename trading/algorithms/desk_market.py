"""What a desk sees of its venues: tops of books, levels that were asked for, and why a venue must not be used."""

from collections.abc import Iterable
from decimal import Decimal

from trading.algorithms.desk_config import ExecutionDeskConfig
from trading.algorithms.parameters import Listing
from trading.data import BookSnapshot, BookTop
from trading.identifiers import InstrumentId, MachineName, Venue, machine_name
from trading.instruments import Instrument
from trading.routing.quotes import Level, Sides, VenueQuote
from trading.values import NANOS_PER_SECOND, OrderSide

_FEED = "feed:"
LEVELS_MAX = 25
"""Levels of a side that are looked at: what is deeper hardly matters, and costs time."""


class DeskMarket:
    """Volatile: the books tell it all again after a restart.

    Whether an account is halted is not looked at: its risk manager refuses the next child by name, and the
    algorithm leaves the venue out for a while.
    """

    def __init__(self, config: ExecutionDeskConfig) -> None:
        self._max_age_ns = config.max_age_ns
        self._instruments = config.instruments
        self._fees = {(one.venue, one.account_id): one.fees for one in config.accounts}
        self._tops: dict[tuple[Venue, InstrumentId], tuple[BookTop | BookSnapshot, Sides]] = {}
        self._by_instrument: dict[InstrumentId, list[Listing]] = {}
        for listing in self._instruments:
            self._by_instrument.setdefault(listing.instrument_id, []).append(listing)
        self._down: set[MachineName] = set()
        self.market_time = 0

    # -- what changes it

    def link(self, peer: MachineName, *, is_up: bool) -> None:
        """A connection came up or was lost; one that nobody spoke of counts as up."""
        (self._down.discard if is_up else self._down.add)(peer)

    def take(self, top: BookTop) -> list[Listing]:
        """Take a top over; return the listings that it is about, none when it makes no sense.

        One instrument may trade at several venues: the correlation says whose feed it came from.
        """
        listings = self._by_instrument.get(top.instrument_id, [])
        venue = top.correlation_id.removeprefix(_FEED).partition("/")[0]
        if len({listing.venue for listing in listings}) > 1:
            listings = [listing for listing in listings if listing.venue == venue]
        if not listings:
            return []
        bids, asks = ((top.bid_px, top.bid_size),), ((top.ask_px, top.ask_size),)
        sides = _sides(bids, asks, self._instruments[listings[0]])
        if sides is None or not self._keep(listings[0].venue, top, sides):
            return []
        return listings

    def take_book(self, venue: Venue, book: BookSnapshot) -> Sides | None:
        """Return the levels of a book that was asked for; None when it makes no sense.

        If nothing newer is known, its best levels are the top from now on.
        """
        listings = self._by_instrument.get(book.instrument_id, [])
        instrument = next((self._instruments[one] for one in listings if one.venue == venue), None)
        if instrument is None:
            return None
        sides = _sides(book.bids[:LEVELS_MAX], book.asks[:LEVELS_MAX], instrument)
        if sides is not None:
            self._keep(venue, book, (sides[0][:1], sides[1][:1]))
        return sides

    def _keep(self, venue: Venue, source: BookTop | BookSnapshot, top: Sides) -> bool:
        """Keep what is newer; a book that was sent can overtake the tops that were published before it."""
        key = (venue, source.instrument_id)
        known = self._tops.get(key)
        if known is not None:
            last = known[0]
            if source.sequence < last.sequence and source.ts_init <= last.ts_init:
                return False
        self._tops[key] = (source, top)
        self.market_time = max(self.market_time, source.ts_event)
        return True

    # -- what it says

    def quotes(self, listings: tuple[Listing, ...], now: int) -> tuple[VenueQuote, ...]:
        return tuple(self.quote(listing, now) for listing in listings)

    def quote(self, listing: Listing, now: int, book: Sides = ((), ())) -> VenueQuote:
        """Return the newest top with what `book` shows behind it, and why it must not be used, if so."""
        known = self._tops.get((listing.venue, listing.instrument_id))
        bids, asks = ((), ()) if known is None else known[1]
        return VenueQuote(
            listing=listing,
            instrument=self._instruments[listing],
            bids=_with_depth(OrderSide.BUY, bids, book[0]),
            asks=_with_depth(OrderSide.SELL, asks, book[1]),
            fees=self._fees[listing.venue, listing.account_id],
            unavailable=self._unavailable(listing, None if known is None else known[0], now),
        )

    def is_reachable(self, listing: Listing) -> bool:
        """Return False while the risk manager of the account is down: its book is of no use."""
        return machine_name("risk", listing.account_id) not in self._down

    def causes(self, listing: Listing) -> tuple[int, str]:
        """Return host time and correlation of the newest top: where a child comes from."""
        known = self._tops.get((listing.venue, listing.instrument_id))
        return (0, "") if known is None else (known[0].ts_init, known[0].correlation_id)

    def view(self, now: int) -> dict[str, str]:
        """Return each listing with why it is left out, or an empty text."""
        return {
            f"{one.instrument_id} at {one.venue} with {one.account_id}": self.quote(
                one, now
            ).unavailable
            for one in self._instruments
        }

    def _unavailable(self, listing: Listing, top: BookTop | BookSnapshot | None, now: int) -> str:
        if not self.is_reachable(listing):
            return f"the risk manager of {listing.account_id} is down"
        if top is None:
            return "there is no book"
        age = now - top.ts_init
        if age > self._max_age_ns:
            return f"the book is {Decimal(age) / NANOS_PER_SECOND:.1f} s old"
        return ""


def _sides(
    bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]], instrument: Instrument
) -> Sides | None:
    """Return bids and asks on the grids; None for a book that no order may be decided on."""
    try:
        sides = _on_grid(bids, instrument), _on_grid(asks, instrument)
    except ValueError:
        return None
    is_crossed = sides[0] and sides[1] and sides[0][0][0] > sides[1][0][0]
    return None if is_crossed else sides


def _on_grid(levels: Iterable[tuple[float, float]], instrument: Instrument) -> tuple[Level, ...]:
    return tuple((instrument.price(price), instrument.quantity(size)) for price, size in levels)


def _with_depth(
    side: OrderSide, top: tuple[Level, ...], levels: tuple[Level, ...]
) -> tuple[Level, ...]:
    """Return a top and the levels behind it: what a book said of better prices was true before."""
    if not top:
        return ()
    best = side.sign * top[0][0]
    return top + tuple(level for level in levels if side.sign * level[0] < best)

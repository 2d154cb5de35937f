"""What a desk sees of its venues: the tops of the books, and why a venue must not be used."""

from decimal import Decimal

from trading.algorithms.desk_config import ExecutionDeskConfig
from trading.algorithms.parameters import Listing
from trading.data import BookTop
from trading.identifiers import InstrumentId, MachineName, Venue, machine_name
from trading.instruments import Instrument
from trading.routing.quotes import Level, VenueQuote
from trading.values import NANOS_PER_SECOND

_FEED = "feed:"


class DeskMarket:
    """Volatile: the books tell it all again after a restart.

    Whether an account is halted is not looked at: its risk manager refuses the next child by name, and the
    algorithm leaves the venue out for a while.
    """

    def __init__(self, config: ExecutionDeskConfig) -> None:
        self._max_age_ns = config.max_age_ns
        self._instruments = config.instruments
        self._fees = {(one.venue, one.account_id): one.fees for one in config.accounts}
        self._tops: dict[tuple[Venue, InstrumentId], tuple[BookTop, Level, Level]] = {}
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
        sides = _levels(top, self._instruments[listings[0]])
        if sides is None:
            return []
        self._tops[listings[0].venue, top.instrument_id] = (top, *sides)
        self.market_time = max(self.market_time, top.ts_event)
        return listings

    # -- what it says

    def quotes(self, listings: tuple[Listing, ...], now: int) -> tuple[VenueQuote, ...]:
        return tuple(self.quote(listing, now) for listing in listings)

    def quote(self, listing: Listing, now: int) -> VenueQuote:
        """Return the top of the book, and why it must not be used, if so."""
        known = self._tops.get((listing.venue, listing.instrument_id))
        return VenueQuote(
            listing=listing,
            instrument=self._instruments[listing],
            bids=() if known is None else (known[1],),
            asks=() if known is None else (known[2],),
            fees=self._fees[listing.venue, listing.account_id],
            unavailable=self._unavailable(listing, None if known is None else known[0], now),
        )

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

    def _unavailable(self, listing: Listing, top: BookTop | None, now: int) -> str:
        account = listing.account_id
        if machine_name("risk", account) in self._down:
            return f"the risk manager of {account} is down"
        if top is None:
            return "there is no book"
        age = now - top.ts_init
        if age > self._max_age_ns:
            return f"the book is {Decimal(age) / NANOS_PER_SECOND:.1f} s old"
        return ""


def _levels(top: BookTop, instrument: Instrument) -> tuple[Level, Level] | None:
    """Return bid and ask on the grids; None for a top that no order may be decided on."""
    if not 0 < top.bid_px <= top.ask_px:  # not so for NaN either
        return None
    try:
        bid = (instrument.price(top.bid_px), instrument.quantity(top.bid_size))
        ask = (instrument.price(top.ask_px), instrument.quantity(top.ask_size))
    except ValueError:
        return None
    return bid, ask

"""What an execution desk needs to know before it starts."""

import msgspec

from trading.algorithms.parameters import Listing
from trading.identifiers import AccountId, Venue
from trading.instruments import Instrument
from trading.routing.quotes import VenueFees
from trading.values import NANOS_PER_SECOND


class DeskAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account that the desk may trade with.

    Attributes
    ----------
    fees : VenueFees
        What the router counts with; what is really charged comes with the fills.
    """

    venue: Venue
    account_id: AccountId
    instruments: tuple[Instrument, ...]
    fees: VenueFees = VenueFees()


class ExecutionDeskConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one desk. Times are host time in nanoseconds.

    Attributes
    ----------
    name : str
        The machine is `execution:<name>`.
    max_age_ns : int
        A venue whose book has not been heard of for so long is left out.
    settle_ns : int
        For how long the rest of a child that ended unfilled is not used again: fills may come behind.
    book_wait_ns : int
        For how long a decision over several listings waits for the books that it asks for; after that a venue
        counts with its top. 0 asks for no books.
    order_ttl_ns : int
        After this time risk must not approve a part any more. Exits have no such limit.
    """

    name: str
    accounts: tuple[DeskAccount, ...]
    max_age_ns: int = 5 * NANOS_PER_SECOND
    settle_ns: int = NANOS_PER_SECOND
    book_wait_ns: int = NANOS_PER_SECOND // 5
    order_ttl_ns: int = 5 * NANOS_PER_SECOND

    @property
    def instruments(self) -> dict[Listing, Instrument]:
        """What can be traded, and where."""
        return {
            Listing(one.venue, one.account_id, each.instrument_id): each
            for one in self.accounts
            for each in one.instruments
        }

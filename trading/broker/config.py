"""What a broker needs to know before it starts."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trading.capabilities import VenueCapabilities
from trading.identifiers import AccountId, InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.values import NANOS_PER_SECOND, ZERO

_MS = 1_000_000


class BrokerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one broker. Times are in nanoseconds.

    Attributes
    ----------
    initial_cash : Decimal
        Cash of the account before its first fill, in account currency.
    risk : MachineName
        The risk manager whose permits count.
    risk_key : bytes
        Secret shared with it; never shown.
    watermark_to : MachineName or None
        The replay that waits for us; None when nobody does.
    resolution_delays_ns : tuple of int
        Pause before the first, second, ... question about an order or the account; the last repeats.
    not_found_confirmations : int
        How often the venue must say that it does not know an order.
    settle_ns : int
        For how long it must go on saying so before the order counts as never sent.
    missing_fill_delay_ns : int
        How long a fill may lag behind the status report that counts it.
    reconcile_interval_ns : int
        Pause between two comparisons with the venue; 0 is never (only at each connection).
    capabilities : VenueCapabilities or None
        What the venue takes; the rest is refused before it is sent. None: the venue itself is asked.
    instruments : mapping of InstrumentId to Instrument
        What is traded there; orders in anything else are not compared with the capabilities.
    opens_account : bool
        The account may hold something that we did not trade: the venue's first answer is where every
        count begins, instead of `initial_cash`. For accounts that are not ours alone.
    cash_tolerance : Decimal
        Largest difference (account currency) that counts as cash which the venue moved by itself (interest,
        dividends, funding), once it was seen twice and nothing else differs; 0 is none.
    """

    venue: Venue
    account_id: AccountId
    initial_cash: Decimal
    risk: MachineName
    risk_key: bytes
    watermark_to: MachineName | None = None
    submit_timeout_ns: int = 2 * NANOS_PER_SECOND
    query_timeout_ns: int = NANOS_PER_SECOND
    mass_status_timeout_ns: int = 3 * NANOS_PER_SECOND
    resolution_delays_ns: tuple[int, ...] = (0, 100 * _MS, 300 * _MS, NANOS_PER_SECOND)
    not_found_confirmations: int = 3
    settle_ns: int = NANOS_PER_SECOND
    missing_fill_delay_ns: int = 200 * _MS
    reconcile_interval_ns: int = 5 * NANOS_PER_SECOND
    capabilities: VenueCapabilities | None = None
    instruments: Mapping[InstrumentId, Instrument] = {}
    opens_account: bool = False
    cash_tolerance: Decimal = ZERO

    def __post_init__(self) -> None:
        if not self.risk_key:
            raise ValueError("the broker needs risk_key: without it no permit can be verified")
        if not self.resolution_delays_ns:
            raise ValueError("resolution_delays_ns needs at least one delay")
        if not self.cash_tolerance >= 0:
            raise ValueError("cash_tolerance must not be negative")

    def __repr__(self) -> str:
        return f"BrokerConfig({self.venue}:{self.account_id})"

    def delay(self, attempt: int) -> int:
        """Return the pause (ns) before question number `attempt` (the first is 0)."""
        return self.resolution_delays_ns[min(attempt, len(self.resolution_delays_ns) - 1)]

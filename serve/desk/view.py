"""How the command line, the screen and the report see a running cluster: one look, plain values."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from trading.identifiers import AccountId, InstrumentId, MachineName, StrategyId, Venue


class ActorView(msgspec.Struct, frozen=True, kw_only=True):
    """One hosted actor.

    Attributes
    ----------
    messages : int
        Messages handled since its process started.
    restarts : int
        How often the supervisor or Ray replaced its process.
    """

    name: str
    pid: int
    node: str
    restarts: int
    messages: int
    machines: tuple[MachineName, ...] = ()
    alive: bool = True


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Latency percentiles (microseconds); None before the first measurement."""

    p50: float | None = None
    p99: float | None = None


class LatencyView(msgspec.Struct, frozen=True, kw_only=True):
    tick_to_order: Percentiles = Percentiles()


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Wall time in seconds: until the first trade was possible, and of the replay."""

    start: float = 0.0
    run: float = 0.0


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger against the exchange's own record; all four are zero when nothing went wrong.

    Attributes
    ----------
    duplicates : int
        Orders that the exchange executed more than once for one client_order_id.
    lost : int
        Orders or fills of the exchange that the ledger does not know.
    position_difference, cash_difference : Decimal
        Sum of absolute differences, in units and in account currency.
    """

    duplicates: int
    lost: int
    position_difference: Decimal
    cash_difference: Decimal

    @property
    def is_clean(self) -> bool:
        return not (
            self.duplicates or self.lost or self.position_difference or self.cash_difference
        )


class RefusalView(msgspec.Struct, frozen=True, kw_only=True):
    """One order that our own rules refused.

    Attributes
    ----------
    ts_event : int
        Market time (ns UTC) of the data that the order was decided on.
    side, quantity
        Empty and None where the refusal names the order alone.
    code : str
        A `RefusalCode`.
    reason : str
        The sentence that was journalled, with the numbers of the case.
    """

    ts_event: int
    strategy_id: StrategyId
    instrument_id: InstrumentId
    side: str
    quantity: Decimal | None
    code: str
    reason: str


class VenueView(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to a real venue.

    Attributes
    ----------
    is_ready : bool
        The account was compared with the venue's, and they agree.
    refusal : str
        Why the venue does not let us in; nobody tries again until the cluster is started anew.
    reason : str
        Why the session was lost, or was not reconciled.
    skew_ms : float or None
        The venue's clock minus ours.
    feed_problem : str
        What is wrong with the market data: no order leaves; empty when nothing is.
    """

    name: Venue
    is_connected: bool = False
    is_ready: bool = False
    refusal: str = ""
    reason: str = ""
    skew_ms: float | None = None
    feed_problem: str = ""

    @property
    def summary(self) -> str:
        """The state in a few words."""
        if self.refusal:
            return f"REFUSED: {self.refusal}"
        if not self.is_connected:
            return f"not connected{f': {self.reason}' if self.reason else ''}"
        if not self.is_ready:
            return f"connected, not reconciled{f': {self.reason}' if self.reason else ''}"
        skew = "" if self.skew_ms is None else f", its clock {self.skew_ms:+,.0f} ms"
        feed = f", market data {self.feed_problem}" if self.feed_problem else ""
        return f"connected, reconciled{feed}{skew}"

    @property
    def verdict(self) -> str:
        """Say whether the account agrees with the venue's, for the end of a run."""
        if self.is_ready:
            return f"Check: orders, positions and cash agree with what {self.name} says."
        return f"Check FAILED: {self.name}: {self.summary}; look there what the account holds."


class LinkedView(msgspec.Struct, frozen=True, kw_only=True):
    """A further account of the cluster, at a venue of its own: how we stand there, and what its machines say."""

    account_id: AccountId
    venue: VenueView
    machines: dict[str, Mapping[str, Any]] = {}


class ClusterSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look at everything. The parts are a few milliseconds apart, not one instant.

    Attributes
    ----------
    clock_ns : int
        Market time (ns UTC): of the last slice of a replay, of the newest data of a real venue; 0 before the
        first.
    sequence, first, last : int
        Slice now, first and last slice of the replay.
    machines : dict
        What `Machine.view()` says, by machine name; those of further accounts stand in `linked`.
    name, mode : str
        Of the cluster, from its configuration; empty when they are not known.
    pace : float or None
        Slices per second that the replay aims at; 0 is as fast as possible, None is not known.
    refusals : tuple of RefusalView
        The last refused orders, newest first.
    venue : VenueView or None
        The real venue; None in a replay.
    latency_counts : tuple of int
        How many orders since the start took so long from tick to order: one count per class of
        `actors.latency.BOUNDS_US`, and one above; empty when it is not known. `latency_total_s` is their sum.
    linked : tuple of LinkedView
        The further accounts.
    """

    name: str = ""
    mode: str = ""
    pace: float | None = None

    clock_ns: int = 0
    sequence: int = 0
    first: int = 0
    last: int = 0
    finished: bool = False
    machines: dict[str, Mapping[str, Any]] = {}
    refusals: tuple[RefusalView, ...] = ()
    actors: tuple[ActorView, ...] = ()
    latency_us: LatencyView = LatencyView()
    latency_counts: tuple[int, ...] = ()
    latency_total_s: float = 0.0
    seconds: Durations = Durations()
    check: CheckView | None = None
    venue: VenueView | None = None
    linked: tuple[LinkedView, ...] = ()


class VenueKillReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the kill switch achieved for one account at its venue.

    Attributes
    ----------
    reached : bool
        False when the venue did not answer in time: look there yourself.
    """

    venue: Venue
    account_id: AccountId = AccountId("")
    reached: bool
    canceled: int = 0
    flattened: int = 0
    reason: str = ""


class ClusterView(Protocol):
    """A running cluster, seen from outside."""

    def snapshot(self) -> ClusterSnapshot: ...

    def kill(self, *, reason: str, flatten: bool) -> list[VenueKillReport]: ...

    def reset_kill(self, reason: str) -> None: ...

    def stop(self) -> None: ...

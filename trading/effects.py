"""Effects: what a machine asks its host to do. Imperative, performed in order, never raise into it."""

import msgspec

from trading.commands import VenueCall, VenueRequest
from trading.data import MarketData
from trading.events import Event
from trading.forecasting.history import History
from trading.forecasting.monitoring import MonitorReport
from trading.identifiers import InstrumentId, MachineName, StreamName
from trading.messages import Message
from trading.outcomes import Outcome
from trading.ports import Subscription
from trading.reports import Report


class Append(msgspec.Struct, frozen=True):
    """Make `event` durable in the machine's own stream before any later effect is performed.

    The machine has already folded it. If the append fails, the host drops every later effect,
    restores the machine from the journal and hands it `JournalUnavailable`.
    """

    event: Event


class AppendShared(msgspec.Struct, frozen=True):
    """Make `event` durable in a shared stream, behind what the machine appended before.

    What is in `more` follows it, all together or nothing. When that fails, nobody hears of it: the machine
    asks again as long as it has a reason to.
    """

    stream: StreamName
    event: Event
    more: tuple[Event, ...] = ()


class Send(msgspec.Struct, frozen=True):
    """Deliver `message` to one machine: in order, at least once, kept until it is acknowledged."""

    to: MachineName
    message: Message


class Publish(msgspec.Struct, frozen=True):
    """Tell everybody who subscribed to a prefix of `topic`. May be lost; receivers watch sequences."""

    topic: str
    message: MarketData | Report


class SetTimer(msgspec.Struct, frozen=True):
    """Hand `TimerFired(key)` to the machine at host time `at` (ns UTC). Replaces the same key."""

    key: str
    at: int


class CancelTimer(msgspec.Struct, frozen=True):
    key: str


class CallVenue(msgspec.Struct, frozen=True):
    """Ask the venue; the outcome comes back as an event within `timeout_ns`."""

    body: VenueCall
    timeout_ns: int


class AskModel(msgspec.Struct, frozen=True):
    """Ask the model of a forecast source; the outcome comes back as an event within `timeout_ns`.

    Attributes
    ----------
    histories : tuple of History
        The newest window of each instrument; `symbol` is its instrument_id.
    horizon : int
        How far the forecast shall reach (bars).
    sequence : int
        The bar slice that the windows end with; the outcome repeats it.
    miscoverage : tuple of float or None
        What the intervals shall leave out, one share for each of `prediction.COVERAGES`; None for 1 - coverage.
    """

    histories: tuple[History, ...]
    horizon: int
    sequence: int
    timeout_ns: int
    miscoverage: tuple[float, ...] | None = None


class ReportModel(msgspec.Struct, frozen=True):
    """Put down what was seen of a version in service; the source hears of it when that fails.

    Attributes
    ----------
    reference : str
        `name@version`.
    """

    reference: str
    report: MonitorReport


class SubscribeFeed(msgspec.Struct, frozen=True):
    """Have the venue stream this; asking twice changes nothing. Answered with `FeedSubscribed`."""

    subscriptions: tuple[Subscription, ...]


class FetchBars(msgspec.Struct, frozen=True):
    """Ask for bars of the past that closed in [start, end] (ns UTC). Answered with `BarsFetched`."""

    instrument_id: InstrumentId
    interval_ns: int
    start: int
    end: int


class FetchBook(msgspec.Struct, frozen=True):
    """Ask for a whole book. Answered with `BookFetched`."""

    instrument_id: InstrumentId


class AskFeed(msgspec.Struct, frozen=True):
    """Ask the venue for market data; the outcome, or `FeedAskFailed`, comes within `timeout_ns`."""

    body: SubscribeFeed | FetchBars | FetchBook
    timeout_ns: int


class Reply(msgspec.Struct, frozen=True):
    """The exchange's answer to one `VenueRequest`. May be lost."""

    request: VenueRequest
    outcome: Outcome


Effect = (
    Append
    | AppendShared
    | Send
    | Publish
    | SetTimer
    | CancelTimer
    | CallVenue
    | AskModel
    | ReportModel
    | AskFeed
    | Reply
)

"""What became of something the host did for a machine. They name the cause, and are never journalled.

The host turns every result into one of these, a time-out too. "Refused" is the venue's own
word; "unknown" is everything after the first byte left that is not an answer; "not sent" is
certain to have left nothing behind.
"""

import msgspec

from trading.data import Bar, BookSnapshot
from trading.identifiers import (
    ClientOrderId,
    InstrumentId,
    MachineName,
    StreamName,
    VenueOrderId,
)
from trading.messages import Message
from trading.reports import MassStatus, OrderStatusReport


class Outcome(Message, frozen=True, kw_only=True):
    """Base of outcomes."""


class Started(Outcome, frozen=True, kw_only=True):
    """The host has restored the machine from the journal; `epoch` is that of its lease (0: none)."""

    epoch: int


class TimerFired(Outcome, frozen=True, kw_only=True):
    key: str


class SubmitAcknowledged(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId


class SubmitRefused(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    code: str
    reason: str


class SubmitOutcomeUnknown(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class SubmitNotSent(Outcome, frozen=True, kw_only=True):
    """No byte reached the venue."""

    client_order_id: ClientOrderId
    reason: str


class SubmitListAcknowledged(Outcome, frozen=True, kw_only=True):
    """The venue has all orders of the list; ids in the order of the list."""

    client_order_ids: tuple[ClientOrderId, ...]
    venue_order_ids: tuple[VenueOrderId, ...]


class SubmitListRefused(Outcome, frozen=True, kw_only=True):
    """The venue has none of them."""

    client_order_ids: tuple[ClientOrderId, ...]
    code: str
    reason: str


class SubmitListOutcomeUnknown(Outcome, frozen=True, kw_only=True):
    client_order_ids: tuple[ClientOrderId, ...]
    reason: str


class SubmitListNotSent(Outcome, frozen=True, kw_only=True):
    """No byte of any of them reached the venue."""

    client_order_ids: tuple[ClientOrderId, ...]
    reason: str


class CancelAcknowledged(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId


class CancelRefused(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    code: str
    reason: str


class CancelOutcomeUnknown(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class ReplaceAcknowledged(Outcome, frozen=True, kw_only=True):
    report: OrderStatusReport


class ReplaceRefused(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    code: str
    reason: str


class ReplaceOutcomeUnknown(Outcome, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class CancelAllAcknowledged(Outcome, frozen=True, kw_only=True):
    client_order_ids: tuple[ClientOrderId, ...]


class OrderQueried(Outcome, frozen=True, kw_only=True):
    """`report` is None when the venue says that it does not know the order."""

    client_order_id: ClientOrderId
    report: OrderStatusReport | None


class MassStatusReceived(Outcome, frozen=True, kw_only=True):
    mass_status: MassStatus


class QueryFailed(Outcome, frozen=True, kw_only=True):
    """A query or a cancel-all got no answer; asking again is harmless."""

    query: str
    reason: str


class ModelAnswer(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a model said of one instrument.

    Attributes
    ----------
    model : str
        `name@version`.
    data_cutoff : int
        Close of the last bar that the model was trained on (ns UTC).
    expected_return, deviation : float
        Simple return over the horizon and its standard deviation (fractions).
    quantiles : tuple of float
        Of the simple return over the horizon, at `prediction.LEVELS`.
    path : tuple of tuple of float
        The same of the simple return after each bar before the last of the horizon.
    """

    instrument_id: InstrumentId
    model: str
    provider: str
    data_cutoff: int
    expected_return: float
    deviation: float
    quantiles: tuple[float, ...] = ()
    path: tuple[tuple[float, ...], ...] = ()


class ModelAnswered(Outcome, frozen=True, kw_only=True):
    """`sequence` is that of the question; instruments may be missing."""

    sequence: int
    answers: tuple[ModelAnswer, ...]


class ModelFailed(Outcome, frozen=True, kw_only=True):
    """No usable answer: the model raised, said nonsense, could not be reached, or took too long."""

    sequence: int
    reason: str


class ModelReportFailed(Outcome, frozen=True, kw_only=True):
    """The report on `reference` was not put down."""

    reference: str
    reason: str


class VenueConnected(Outcome, frozen=True, kw_only=True):
    """The session to the venue is up (again): reconcile."""


class VenueDisconnected(Outcome, frozen=True, kw_only=True):
    """`is_final`: the adapter does not try again by itself (credentials refused, another session took over)."""

    reason: str
    is_final: bool = False


class VenueClockRead(Outcome, frozen=True, kw_only=True):
    """The venue's clock minus ours (ns), measured at `ts_init`."""

    skew_ns: int


class LinkUp(Outcome, frozen=True, kw_only=True):
    peer: MachineName


class LinkDown(Outcome, frozen=True, kw_only=True):
    peer: MachineName


class JournalUnavailable(Outcome, frozen=True, kw_only=True):
    """The last append failed and nothing of it happened; the machine was restored without it."""

    stream: StreamName
    reason: str


class JournalRecovered(Outcome, frozen=True, kw_only=True):
    stream: StreamName


class FeedSubscribed(Outcome, frozen=True, kw_only=True):
    """The venue streams all that was asked for."""


class BarsFetched(Outcome, frozen=True, kw_only=True):
    """Bars of the past that closed in [start, end] (ns UTC), oldest first; none when the venue has none."""

    instrument_id: InstrumentId
    start: int
    end: int
    bars: tuple[Bar, ...]


class BookFetched(Outcome, frozen=True, kw_only=True):
    snapshot: BookSnapshot


class FeedAskFailed(Outcome, frozen=True, kw_only=True):
    """A question about market data got no usable answer.

    Attributes
    ----------
    question : str
        Name of the body of the `AskFeed`.
    instrument_id, start, end
        Of the question, as far as it has them.
    is_final : bool
        The venue refused it in so many words: asking again is of no use.
    """

    question: str
    reason: str
    is_final: bool = False
    instrument_id: InstrumentId | None = None
    start: int = 0
    end: int = 0


class FeedOverran(Outcome, frozen=True, kw_only=True):
    """The stream was faster than this host; behind everything that did get through.

    Attributes
    ----------
    conflated : int
        Quotes that a newer one of the same instrument took the place of.
    trades, bars : int
        Trades and bars that were lost.
    books : tuple of InstrumentId
        Books of which a change was lost.
    """

    conflated: int = 0
    trades: int = 0
    bars: int = 0
    books: tuple[InstrumentId, ...] = ()

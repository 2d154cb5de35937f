"""What the exchange's answers mean to the caller of a venue port. Pure."""

import msgspec

from trading.codec import decode
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.outcomes import (
    CancelOutcomeUnknown,
    CancelRefused,
    Outcome,
    QueryFailed,
    ReplaceOutcomeUnknown,
    ReplaceRefused,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
)
from trading.reports import FillReport, OrderStatusReport


def parse_reply(payload: bytes) -> Outcome:
    """Return the outcome in the reply to one request.

    Raises
    ------
    OutcomeUnknown
        If the payload is no outcome: the exchange answered, but nobody knows what.
    """
    try:
        message = decode(payload)
    except msgspec.MsgspecError as error:
        raise OutcomeUnknown(f"the exchange's answer cannot be read: {error}") from error
    if not isinstance(message, Outcome):
        raise OutcomeUnknown(f"the exchange answered with {type(message).__name__}")
    return message


def parse_report(payload: bytes) -> OrderStatusReport | FillReport | None:
    """Return the execution report in a publication; None when it cannot be read."""
    try:
        message = decode(payload)
    except msgspec.MsgspecError:
        return None
    return message if isinstance(message, OrderStatusReport | FillReport) else None


def failure(outcome: Outcome) -> VenueError:
    """Return the error that says what `outcome` says, for an outcome that is not the hoped-for one."""
    match outcome:
        case SubmitRefused() | SubmitListRefused() | CancelRefused() | ReplaceRefused():
            return VenueRefused(outcome.code, outcome.reason)
        case SubmitNotSent() | SubmitListNotSent():
            return VenueUnreachable(outcome.reason)
        case (
            SubmitOutcomeUnknown()
            | SubmitListOutcomeUnknown()
            | CancelOutcomeUnknown()
            | ReplaceOutcomeUnknown()
            | QueryFailed()
        ):
            return OutcomeUnknown(outcome.reason)
        case _:
            return OutcomeUnknown(f"the exchange answered with {type(outcome).__name__}")

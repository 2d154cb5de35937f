"""How the venue says no: codes of the specification, texts of the dialect. Pure."""

from actors.venues.fix.dialect import Dialect
from actors.venues.fix.messages import Fields, MsgType
from trading.errors import VenueError, VenueRefused, VenueUnreachable
from trading.refusals import RefusalCode

DUPLICATE = "6"
"""Of OrdRejReason (103) and of CxlRejReason (102)."""
UNKNOWN_ORDER = "5"
"""Of OrdRejReason."""

_ORDER_REASONS = {
    "0": "BROKER_OPTION",
    "1": "UNKNOWN_SYMBOL",
    "2": "EXCHANGE_CLOSED",
    "3": "ORDER_EXCEEDS_LIMIT",
    "4": "TOO_LATE_TO_ENTER",
    UNKNOWN_ORDER: RefusalCode.UNKNOWN_ORDER.value,
    DUPLICATE: RefusalCode.DUPLICATE_CLIENT_ORDER_ID.value,
    "8": "STALE_ORDER",
    "11": "UNSUPPORTED_ORDER",
    "13": "INCORRECT_QUANTITY",
    "15": "UNKNOWN_ACCOUNT",
}
_CANCEL_REASONS = {
    "0": "TOO_LATE_TO_CANCEL",
    "1": RefusalCode.UNKNOWN_ORDER.value,
    "2": "BROKER_OPTION",
    "3": "ALREADY_PENDING",
    "4": "MASS_CANCEL_REFUSED",
    DUPLICATE: RefusalCode.DUPLICATE_CLIENT_ORDER_ID.value,
}
_BUSINESS_REASONS = {
    "1": "UNKNOWN_ID",
    "2": "UNKNOWN_SECURITY",
    "3": "NOT_OFFERED",
    "5": "REQUIRED_FIELD_MISSING",
    "6": "NOT_AUTHORIZED",
}
_UNAVAILABLE = {"4", "7"}
"""BusinessRejectReason (380): the application, or the firm behind it, is not there and got nothing."""
THROTTLED = "THROTTLED"


def refusal(fields: Fields, dialect: Dialect) -> VenueError:
    """Return the error that a rejection (8 with 150=8, 9, j or 3) means to the caller.

    A message that was turned away before anybody acted on it (throttle, application not available) counts
    as one that was not sent.
    """
    text = fields.get(58, "")
    if is_throttled(fields, dialect):
        return VenueUnreachable(f"{THROTTLED}: the venue turned the message away: {text}")
    match fields.get(35):
        case MsgType.EXECUTION_REPORT:
            code = order_code(fields, dialect)
        case MsgType.CANCEL_REJECT:
            code = _CANCEL_REASONS.get(fields.get(102, ""), "CANCEL_REJECTED")
        case MsgType.MASS_CANCEL_REPORT:
            code = _CANCEL_REASONS["4"]
        case MsgType.BUSINESS_REJECT if fields.get(380) in _UNAVAILABLE:
            return VenueUnreachable(f"the venue's application is not available: {text}")
        case MsgType.BUSINESS_REJECT:
            code = _BUSINESS_REASONS.get(fields.get(380, ""), "BUSINESS_REJECT")
        case _:
            code = f"SESSION_REJECT_{fields.get(373, '99')}"
    return VenueRefused(code, text or code.replace("_", " ").lower())


def order_code(fields: Fields, dialect: Dialect) -> str:
    """Return the code of a rejected order."""
    if says(fields.get(58, ""), dialect.texts.duplicate):
        return RefusalCode.DUPLICATE_CLIENT_ORDER_ID.value
    return _ORDER_REASONS.get(fields.get(103, ""), "ORDER_REJECTED")


def is_throttled(fields: Fields, dialect: Dialect) -> bool:
    return says(fields.get(58, ""), dialect.texts.throttled)


def says(text: str, parts: tuple[str, ...]) -> bool:
    """Say whether `text` has one of the parts, which are in small letters."""
    small = text.lower()
    return any(part in small for part in parts)

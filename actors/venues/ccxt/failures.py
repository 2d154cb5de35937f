"""What an exception of ccxt means: refused, not sent, or nobody knows. Pure.

| what happened | what it is |
|---|---|
| the exchange said no in a structured answer | `VenueRefused` |
| the key is not valid | `CredentialsRefused`, a `VenueRefused` after which nobody tries again |
| too many requests (429, 418, the exchange's own words) | `TooFast`, a `VenueUnreachable`: turned away unread |
| no connection could be made, or ccxt itself refused before sending | `VenueUnreachable`, `VenueRefused` |
| time-out, reset, 5xx, half an answer, nonsense, anything else after sending | `OutcomeUnknown` |
"""

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
from ccxt.base import errors as kinds

from actors.venues.ccxt.dialects import Dialect
from actors.venues.pacing import Priority
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.refusals import RefusalCode

NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror)
LONGEST_TEXT = 300
INVALID_NONCE = "INVALID_NONCE"


@dataclass(slots=True)
class Call:
    """One call of ours and what became of its requests.

    Attributes
    ----------
    requests : int
        Begun so far; with none, nothing was sent.
    status : int
        HTTP status of the last answer; 0 without one.
    headers : mapping
        Of the last answer, names in small letters.
    is_repeated : bool
        Whether the call before was refused because a later number had overtaken its own.
    """

    priority: Priority = Priority.QUERY
    is_repeated: bool = False
    requests: int = 0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        self.requests += 1
        self.status, self.headers = 0, {}

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}


class CredentialsRefused(VenueRefused):
    """Nobody tries again with these credentials."""


class TooFast(VenueUnreachable):
    """`pause_s`: for how long the exchange wants to be left alone; 0 when it does not say."""

    def __init__(self, reason: str, pause_s: float) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


def failure(
    error: Exception, call: Call, dialect: Dialect, clean: Callable[[str], str]
) -> VenueError:
    """Return the error that says what `error` says.

    Parameters
    ----------
    clean : function of str
        Takes secrets out of a text.
    """
    if isinstance(error, VenueError):
        return error
    error = _behind(error)
    if isinstance(error, kinds.ExchangeClosedByUser):
        return VenueUnreachable("the connection was closed")
    text = str(error)
    reason = shown(clean(text)) or type(error).__name__
    code = _code(text, type(error).__name__, dialect)
    settled = _told_apart(text, reason, code, dialect)
    if settled is not None and call.status < 500:
        return settled
    if isinstance(error, kinds.RateLimitExceeded | kinds.DDoSProtection):
        return TooFast(reason, _retry_after(call.headers))
    if isinstance(error.__cause__, NOT_CONNECTED):
        return VenueUnreachable(f"no connection: {reason}")
    if isinstance(error, kinds.AuthenticationError) and call.status < 500:
        is_partial = isinstance(error, kinds.PermissionDenied)
        return (VenueRefused if is_partial else CredentialsRefused)(code, reason)
    if call.requests == 0:
        return _refused_by_ccxt(error, code, reason)
    if call.status >= 500 or _matches(dialect.undecided, text):
        return OutcomeUnknown(reason)
    return _by_class(error, code, reason, call)


def shown(text: str) -> str:
    """Return a text fit for a log: one line, without addresses and signatures, not too long."""
    text = re.sub(r"\?\S*", "", text)
    text = re.sub(r"(?i)(signature|sign|token)=[\w%/+=-]+", r"\1=...", text)
    return " ".join(text.split())[:LONGEST_TEXT]


def _told_apart(text: str, reason: str, code: str, dialect: Dialect) -> VenueError | None:
    """Return what the patterns of the exchange say; they go before the classes of ccxt."""
    if _matches(dialect.duplicate, text):
        return VenueRefused(RefusalCode.DUPLICATE_CLIENT_ORDER_ID, reason)
    if _matches(dialect.refused_credentials, text):
        return CredentialsRefused(code, reason)
    if _matches(dialect.unknown_order, text):
        return VenueRefused(RefusalCode.UNKNOWN_ORDER, reason)
    if _matches(dialect.refused_nonce, text):
        return VenueRefused(INVALID_NONCE, reason)
    return None


def _by_class(error: Exception, code: str, reason: str, call: Call) -> VenueError:
    match error:
        case kinds.DuplicateOrderId():
            return VenueRefused(RefusalCode.DUPLICATE_CLIENT_ORDER_ID, reason)
        case kinds.OrderNotFound():
            return VenueRefused(RefusalCode.UNKNOWN_ORDER, reason)
        case kinds.OnMaintenance() if 200 <= call.status < 400:
            return VenueRefused(code, reason)
        case kinds.ExchangeError() if _is_an_answer(error, call):
            return VenueRefused(code, reason)
        case _:
            return OutcomeUnknown(reason)


def _is_an_answer(error: Exception, call: Call) -> bool:
    """Tell refusals from errors of the transport (half an answer), which ccxt wraps in the same class."""
    return not isinstance(error.__cause__, aiohttp.ClientError) and call.status > 0


def _behind(error: Exception) -> Exception:
    """Return the error of ccxt that `error` got in the way of: clearing up after one can fail too."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, kinds.BaseError):
        found = found.__context__
    return error if found is None else found


def _refused_by_ccxt(error: Exception, code: str, reason: str) -> VenueError:
    if isinstance(error, kinds.ExchangeError) and not isinstance(error, kinds.OperationFailed):
        return VenueRefused(code, reason)
    return VenueUnreachable(f"nothing was sent: {reason}")


def _code(text: str, kind: str, dialect: Dialect) -> str:
    found = re.search(dialect.code, text)
    if found is not None:
        return found.group(1)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).upper()


def _matches(pattern: str, text: str) -> bool:
    return bool(pattern) and re.search(pattern, text) is not None


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        return max(0.0, float(headers.get("retry-after", "0")))
    except ValueError:
        return 0.0

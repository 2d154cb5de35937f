"""The error tree. Each branch says what the caller may do, and carries a code and an exit status.

TradingError
├── UsageError            (exit 2)  correct the call
├── ConfigError           (exit 3)  correct the configuration
├── AuthError             (exit 4)  fix credentials or permissions
│   └── PermissionMissing           ask for the permission that is named
├── NotFound              (exit 2)  name a thing that exists
├── Conflict              (exit 6)  another request was first, or this one contradicts it
├── VenueError
│   ├── VenueUnreachable  (exit 5)  nothing was sent: wait and try again
│   ├── VenueRefused      (exit 6)  the venue said no: change the request
│   └── OutcomeUnknown    (exit 7)  ask the venue what happened; never send again blindly
├── OrderRefused          (exit 6)  our own rules said no (`code` is a RefusalCode)
├── ClusterUnreachable    (exit 8)  start the cluster, or correct its address
├── DataError             (exit 2)  correct the input data
├── ForecastError
│   ├── ForecastRefused   (exit 2)  correct the request or the history (`code` says which rule)
│   ├── ForecastInvalid   (exit 1)  the model answered NaN: nothing may be traded on it
│   └── ForecastLate      (exit 5)  no answer before the deadline: ask again for the next bar
├── ModelError
│   ├── ModelUnknown      (exit 2)  name a model that is registered
│   ├── ModelCorrupt      (exit 1)  the files are not what was registered: restore them
│   └── ModelRefused      (exit 6)  our own rules keep it from that place
├── JournalError          (exit 1)
│   ├── JournalUnavailable          make space or fix the disk; nothing was appended
│   ├── JournalCorrupt              restore from the named record on
│   └── StaleEpoch                  another owner has the lease: stop
└── InvalidTransition     (exit 1)  a bug: the story of the order is in the message
"""

from typing import ClassVar


class TradingError(Exception):
    """Root of all errors of this project.

    Attributes
    ----------
    code : str
        Stable machine code, `CATEGORY_CONDITION`.
    exit_status : int
        What a command ends with when the error reaches the user.
    """

    code: ClassVar[str] = "FAILED"
    exit_status: ClassVar[int] = 1


class UsageError(TradingError):
    code = "USAGE"
    exit_status = 2


class ConfigError(TradingError):
    code = "CONFIG_INVALID"
    exit_status = 3


class AuthError(TradingError):
    code = "AUTH_REFUSED"
    exit_status = 4


class PermissionMissing(AuthError):
    code = "PERMISSION_MISSING"


class NotFound(TradingError):
    code = "NOT_FOUND"
    exit_status = 2


class Conflict(TradingError):
    code = "CONFLICT"
    exit_status = 6


class DataError(TradingError):
    code = "DATA_INVALID"
    exit_status = 2


class ForecastError(TradingError):
    code = "FORECAST_FAILED"


class ForecastRefused(ForecastError):
    """`code` is one of the FORECAST_ codes that docs/models.md lists."""

    code = "FORECAST_REFUSED"
    exit_status = 2

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code  # type: ignore[misc]  # of this one, not of the class

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.code, str(self))


class ForecastInvalid(ForecastError):
    code = "FORECAST_OUTPUT_INVALID"


class ForecastLate(ForecastError):
    code = "FORECAST_LATE"
    exit_status = 5


class ModelError(TradingError):
    code = "MODEL_FAILED"


class ModelUnknown(ModelError):
    code = "MODEL_UNKNOWN"
    exit_status = 2


class ModelCorrupt(ModelError):
    code = "MODEL_CORRUPT"


class ModelRefused(ModelError):
    code = "MODEL_REFUSED"
    exit_status = 6


class VenueError(TradingError):
    code = "VENUE_FAILED"
    exit_status = 5


class VenueUnreachable(VenueError):
    code = "VENUE_UNREACHABLE"


class VenueRefused(VenueError):
    """`venue_code` is the venue's own code."""

    code = "VENUE_REFUSED"
    exit_status = 6

    def __init__(self, venue_code: str, reason: str) -> None:
        super().__init__(f"{venue_code}: {reason}")
        self.venue_code = venue_code
        self.reason = reason


class OutcomeUnknown(VenueError):
    code = "OUTCOME_UNKNOWN"
    exit_status = 7


class OrderRefused(TradingError):
    code = "ORDER_REFUSED"
    exit_status = 6


class ClusterUnreachable(TradingError):
    code = "CLUSTER_UNREACHABLE"
    exit_status = 8


class JournalError(TradingError):
    code = "JOURNAL_FAILED"


class JournalUnavailable(JournalError):
    code = "JOURNAL_UNAVAILABLE"


class JournalCorrupt(JournalError):
    """`last_good` is the sequence of the last record whose hash chain holds."""

    code = "JOURNAL_CORRUPT"

    def __init__(self, stream: str, last_good: int, reason: str) -> None:
        super().__init__(
            f"journal stream {stream}: {reason}; the last good record is {last_good}. "
            "Nothing after it was applied."
        )
        self.stream = stream
        self.last_good = last_good


class StaleEpoch(JournalError):
    code = "LEASE_STALE_EPOCH"

    def __init__(self, stream: str, held: int, current: int) -> None:
        super().__init__(f"lease of {stream} moved on: epoch {held} is stale, {current} rules")
        self.stream = stream
        self.held = held
        self.current = current


class InvalidTransition(TradingError):
    code = "ORDER_INVALID_TRANSITION"

    def __init__(self, key: str, state: str, event: str, story: tuple[str, ...]) -> None:
        super().__init__(
            f"order {key}: {event} is not legal in {state}; story: {' > '.join(story)}"
        )
        self.key = key
        self.story = story

"""What the numbers mean that TWS sends as `error`: one table, because the library's own reading is not ours.

The library takes some refusals for warnings, and everything else for a cancel of the order. Here a
number that is not in the table is never a refusal of an order: its outcome is unknown, and asked for.
"""

from enum import Enum, auto


class ErrorKind(Enum):
    """What may be concluded from an error.

    REFUSED: what was asked for was not done. CANCELED: the order is cancelled, on request or not.
    WARNING: nothing happened to what was asked for. PACING: turned away before it was looked at.
    LOST: TWS lost IB. RESTORED, RESUBSCRIBE: it found IB again, with or without our subscriptions.
    FARM_DOWN, FARM_UP: one of IB's data farms. IN_USE: another session has our client id.
    UNKNOWN: nothing may be concluded.
    """

    REFUSED = auto()
    CANCELED = auto()
    WARNING = auto()
    PACING = auto()
    LOST = auto()
    RESTORED = auto()
    RESUBSCRIBE = auto()
    FARM_DOWN = auto()
    FARM_UP = auto()
    IN_USE = auto()
    UNKNOWN = auto()


_REFUSED = frozenset(
    {
        *range(103, 120),  # duplicate id, filled, bad tick, time in force, dead exchange ...
        *range(121, 165),  # order details that do not fit, unknown order, not cancellable
        167,
        168,
        200,  # no security definition, or an ambiguous one
        201,  # order rejected, the reason is in the text
        203,  # not allowed for this account
        *range(309, 318),  # market depth
        *range(320, 326),  # the request cannot be read or validated
        *range(327, 330),
        *range(331, 355),
        *range(356, 366),
        *range(367, 399),
        *range(400, 404),
        *range(405, 420),
        *range(421, 450),
        460,
        461,
        478,
        481,
        *range(10000, 10011),
        *range(10013, 10027),
        10089,
        10090,
        10147,  # the order to cancel is not found
        10148,  # ... cannot be cancelled in its state
        10149,
        10168,
        10186,
        10187,
        10189,
        10190,
        10197,
        10239,
        10243,  # fractions cannot be ordered through the API
        10244,
        10268,
        10289,
        10311,
        10318,
        10326,
        10327,
        10328,
        10339,
    }
)
_KINDS = {
    100: ErrorKind.PACING,  # more than 50 messages in a second
    420: ErrorKind.PACING,  # real-time data asked for too often
    202: ErrorKind.CANCELED,
    326: ErrorKind.IN_USE,
    1100: ErrorKind.LOST,
    2110: ErrorKind.LOST,
    1101: ErrorKind.RESUBSCRIBE,
    1102: ErrorKind.RESTORED,
    2103: ErrorKind.FARM_DOWN,
    2105: ErrorKind.FARM_DOWN,
    2157: ErrorKind.FARM_DOWN,
    2104: ErrorKind.FARM_UP,
    2106: ErrorKind.FARM_UP,
    2107: ErrorKind.FARM_UP,  # idle, comes back on demand
    2108: ErrorKind.FARM_UP,
    2158: ErrorKind.FARM_UP,
    165: ErrorKind.WARNING,  # a message about a running historical query
    317: ErrorKind.WARNING,  # depth is reset: the feed begins its book again
    366: ErrorKind.WARNING,  # cancelling a query that had ended
    399: ErrorKind.WARNING,  # for example: will not be placed before the open
    404: ErrorKind.WARNING,  # held while shares to borrow are located
    492: ErrorKind.WARNING,
    10167: ErrorKind.WARNING,  # delayed data instead of live
    10349: ErrorKind.WARNING,  # a preset of the account changed the time in force
}
_WARNINGS = range(2100, 2200)

NO_DATA = 162
"""Historical query that found nothing, or was asked too often: the text tells."""
DEPTH_HALTED = 316
DEPTH_RESET = 317


def error_kind(code: int) -> ErrorKind:
    """Return what may be concluded from an error number."""
    found = _KINDS.get(code)
    if found is not None:
        return found
    if code in _WARNINGS:
        return ErrorKind.WARNING
    return ErrorKind.REFUSED if code in _REFUSED else ErrorKind.UNKNOWN

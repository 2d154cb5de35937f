"""What a simulator does wrong, on order: each fault is used up by the next occasion that it fits."""

import threading
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum


class Fault(StrEnum):
    """`what` a simulator can be told to do; every simulator understands the ones that its protocol can have."""

    DROP_REQUEST = "drop_request"
    """The next order request is lost before the venue acts on it; no answer ever comes."""
    DROP_RESPONSE = "drop_response"
    """Executed; no answer ever comes."""
    ERROR_5XX = "error_5xx"
    """Not executed; 504 (or what the protocol has for it)."""
    ERROR_5XX_EXECUTED = "error_5xx_executed"
    """Executed; 504."""
    RESET_EXECUTED = "reset_executed"
    """Executed; the connection is reset instead of an answer."""
    HALF_ANSWER = "half_answer"
    """Executed; the answer is cut in the middle."""
    RATE_LIMIT = "rate_limit"
    """429, 418, pacing violation: turned away before it reached the venue."""
    REJECT_AFTER_ACK = "reject_after_ack"
    """Acknowledged, then rejected by the stream."""
    BAD_CREDENTIALS = "bad_credentials"
    """From now on (until cleared) every request and session is refused as not authenticated."""
    DROP_STREAM = "drop_stream"
    """Cut the execution stream now; what happens before the client is back is not replayed (unless the protocol does)."""
    MUTE_STREAM = "mute_stream"
    """From now on (until cleared) the stream stays open and says nothing."""
    DUPLICATE_FILLS = "duplicate_fills"
    """From now on (until cleared) each fill is told three times."""
    REORDER_FILLS = "reorder_fills"
    """From now on (until cleared) fills are held back and told in reverse order, behind later messages, by `release`."""
    FILL_BEFORE_ACK = "fill_before_ack"
    """From now on (until cleared) stream messages of an order are told before the answer to its submission."""
    MALFORMED = "malformed"
    """The next stream message is preceded by one that cannot be parsed, and one of an unknown kind."""
    CLOCK_SKEW = "clock_skew"
    """From now on (until cleared) the venue's clock is seconds ahead: by more than an answer may take."""


ONCE = frozenset(
    {
        Fault.DROP_REQUEST,
        Fault.DROP_RESPONSE,
        Fault.ERROR_5XX,
        Fault.ERROR_5XX_EXECUTED,
        Fault.RESET_EXECUTED,
        Fault.HALF_ANSWER,
        Fault.RATE_LIMIT,
        Fault.REJECT_AFTER_ACK,
        Fault.DROP_STREAM,
        Fault.MALFORMED,
    }
)


class Faults:
    """The faults that are planned for one simulator. Safe to use from any thread."""

    def __init__(self) -> None:
        self._planned: Counter[Fault] = Counter()
        self._lock = threading.Lock()
        self.happened: Counter[Fault] = Counter()

    def plan(self, fault: Fault, count: int = 1) -> None:
        """Let `fault` happen: the next `count` times, or from now on for a lasting one."""
        with self._lock:
            self._planned[fault] += count

    def clear(self, fault: Fault | None = None) -> None:
        with self._lock:
            if fault is None:
                self._planned.clear()
            else:
                self._planned.pop(fault, None)

    def happens(self, fault: Fault) -> bool:
        """Say whether `fault` happens now, and use it up if it is one that happens once."""
        with self._lock:
            if not self._planned[fault]:
                return False
            if fault in ONCE:
                self._planned[fault] -= 1
            self.happened[fault] += 1
            return True

    @property
    def planned(self) -> Mapping[Fault, int]:
        return +self._planned

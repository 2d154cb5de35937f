"""The shape that every message shares: who caused it, when it happened, when we made it."""

import msgspec


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True, gc=False):
    """Base of everything that travels or is journalled. Never changed after creation.

    What cannot change cannot come to hold itself, so the garbage collector need not look at it.

    On the wire: msgpack array, class name first. The fields below come first in every message,
    so a later version adds its own fields at the end, with defaults, and old records still decode.

    Attributes
    ----------
    ts_event : int
        When it happened, in market time (ns UTC). In a replay this is the historic time.
    ts_init : int
        When this object was made, by the host's clock (ns UTC).
    correlation_id : str
        The market data (or operator's act) at the start of the chain, for example `feed:paper/1042`.
    causation_id : str
        The message that directly caused this one.
    """

    ts_event: int = 0
    ts_init: int = 0
    correlation_id: str = ""
    causation_id: str = ""

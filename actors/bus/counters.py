"""What a bus has done so far, for telemetry."""

import msgspec


class Counters(msgspec.Struct):
    """Numbers since the bus was opened.

    Attributes
    ----------
    sent : int
        Commands given to `send`.
    resent : int
        Commands transmitted when a connection was made: again, or for the first time.
    acked : int
        Commands of ours that their receiver acknowledged.
    received : int
        Commands handed over.
    duplicates, gaps : int
        Commands dropped because they came before, or because one in front of them is missing.
    unreachable : int
        Requests dropped because their receiver's link was down.
    malformed : int
        Frames dropped because they are none of ours.
    """

    sent: int = 0
    resent: int = 0
    acked: int = 0
    received: int = 0
    duplicates: int = 0
    gaps: int = 0
    published: int = 0
    publications_received: int = 0
    requests: int = 0
    unreachable: int = 0
    malformed: int = 0

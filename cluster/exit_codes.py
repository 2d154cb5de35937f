"""What a command ends with. Stable: scripts rely on it. docs/cli.md holds the same table."""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    AUTH = 4
    VENUE_UNREACHABLE = 5
    REFUSED = 6
    AMBIGUOUS = 7
    CLUSTER_UNREACHABLE = 8
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One phrase for the documentation."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "a check failed, or something broke; the message says what",
    ExitCode.USAGE: "the call or its input data is wrong",
    ExitCode.CONFIG: "the configuration is wrong",
    ExitCode.AUTH: "credentials, permissions or the live-money gate refused",
    ExitCode.VENUE_UNREACHABLE: "the venue cannot be reached; nothing was sent",
    ExitCode.REFUSED: "refused by risk or by the venue",
    ExitCode.AMBIGUOUS: "an order was sent and its outcome is unknown; ask the venue",
    ExitCode.CLUSTER_UNREACHABLE: "no cluster answers; start it or correct its address",
    ExitCode.INTERRUPTED: "interrupted by the operator",
}

"""What can go wrong with a sandbox: a branch of `trading.errors.TradingError`.

SandboxError
├── IsolationUnavailable  (exit 3)  nothing was run: this machine offers no isolation that was proved
├── SandboxBusy           (exit 5)  wait: no free place, or a quota is used up
├── SandboxTimeout        (exit 7)  a deadline passed and the code was killed (`which`: call or total)
├── SandboxCrashed        (exit 1)  the process ended by itself (status or signal)
├── SandboxGone           (exit 5)  it does not exist any more: make a new one
├── OutputLimit           (exit 1)  it wrote too much and was killed
├── ProtocolViolation     (exit 1)  it did not keep to the protocol and was killed
├── InvalidResult         (exit 1)  a result that no strategy may give; it was killed
├── StrategyFailed        (exit 1)  the code raised; it lives on (`trace` is untrusted text)
└── SandboxRefused        (exit 4)  credentials, or the service said no
"""

from trading.errors import TradingError


class SandboxError(TradingError):
    code = "SANDBOX_FAILED"


class IsolationUnavailable(SandboxError):
    """`reasons` says for each rung why it cannot be had, and what would help."""

    code = "SANDBOX_ISOLATION_UNAVAILABLE"
    exit_status = 3

    def __init__(self, reasons: dict[str, str]) -> None:
        said = "; ".join(f"{rung}: {reason}" for rung, reason in reasons.items())
        super().__init__(f"no isolation can be had here, so nothing was run. {said}")
        self.reasons = reasons

    def __reduce__(self) -> tuple[type, tuple[dict[str, str]]]:
        return type(self), (self.reasons,)


class SandboxBusy(SandboxError):
    code = "SANDBOX_BUSY"
    exit_status = 5


class SandboxTimeout(SandboxError):
    code = "SANDBOX_TIMEOUT"
    exit_status = 7


class SandboxCrashed(SandboxError):
    code = "SANDBOX_CRASHED"


class SandboxGone(SandboxError):
    code = "SANDBOX_GONE"
    exit_status = 5


class OutputLimit(SandboxError):
    code = "SANDBOX_OUTPUT_LIMIT"


class ProtocolViolation(SandboxError):
    code = "SANDBOX_PROTOCOL_VIOLATION"


class InvalidResult(SandboxError):
    code = "SANDBOX_INVALID_RESULT"


class StrategyFailed(SandboxError):
    """The code raised. `trace` is at most 4 KiB and comes from inside: never trusted."""

    code = "SANDBOX_STRATEGY_FAILED"

    def __init__(self, name: str, reason: str, trace: str = "") -> None:
        super().__init__(f"the strategy raised {name}: {reason}")
        self.name, self.reason, self.trace = name, reason, trace

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.name, self.reason, self.trace)


class SandboxRefused(SandboxError):
    code = "SANDBOX_REFUSED"
    exit_status = 4


KILLS = (SandboxTimeout, SandboxCrashed, OutputLimit, ProtocolViolation, InvalidResult)
"""What ends a sandbox through the doing of the code in it."""

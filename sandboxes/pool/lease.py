"""A sandbox in somebody's hands, and what it uses there."""

from msgspec.structs import replace

from sandboxes.local.witness import family, usage
from sandboxes.pool.desk import Ask
from sandboxes.sandbox import Isolation, Sandbox


class Lease:
    """Made when a sandbox is handed out.

    Parameters
    ----------
    since_s : float
        Monotonic.
    """

    def __init__(self, ask: Ask, sandbox: Sandbox, since_s: float) -> None:
        self.ask = ask
        self.sandbox = sandbox
        self.since_s = since_s
        self.source = ask.source
        self.scripts = 0
        self.calls = 0
        self._owed_s = 0.0
        self._seen_s = kernel_cpu_s(sandbox) or 0.0

    @property
    def isolation(self) -> Isolation:
        """Return how the code is kept in, with what it is and what it was given."""
        isolation = self.sandbox.isolation
        names = {"template": self.ask.template, "source": self.source}
        return replace(isolation, details={**isolation.details, **names})

    def measure(self) -> None:
        """Look at what a strategy has used; a script is counted when it ends."""
        now_s = kernel_cpu_s(self.sandbox)
        if now_s is not None and not self.scripts:
            self._owed_s += max(0.0, now_s - self._seen_s)
            self._seen_s = now_s

    def add(self, cpu_s: float) -> None:
        self._owed_s += cpu_s

    def owed(self, least_s: float = 0.0) -> float:
        """Return the processor time that is not yet noted, if it is more than `least_s`, and forget it."""
        if self._owed_s <= least_s:
            return 0.0
        owed, self._owed_s = self._owed_s, 0.0
        return owed


def kernel_cpu_s(sandbox: Sandbox) -> float | None:
    """Return what the process of a sandbox has used; None if it is not on this machine, or has ended."""
    pid = getattr(sandbox, "pid", None)
    if pid is None:
        return None
    try:
        return usage(family(pid)[-1]).cpu_s
    except (FileNotFoundError, ProcessLookupError):
        return None

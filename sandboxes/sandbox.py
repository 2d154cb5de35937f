"""What a sandbox is: the same two protocols for the local rungs and for E2B."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from sandboxes.limits import Limits


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """How code is kept in. `rung` is `L1`, `L2` or `e2b`; `proof` the digest of the probe that proved it."""

    backend: str
    rung: str
    details: Mapping[str, str] = {}
    proof: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The code of one strategy. `sha256` (hex) names it everywhere."""

    name: str
    text: str
    sha256: str


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job.

    Attributes
    ----------
    ok : bool
        It ended by itself with status 0.
    error : str
        Machine code of `sandboxes.errors`, empty when it ended by itself.
    stdout, stderr : str
        Untrusted text, cut at the limit.
    files : mapping of name to bytes
        What it wrote to its output folder.
    cpu_s, seconds : float
    """

    ok: bool
    exit_code: int | None
    stdout: str
    stderr: str
    error: str
    seconds: float
    isolation: Isolation
    files: Mapping[str, bytes] = {}
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0


class Sandbox(Protocol):
    """One sandbox. Every method raises `SandboxError`s alone."""

    @property
    def id(self) -> str: ...

    @property
    def isolation(self) -> Isolation: ...

    async def load(self, source: Source, parameters: Mapping[str, Any]) -> None:
        """Load a strategy: once, after which this sandbox belongs to it."""

    async def targets(self, bars: Mapping[str, Any], timeout_s: float | None = None) -> Any:
        """Return the target weights (time, instrument) float64 of a loaded strategy, validated.

        Parameters
        ----------
        bars : mapping of array name to array
            `ts`, `close`, `open`, `high`, `low`, `volume`, and signals by name.
        """

    async def run(
        self,
        code: str,
        files: Mapping[str, bytes] | None = None,
        timeout_s: float | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a script. `on_output(stream, text)` hears what it writes as it is written."""

    async def kill(self) -> None:
        """End it now; ending it again does nothing."""


class SandboxBackend(Protocol):
    @property
    def isolation(self) -> Isolation:
        """Return what was proved at the start.

        Raises
        ------
        IsolationUnavailable
            If nothing was.
        """

    async def create(
        self, template: str, limits: Limits, metadata: Mapping[str, str] | None = None
    ) -> Sandbox: ...

"""A strategy whose code runs in a sandbox, and which is a strategy like any other to everybody else."""

import asyncio
import functools
import hashlib
import os
import re
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from sandboxes.errors import SandboxBusy, SandboxError, SandboxGone, StrategyFailed
from sandboxes.frames import NAMES, PLAIN_ARRAYS
from sandboxes.limits import Limits
from sandboxes.sandbox import Isolation, Sandbox, SandboxBackend, Source
from trading.errors import ConfigError, UsageError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars

TEMPLATE = "polars"
LOOKBACK = re.compile(r"^LOOKBACK\s*=\s*(\d{1,6})\s*(?:#.*)?$", re.MULTILINE)
RESTARTS = 3
BATCH_TIMEOUT_S = 60.0
BARS_OF_A_CALL = 1_000
"""More bars than this are a backtest, which may take longer than a decision."""
Opened = TypeVar("Opened")


class SandboxedStrategy:
    """Starts its sandbox when it is first asked, and again after a crash, up to `restarts` times.

    A sandbox that has used half of its time is replaced between two questions, so the code must not keep
    anything from one question to the next.

    Parameters
    ----------
    source : Source
        With `def targets(bars, *, name=default, ...)` and a line `LOOKBACK = n`.
    parameters : mapping
        Keyword arguments of `targets`; the defaults of the rest count.
    open_backend : function
        Returns where sandboxes are made. It must be importable by name for this to be sent elsewhere.
    restarts : int
        How often a sandbox that ended may be replaced. What the code itself raises ends nothing, and one that
        was taken away, such as by the end of a pool, does not count.
    """

    def __init__(
        self,
        source: Source,
        parameters: Mapping[str, Any],
        open_backend: Callable[[], SandboxBackend],
        limits: Limits = Limits(),  # noqa: B008  immutable
        template: str = TEMPLATE,
        restarts: int = RESTARTS,
    ) -> None:
        self.name = source.name
        self.sha256 = source.sha256
        self.restarts = restarts
        self.template = template
        self._source, self._parameters = source, dict(parameters)
        self._open_backend, self._limits = open_backend, limits
        self._lookback = lookback_of(source)
        self._sandbox: Sandbox | None = None
        self._isolation: Isolation | None = None
        self._ended = 0
        self._started = self._worked_s = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the sandbox: a new one is started where it arrives."""
        given = (self._source, self._parameters, self._open_backend)
        return type(self), (*given, self._limits, self.template, self.restarts)

    @property
    def lookback(self) -> int:
        return self._lookback

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self._parameters

    @property
    def isolation(self) -> Isolation | None:
        """Return how its last sandbox kept it in, and what it found installed; None before the first."""
        return self._isolation

    def targets(self, bars: Bars) -> FloatArray:
        """Return the target weights.

        Raises
        ------
        StrategyFailed
            If the code raised; the sandbox lives on.
        SandboxError
            If the sandbox ended. The next call starts another one, as long as `restarts` allows.
        IsolationUnavailable
            If this machine offers no isolation: the code is then not run at all.
        """
        weights: FloatArray = _wait_for(self._targets(arrays_of(bars), len(bars)))
        return weights

    def close(self) -> None:
        """End the sandbox; the next question starts another one."""
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            _wait_for(sandbox.kill())

    async def _targets(self, arrays: Mapping[str, Any], count: int) -> Any:
        limit = self._limits.call_timeout_s if count <= BARS_OF_A_CALL else BATCH_TIMEOUT_S
        if self._sandbox and self._is_worn(monotonic()):
            await self._sandbox.kill()
            self._sandbox = None
        sandbox = self._sandbox or await self._start()
        asked = monotonic()
        try:
            return await sandbox.targets(arrays, limit)
        except StrategyFailed:
            raise
        except (SandboxGone, SandboxBusy):  # taken away: nothing that the code did
            self._sandbox = None
            raise
        except SandboxError:
            self._sandbox = None
            self._ended += 1
            raise
        finally:
            self._worked_s += monotonic() - asked

    def _is_worn(self, now: float) -> bool:
        """Return whether a sandbox nears a limit of its life, which must not end it amid a decision."""
        limits = self._limits
        age_s = now - self._started
        return self._worked_s > limits.cpu_s / 2 or age_s > limits.total_timeout_s / 2

    async def _start(self) -> Sandbox:
        if self._ended > self.restarts:
            raise SandboxError(
                f"strategy {self.name!r} has ended {self._ended} sandboxes and gets no other; correct it."
            )
        backend = await asyncio.to_thread(self._open_backend)
        sandbox = await backend.create(self.template, self._limits, {"strategy": self.sha256})
        self._isolation = sandbox.isolation
        try:
            await sandbox.load(self._source, self._parameters)
        except SandboxError:
            await sandbox.kill()
            raise
        self._sandbox = sandbox
        self._started, self._worked_s = monotonic(), 0.0
        return sandbox


def source_of(path: Path) -> Source:
    """Return the strategy in a file.

    Raises
    ------
    UsageError
        If it cannot be read as text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    return source_named(path.name, text)


def source_named(name: str, text: str) -> Source:
    """Return a source under its own digest."""
    return Source(name=name, text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def lookback_of(source: Source) -> int:
    """Return how many bars a strategy says that it needs; its code is not run for that.

    Raises
    ------
    ConfigError
        If it does not say so in a line `LOOKBACK = n`.
    """
    found = LOOKBACK.findall(source.text)
    if len(found) != 1 or int(found[0]) < 1:
        raise ConfigError(
            f"{source.name}: write one line `LOOKBACK = 200` (bars, a plain number of 1 or more)."
        )
    return int(found[0])


def arrays_of(bars: Bars) -> dict[str, Any]:
    """Return bars as a sandbox takes them; signals go by their names."""
    arrays = {name: getattr(bars, name) for name in PLAIN_ARRAYS}
    return {**arrays, **bars.signals, NAMES: bars.instrument_ids}


def _wait_for(work: Coroutine[Any, Any, Opened]) -> Opened:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of all sandboxed strategies of this process, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sandboxed-strategies", daemon=True).start()
    return loop


os.register_at_fork(after_in_child=_loop.cache_clear)

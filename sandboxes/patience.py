"""A strategy that is waited for, but not for ever: who trades must not stand still while a sandbox is made."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic

from sandboxes.errors import (
    KILLS,
    IsolationUnavailable,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    StrategyFailed,
)
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy, Undecided

PATIENCE_S = 2.0
"""A host whose loop does not turn for longer than a few seconds is replaced."""
GIVE_UP_S = 60.0
FINAL = (*KILLS, StrategyFailed, SandboxRefused, IsolationUnavailable)
"""After these nothing is gained by asking again."""


class PatientStrategy:
    """Asks in a thread of its own. Without an answer in time it is undecided, and asks again next time.

    Parameters
    ----------
    strategy : Strategy
        It raises `SandboxError`s; whatever of them is in `FINAL` is passed on at once.
    patience_s : float
        How long one question may take.
    give_up_s : float
        After so long without an answer the trouble itself is raised.
    """

    def __init__(
        self,
        strategy: Strategy,
        patience_s: float = PATIENCE_S,
        give_up_s: float = GIVE_UP_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._strategy = strategy
        self._patience_s, self._give_up_s, self._clock = patience_s, give_up_s, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="patient-strategy")
        self._asked: Future[FloatArray] | None = None
        self._troubled_since: float | None = None

    @property
    def lookback(self) -> int:
        return self._strategy.lookback

    def targets(self, bars: Bars) -> FloatArray:
        """Return the weights.

        Raises
        ------
        Undecided
            If there is no answer yet.
        SandboxError
            If there will be none.
        """
        began = self._clock()
        try:
            weights = self._answer(bars, began + self._patience_s)
        except FINAL:
            raise
        except TimeoutError:
            trouble: SandboxError = SandboxGone(f"no sandbox answered for {self._give_up_s:g} s.")
        except SandboxError as error:
            trouble = error
        else:
            self._troubled_since = None
            return weights
        if self._troubled_since is None:
            self._troubled_since = began
        if self._clock() - self._troubled_since >= self._give_up_s:
            raise trouble
        raise Undecided from trouble

    def _answer(self, bars: Bars, deadline: float) -> FloatArray:
        """Return an answer to this very question; one to an earlier question is worth nothing now."""
        if self._asked is not None:
            self._taken(deadline)
        self._asked = self._thread.submit(self._strategy.targets, bars)
        return self._taken(deadline)

    def _taken(self, deadline: float) -> FloatArray:
        assert self._asked is not None
        asked = self._asked
        wait([asked], max(0.0, deadline - self._clock()))
        if not asked.done():  # asked once: what comes from here on is found the next time
            raise TimeoutError
        self._asked = None
        return asked.result()

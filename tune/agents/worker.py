"""A strategy in its sandbox, as the stages ask it: what the code did wrong is told apart from our troubles."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sandboxes.errors import KILLS, SandboxError, StrategyFailed
from sandboxes.sandbox import Isolation
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy
from tune.agents.candidate import Candidate


class NoAnswer(Exception):
    """The strategy did not answer, by its own fault."""


class Worker:
    """One strategy in a sandbox of its own, watched.

    Parameters
    ----------
    strategy : Strategy
        It raises a `SandboxError` when there is no answer.
    isolation : Isolation
        How it is kept in, as far as that is known before it is asked.
    seen : function
        Returns how its sandbox keeps it in, once there is one.

    Attributes
    ----------
    strategy : Strategy
        As it was given.
    killed : SandboxError or None
        Why it had to be ended.
    trouble : SandboxError or None
        What kept us from asking it: no fault of the strategy.
    """

    def __init__(
        self,
        strategy: Strategy,
        isolation: Isolation,
        seen: Callable[[], Isolation | None] = lambda: None,
    ) -> None:
        self.strategy = strategy
        self._isolation, self._seen = isolation, seen
        self.killed: SandboxError | None = None
        self.trouble: SandboxError | None = None

    @property
    def lookback(self) -> int:
        return self.strategy.lookback

    @property
    def isolation(self) -> Isolation:
        return self._seen() or self._isolation

    def targets(self, bars: Bars) -> FloatArray:
        """Return the weights.

        Raises
        ------
        NoAnswer
            If the code raised or had to be killed.
        SandboxError
            If the sandbox itself failed.
        """
        if self.killed:
            raise NoAnswer(f"it had been killed before: {self.killed}")
        try:
            return self.strategy.targets(bars)
        except StrategyFailed as error:
            raise NoAnswer(str(error)) from error
        except KILLS as error:
            self.killed = error
            raise NoAnswer(f"{error} [{error.code}]") from error
        except SandboxError as error:
            self.trouble = error
            raise

    def require_untroubled(self) -> None:
        """Raise what kept us from asking, where a check took it for an answer."""
        if self.trouble:
            raise self.trouble


OpenWorker = Callable[[Candidate], AbstractContextManager[Worker]]
"""Starts a new worker that has seen nothing yet; it ends with the block."""

"""The one idea: a trading entity is a pure state machine, and a host runs it.

    handle(message, now) -> effects

A machine knows no Ray, no socket, no clock, no file and no randomness. It gets a message and
returns effects; the host performs them, and every result, a time-out too, comes back as a
message. The same object runs in a backtest, in the simulator and in live trading.

State is a fold over events. A machine has at most one journal stream of its own, and may follow
streams of others. Three ways of moving information, each with one promise:

* **facts** (`Event`) go into a journal stream; whoever follows the stream gets each exactly once, in
  order, also across restarts;
* **commands** (`Command`) are sent to one machine, in order, at least once; receivers apply once;
* **market data** (`MarketData`) is published; it may be lost, and receivers watch the sequence.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from trading.effects import Effect
from trading.events import Event
from trading.identifiers import MachineName, StreamName
from trading.messages import Message


class Machine(Protocol):
    """What a host can run.

    Life: the host takes the lease of `stream`, folds the own stream and then each followed stream with
    `apply`, and hands over `Started`. From then on `handle` gets every message. An event of a followed
    stream also arrives by `handle`; the machine folds it there itself (through its own `apply`).
    """

    @property
    def name(self) -> MachineName: ...

    @property
    def stream(self) -> StreamName | None:
        """The stream that this machine alone writes."""

    @property
    def follows(self) -> tuple[StreamName, ...]: ...

    @property
    def subscribes(self) -> tuple[str, ...]:
        """Topic prefixes of market data."""

    def handle(self, message: Message, now: int) -> list[Effect]:
        """React to one message. Bounded work; raises only on a broken invariant.

        Parameters
        ----------
        now : int
            Host time (ns UTC).
        """

    def apply(self, event: Event) -> None:
        """Fold one fact: the only place where durable state changes."""

    def view(self) -> Mapping[str, Any]:
        """What people may see: plain values (str, int, float, Decimal, lists, dicts)."""

    def state_hash(self) -> str:
        """Hash of the durable state: equal after a restart, equal on every replay."""

    def validate(self) -> None:
        """Raise `AssertionError` when an invariant does not hold."""

"""One call: at which desk, by whom, under which ticket."""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import Resolve

from serve.desk.audit import OK
from serve.desk.principal import Principal
from serve.mcp.ticket import Ticket

if TYPE_CHECKING:  # it brings numpy and polars with it, which listing the tools needs not
    from serve.desk.front_desk import FrontDesk


class DeskHolder:
    """Opens the desk with the first call that needs it: listing tools needs none."""

    def __init__(self, open_desk: Callable[[], "FrontDesk"]) -> None:
        self._open = open_desk
        self._lock = threading.Lock()
        self._desk: FrontDesk | None = None

    def desk(self) -> "FrontDesk":
        with self._lock:
            if self._desk is None:
                self._desk = self._open()
            return self._desk


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool is given beside its arguments.

    Attributes
    ----------
    correlation_id : str
        Of the request; it is that of the orders and jobs that follow from it.
    shown : frozenset of str
        The tools that this server shows.
    """

    holder: DeskHolder
    by: Principal
    ticket: Ticket
    correlation_id: str
    shown: frozenset[str] = frozenset()

    @property
    def desk(self) -> "FrontDesk":
        """Opened with the first use, which blocks: never touch it first in an event loop."""
        return self.holder.desk()

    def key(self, given: str, part: str = "") -> str:
        """Return the idempotency key of an order: the caller's own, or the ticket's.

        Parameters
        ----------
        part : str
            Tells the orders of one call apart.
        """
        return "-".join(filter(None, (given or f"mcp-{self.ticket.id}", part)))

    def record(self, action: str, subject: str, outcome: str = OK) -> None:
        """Write it into the audit trail."""
        self.desk.audit.record(
            self.by,
            f"mcp {action}",
            subject=subject,
            outcome=outcome,
            correlation_id=self.correlation_id,
        )


CURRENT: ContextVar[Call] = ContextVar("mcp_call")


def current_call() -> Call:
    """Return the call that is being answered."""
    return CURRENT.get()


async def _resolve_call() -> Call:
    return CURRENT.get()


Caller = Annotated[Call, Resolve(_resolve_call)]
"""A parameter of every tool; clients neither see nor fill it."""

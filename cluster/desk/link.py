"""What the front desk needs of a running cluster: over Ray, or of a simulation in the same process."""

from contextlib import AbstractContextManager
from typing import Protocol

from actors.blueprint import Blueprint
from actors.journal.journal import Journal
from serve.desk.view import ClusterSnapshot, VenueKillReport
from trading.identifiers import MachineName
from trading.messages import Message


class ClusterLink(Protocol):
    """One running cluster. May be used by several threads at once."""

    @property
    def blueprint(self) -> Blueprint:
        """What the running machines are made from."""

    def snapshot(self) -> ClusterSnapshot:
        """Look at everything. Raises `ClusterUnreachable` when nothing of the cluster is left."""

    def command(self, to: MachineName, message: Message) -> None:
        """Hand a message to a machine.

        Raises
        ------
        ClusterUnreachable
            If its host is down or does not answer; whether it got the message is not known then.
        """

    def journal(self) -> AbstractContextManager[Journal]:
        """Lend the journal of the cluster to one thread."""

    def kill(self, *, actor: str, reason: str, flatten: bool) -> list[VenueKillReport]: ...

    def reset_kill(self, *, actor: str, reason: str) -> None: ...

    def now_ns(self) -> int:
        """Return the time of the hosts (ns UTC)."""

    def pause(self, seconds: float) -> None:
        """Let the cluster work for so long."""

    def close(self) -> None: ...

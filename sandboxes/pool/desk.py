"""Who gets a sandbox next: turns, places, quotas and quarantine, without a process or a clock."""

import msgspec

from sandboxes.errors import SandboxBusy, SandboxRefused
from sandboxes.limits import Limits
from sandboxes.pool.facts import AnyFact
from sandboxes.pool.fair_queue import FairQueue
from sandboxes.pool.quarantine import Quarantine
from sandboxes.pool.quotas import Quotas
from sandboxes.pool.settings import PoolSettings


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One sandbox is wanted.

    Attributes
    ----------
    ticket : str
        Names the sandbox from now on.
    client : str
        The process that asks; what it holds ends with it.
    source : str
        sha256 of the code, where it is known already.
    """

    ticket: str
    client: str
    owner: str
    template: str
    limits: Limits
    source: str = ""


class Desk:
    """Says who is served; it does nothing itself.

    Parameters
    ----------
    places : int
        How many sandboxes there may be.
    """

    def __init__(self, places: int, settings: PoolSettings) -> None:
        self.places = places
        self.held: dict[str, Ask] = {}
        self._settings = settings
        self._queue: FairQueue[Ask] = FairQueue()
        self._waiting: dict[str, Ask] = {}
        self._quotas = Quotas(settings.quota)
        self._quarantine = Quarantine(settings.quarantine)

    @property
    def waiting(self) -> tuple[Ask, ...]:
        return tuple(self._waiting.values())

    def note(self, fact: AnyFact) -> None:
        self._quotas.note(fact)
        self._quarantine.note(fact)

    def used(self, owner: str, now_s: float) -> tuple[int, float]:
        """Return (runs, seconds of processor time) of an owner within the window."""
        return self._quotas.used(owner, now_s)

    def check_source(self, source: str, now_s: float) -> None:
        """Refuse a source in quarantine with `SandboxRefused`."""
        if objection := self._quarantine.objection(source, now_s):
            raise SandboxRefused(objection)

    def check_owner(self, owner: str, now_s: float) -> None:
        """Refuse a new run of an owner who has used up a quota with `SandboxBusy`."""
        if objection := self._quotas.objection(owner, now_s):
            raise SandboxBusy(objection)

    def check_cpu(self, owner: str, now_s: float) -> None:
        """Refuse all work of an owner who has used up its processor time with `SandboxBusy`."""
        if objection := self._quotas.cpu_objection(owner, now_s):
            raise SandboxBusy(objection)

    def ask(self, ask: Ask, now_s: float) -> None:
        """Put somebody into the queue.

        Raises
        ------
        SandboxBusy
            If a quota is used up, or too many of this owner wait.
        SandboxRefused
            If the source is in quarantine, or the sandbox could never be had.
        """
        self.check_source(ask.source, now_s)
        self.check_owner(ask.owner, now_s)
        quota, asked = self._settings.quota.memory_bytes, ask.limits.memory_bytes
        if asked > quota:
            raise SandboxRefused(
                f"a sandbox of {asked >> 20} MiB; {ask.owner!r} may have {quota >> 20} MiB in all."
            )
        if self._queue.waiting(ask.owner) >= self._settings.queue:
            raise SandboxBusy(
                f"{self._settings.queue} sandboxes of {ask.owner!r} wait already; ask again later."
            )
        self._queue.put(ask.owner, ask)
        self._waiting[ask.ticket] = ask

    def grants(self) -> list[Ask]:
        """Return those whose turn it is; they hold a place from now on."""
        granted = []
        while len(self.held) < self.places and (ask := self._queue.take(self._has_memory)):
            del self._waiting[ask.ticket]
            self.held[ask.ticket] = ask
            granted.append(ask)
        return granted

    def end(self, ticket: str) -> None:
        """Give a place back, or leave the queue; nothing happens to a ticket that has ended."""
        self.held.pop(ticket, None)
        if ask := self._waiting.pop(ticket, None):
            self._queue.remove(ask.owner, ask)

    def obstacle(self, ask: Ask) -> str:
        """Return in one sentence what somebody waits for."""
        if self._has_memory(ask):
            return f"all {self.places} places for sandboxes are taken; wait, or end one."
        quota = self._settings.quota.memory_bytes
        return f"the sandboxes of {ask.owner!r} fill its {quota >> 20} MiB; wait, or end one."

    def _has_memory(self, ask: Ask) -> bool:
        held = (each.limits.memory_bytes for each in self.held.values() if each.owner == ask.owner)
        return sum(held) + ask.limits.memory_bytes <= self._settings.quota.memory_bytes

"""The local backend: the strongest rung that this machine offers and that a probe has proved."""

import asyncio
import os
import platform
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import msgspec

from sandboxes.attacks.run import LIMITS
from sandboxes.errors import IsolationUnavailable, SandboxRefused
from sandboxes.limits import Limits
from sandboxes.local import folder, runtime
from sandboxes.local.plan import next_user
from sandboxes.local.probe import prove
from sandboxes.local.rungs import RUNGS, Rung
from sandboxes.local.runtime import Runtime
from sandboxes.local.sandbox import LocalSandbox
from sandboxes.local.seccomp import assemble
from sandboxes.local.survivors import end_orphans
from sandboxes.local.syscalls import ARCHITECTURES
from sandboxes.sandbox import Isolation
from sandboxes.templates import registry
from sandboxes.templates.template import Template

NAME, PROVED_WITH = "local", "base"


class LocalBackend:
    """Proves a rung at its first use, once; without one nothing is ever run.

    Parameters
    ----------
    home : Path
        Where copies of the interpreter and the folders of jobs go. For the administrator, whose
        sandboxes run as other users, it must be open to others; else a folder of the system is taken.
    least_rung : str
        The weakest rung that will do: `L1` or `L2`.
    rungs
        What there is to choose from.
    templates
        Further ones, beside those that ship.
    """

    def __init__(
        self,
        home: Path,
        least_rung: str = "L2",
        *,
        rungs: Sequence[Rung] = RUNGS,
        templates: Sequence[Template] = (),
    ) -> None:
        self._wanted_home = home.expanduser().absolute()
        self._least_rung = least_rung
        self._rungs = tuple(rungs)
        self._templates = {each.name: each for each in templates}
        self._proving = threading.Lock()
        self._proved: tuple[Rung, Isolation] | None = None
        self._refusal: dict[str, str] = {}
        self._runtimes: dict[str, Runtime] = {}
        self._home = self._wanted_home

    @property
    def isolation(self) -> Isolation:
        return self._proof()[1]

    async def create(
        self, template: str, limits: Limits, metadata: Mapping[str, str] | None = None
    ) -> LocalSandbox:
        """Return a sandbox that is ready.

        Parameters
        ----------
        metadata : mapping
            For those who look at it from outside; nothing here does.

        Raises
        ------
        IsolationUnavailable
            If no rung was proved.
        SandboxRefused
            If there is no such template.
        """
        rung, isolation = await asyncio.to_thread(self._proof)
        place = await asyncio.to_thread(self._runtime, template)
        details = {**isolation.details, **place.about}
        told = msgspec.structs.replace(isolation, details=details)
        sandbox = LocalSandbox(rung, told, place, limits, self._home / "jobs")
        await sandbox.start()
        return sandbox

    def _runtime(self, name: str) -> Runtime:
        if name not in self._runtimes:
            template = self._templates.get(name) or registry.inspect(name)
            self._runtimes[name] = runtime.prepare(self._home, template)
        return self._runtimes[name]

    def _proof(self) -> tuple[Rung, Isolation]:
        with self._proving:
            if self._refusal:
                raise IsolationUnavailable(self._refusal)
            if self._proved is None:
                try:
                    with ThreadPoolExecutor(1) as pool:  # the caller may be inside an event loop
                        self._proved = pool.submit(self._prove).result()
                except IsolationUnavailable as refusal:
                    self._refusal = refusal.reasons
                    raise
            return self._proved

    def _prove(self) -> tuple[Rung, Isolation]:
        """Return the first rung that holds, with its proof."""
        names = [rung.name for rung in self._rungs]
        if self._least_rung not in names:
            raise SandboxRefused(
                f"there is no rung {self._least_rung!r}; known are {', '.join(names)}."
            )
        reasons = {}
        for rung in self._rungs[: names.index(self._least_rung) + 1]:
            reason, isolation = self._try(rung)
            if isolation:
                return rung, isolation
            reasons[rung.name] = reason
        raise IsolationUnavailable(reasons)

    def _try(self, rung: Rung) -> tuple[str, Isolation | None]:
        if reason := rung.objection():
            return reason, None
        user = next_user()
        self._home = runtime.usable_home(self._wanted_home, user)
        try:
            (self._home / "jobs").mkdir(exist_ok=True)
            (self._home / "jobs").chmod(0o711)
            end_orphans()
            folder.sweep(self._home / "jobs")
            place = self._runtime(PROVED_WITH)
        except OSError as error:
            return f"the interpreter cannot be copied: {error}; name another home", None
        details = {
            **rung.details(),
            "machine": platform.machine(),
            "kernel": f"{platform.release()} {platform.version()}",
            "user": "another for each" if user else str(os.geteuid()),
            "runtime": place.digest[:16],
            "filter": sha256(assemble(ARCHITECTURES[platform.machine()], 1)).hexdigest()[:16],
        }
        isolation = Isolation(backend=NAME, rung=rung.name, details=details)
        reason, proof = prove(LocalSandbox(rung, isolation, place, LIMITS, self._home / "jobs"))
        return reason, None if reason else msgspec.structs.replace(isolation, proof=proof)

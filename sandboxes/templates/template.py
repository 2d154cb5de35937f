"""What a template says."""

import msgspec
from msgspec.structs import replace

from sandboxes.limits import JOB, Limits


class E2BImage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the template is built and named at E2B.

    Attributes
    ----------
    alias : str
        Name of the template there; its tag is the start of the digest of the lock.
    source : str
        `python:<version>` for that image, `template:<name>` for a template that exists at E2B.
    platform : str
        `cp311-linux-x86_64`: what the Python of the source takes; the lock of that name is installed.
    cpu_count, memory_mb : int
        What each of its sandboxes gets, and what is billed.
    """

    alias: str
    source: str
    platform: str
    cpu_count: int
    memory_mb: int


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sandbox is furnished with.

    Attributes
    ----------
    name : str
        That of its file.
    summary : str
        One sentence for a person who chooses.
    packages : tuple of str
        `name==version`: what is asked for. What is installed is in the lock, dependencies included.
    preload : tuple of str
        Modules that a worker imports before it is locked down.
    env : mapping
        The whole environment of the code. Nothing else is handed on.
    limits : Limits
        Where they differ from the usual ones.
    e2b : E2BImage
    """

    name: str
    summary: str
    packages: tuple[str, ...]
    preload: tuple[str, ...]
    env: dict[str, str]
    e2b: E2BImage
    limits: Limits = Limits()

    def for_jobs(self, timeout_s: float) -> Limits:
        """Return the limits of scripts that may take so long each."""
        own = self.limits
        return replace(
            JOB,
            memory_bytes=max(JOB.memory_bytes, own.memory_bytes),
            processes=max(JOB.processes, own.processes),
            files=max(JOB.files, own.files),
            call_timeout_s=timeout_s,
            total_timeout_s=timeout_s + JOB.total_timeout_s,
        )

"""Short ways to run something in a sandbox, and to look at this process."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sandboxes.attacks.run import source_of
from sandboxes.limits import Limits
from sandboxes.local.backend import LocalBackend
from sandboxes.local.sandbox import LocalSandbox
from sandboxes.sandbox import RunResult, Source

SHORT = Limits(call_timeout_s=20.0)
Got = TypeVar("Got")


def in_sandbox(
    backend: LocalBackend,
    use: Callable[[LocalSandbox], Awaitable[Got]],
    limits: Limits = SHORT,
    template: str = "bare",
) -> Got:
    async def work() -> Got:
        sandbox = await backend.create(template, limits)
        try:
            return await use(sandbox)
        finally:
            await sandbox.kill()

    return asyncio.run(work())


def run_script(
    backend: LocalBackend,
    code: str,
    files: Mapping[str, bytes] | None = None,
    limits: Limits = SHORT,
) -> RunResult:
    return in_sandbox(backend, lambda sandbox: sandbox.run(code, files), limits)


def strategy(text: str) -> Source:
    return source_of("test.py", text)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def descriptors() -> int:
    """Count what is open; what others left to the garbage collector must not be closed amid a test."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))

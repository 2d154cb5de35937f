"""A script with files in and out, run once in a sandbox at E2B."""

import json
import shlex
from collections.abc import Mapping

from sandboxes.e2b.commands import Commands, Ended, Listener, limited
from sandboxes.e2b.files import Files
from sandboxes.e2b.guest import job
from sandboxes.e2b.scripts import script_of
from sandboxes.errors import ProtocolViolation
from sandboxes.limits import Limits
from sandboxes.sandbox import Isolation, RunResult

FOLDER = "/home/user/jobs"
SCRIPT = "main.py"
USAGE_BYTES_MAX = 1000


class Jobs:
    """Runs scripts in one sandbox, each in a folder of its own.

    Parameters
    ----------
    envs : mapping
        The environment of the scripts.
    """

    def __init__(
        self,
        commands: Commands,
        files: Files,
        limits: Limits,
        isolation: Isolation,
        envs: Mapping[str, str],
    ) -> None:
        self._commands = commands
        self._files = files
        self._limits = limits
        self._isolation = isolation
        self._envs = envs
        self._count = 0

    async def run(
        self,
        code: str,
        files: Mapping[str, bytes],
        timeout_s: float,
        on_output: Listener | None,
    ) -> RunResult:
        """Run a script beside its files; what it writes there comes back.

        Raises
        ------
        SandboxError
            If the sandbox is gone, or what comes back is too much or no answer.
        """
        self._count += 1
        outer = f"{FOLDER}/{self._count}"
        inner = f"{outer}/work"
        given = {**files, SCRIPT: code.encode()}
        await self._files.write(outer, {"job.py": script_of(job)})
        await self._files.write(inner, given)
        command = limited(f"exec python3 {shlex.quote(f'{outer}/job.py')} {SCRIPT}", self._limits)
        ended = await self._commands.run(command, timeout_s, inner, self._envs, on_output)
        if ended.error:
            return self._result(ended, {}, 0.0, 0)
        written = await self._files.collect(inner, self._limits.scratch_bytes + total(given))
        new = {name: data for name, data in written.items() if given.get(name) != data}
        return self._result(ended, new, *await self._usage(f"{outer}/usage.json"))

    async def _usage(self, path: str) -> tuple[float, int]:
        """What the machine says of itself: good enough to count, not to trust."""
        try:
            told = json.loads(await self._files.read(path, USAGE_BYTES_MAX))
            return max(float(told["cpu_s"]), 0.0), max(int(told["peak_memory_bytes"]), 0)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise ProtocolViolation("the sandbox says nonsense about what the job used.") from None

    def _result(
        self, ended: Ended, files: Mapping[str, bytes], cpu_s: float, peak_memory_bytes: int
    ) -> RunResult:
        return RunResult(
            ok=ended.exit_code == 0,
            exit_code=ended.exit_code,
            stdout=ended.stdout,
            stderr=ended.stderr,
            error=ended.error,
            seconds=ended.seconds,
            isolation=self._isolation,
            files=files,
            cpu_s=cpu_s,
            peak_memory_bytes=peak_memory_bytes,
        )


def total(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values()))

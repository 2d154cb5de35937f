"""Code contexts: code in steps that share their variables, and the charts that it draws."""

import base64
import time
from typing import Any

from e2b_code_interpreter import AsyncSandbox, Context, Execution, Result

from sandboxes.e2b.commands import Listener, Output, bounded
from sandboxes.e2b.connection import Connection
from sandboxes.e2b.faults import asking
from sandboxes.errors import OutputLimit, SandboxCrashed, SandboxError
from sandboxes.limits import Limits
from sandboxes.sandbox import Isolation, RunResult

RESTARTED = "ContextRestarting"
"""What the service calls a kernel that died. It is told as an error of the code, and the next step works."""
CHARTS = ("png", "html", "svg")


class Contexts:
    """The contexts of one sandbox.

    Parameters
    ----------
    guest : AsyncSandbox
        The sandbox as the library knows it; its template needs the code interpreter of E2B.
    """

    def __init__(
        self, guest: AsyncSandbox, connection: Connection, limits: Limits, isolation: Isolation
    ) -> None:
        self._guest = guest
        self._connection = connection
        self._limits = limits
        self._isolation = isolation

    async def open(self) -> str:
        """Start a context and return its id.

        Raises
        ------
        SandboxError
            If the sandbox has no code interpreter, or is gone.
        """
        async with asking("open a context", self._connection, self._connection.request_timeout_s):
            context = await self._guest.create_code_context()
        return str(context.id)

    async def close(self, context_id: str) -> None:
        """End a context and what runs in it."""
        async with asking("close a context", self._connection, self._connection.request_timeout_s):
            await self._guest.remove_code_context(context_id)

    async def run(
        self, context_id: str, code: str, timeout_s: float, on_output: Listener | None = None
    ) -> RunResult:
        """Run a step of code in a context.

        Returns
        -------
        RunResult
            `stdout`, `stderr` with the traceback, and `files`: `result-0.txt`, `result-1.png` ... for
            each thing that the code showed. `exit_code` is None. After a time-out or a flood the
            context is restarted: its variables are lost.

        Raises
        ------
        SandboxError
            If the context cannot be restarted, or the sandbox is gone: end it.
        """
        output = Output(self._limits, on_output)
        started = time.monotonic()
        execution, error = await bounded(
            self._ask(context_id, code, output),
            output,
            timeout_s + self._connection.network_allowance_s,
        )
        if execution is None:
            await self._restart(context_id)
        elif execution.error is not None:
            crashed = execution.error.name == RESTARTED
            error = SandboxCrashed.code if crashed else ""
            await output.hear("stderr", execution.error.traceback or execution.error.value)
        return RunResult(
            ok=execution is not None and execution.error is None,
            exit_code=None,
            stdout=output.text("stdout"),
            stderr=output.text("stderr"),
            error=error,
            seconds=time.monotonic() - started,
            isolation=self._isolation,
            files=shown(execution.results, self._limits) if execution is not None else {},
        )

    async def _ask(self, context_id: str, code: str, output: Output) -> Execution:
        async with asking("run code", self._connection, None):
            # The library's own deadline comes at twice its time, so it has none here.
            execution: Execution = await self._guest.run_code(
                code,
                context=Context(context_id, "python", ""),
                timeout=0,
                on_stdout=lambda message: output.hear("stdout", message.line),
                on_stderr=lambda message: output.hear("stderr", message.line),
            )
        return execution

    async def _restart(self, context_id: str) -> None:
        async with asking(
            "restart a context", self._connection, self._connection.request_timeout_s
        ):
            await self._guest.restart_code_context(context_id)


def shown(results: list[Result], limits: Limits) -> dict[str, bytes]:
    """Return what code showed, by name, up to the size that files may have together.

    Raises
    ------
    OutputLimit
        Beyond that.
    """
    found: dict[str, bytes] = {}
    for place, result in enumerate(results):
        found |= {f"result-{place}.{kind}": data for kind, data in forms_of(result).items()}
    size = sum(map(len, found.values()))
    if size > limits.scratch_bytes:
        raise OutputLimit(f"the code showed {size:,} bytes, more than {limits.scratch_bytes:,}")
    return found


def forms_of(result: Result) -> dict[str, bytes]:
    forms: dict[str, bytes] = {}
    for kind in CHARTS:
        shape: Any = getattr(result, kind)
        if isinstance(shape, str):
            forms[kind] = decoded(kind, shape)
    if isinstance(result.text, str) and not forms:
        forms["txt"] = result.text.encode()
    return forms


def decoded(kind: str, text: str) -> bytes:
    try:
        return (
            base64.b64decode("".join(text.split()), validate=True)
            if kind == "png"
            else text.encode()
        )
    except ValueError:
        raise SandboxError(f"the code showed a {kind} that is none") from None

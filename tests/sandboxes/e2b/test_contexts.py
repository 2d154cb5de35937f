"""Code contexts: steps that share variables, charts, and a deadline that is our own."""

import base64

import pytest

from sandboxes.e2b.backend import E2BBackend
from sandboxes.errors import OutputLimit, SandboxError, SandboxRefused
from sandboxes.limits import JOB, Limits
from tests.sandboxes.e2b.fake import Fake

pytestmark = pytest.mark.asyncio
WHEN = "2026-11-21T00:00:00Z"
PNG = b"\x89PNG\r\n"


def said(text: str, stream: str = "stdout") -> dict[str, str]:
    return {"type": stream, "text": text, "timestamp": WHEN}


async def test_a_step_gives_output_and_charts(fake: Fake, backend: E2BBackend) -> None:
    fake.cells["plot()"] = [
        said("drawn\n"),
        said("warm\n", "stderr"),
        {"type": "result", "png": base64.b64encode(PNG).decode(), "text": "<Figure>"},
        {"type": "result", "html": "<b>chart</b>"},
        {"type": "result", "text": "42", "is_main_result": True},
        {"type": "number_of_executions", "execution_count": 1},
    ]
    sandbox = await backend.create("agent", JOB)
    context = await sandbox.open_context()
    heard: list[tuple[str, str]] = []
    result = await sandbox.run_in(context, "plot()", on_output=lambda *what: heard.append(what))
    assert (result.ok, result.error, result.stdout, result.stderr) == (
        True,
        "",
        "drawn\n",
        "warm\n",
    )
    assert heard == [("stdout", "drawn\n"), ("stderr", "warm\n")]
    assert result.files == {
        "result-0.png": PNG,
        "result-1.html": b"<b>chart</b>",
        "result-2.txt": b"42",
    }
    await sandbox.close_context(context)
    assert fake.guests[sandbox.id].interpreter.contexts == {}


async def test_when_the_code_raises_the_traceback_is_told(fake: Fake, backend: E2BBackend) -> None:
    error = {
        "type": "error",
        "name": "ValueError",
        "value": "no",
        "traceback": "line 1: ValueError",
    }
    fake.cells["bad"] = [error]
    sandbox = await backend.create("agent", JOB)
    result = await sandbox.run_in(await sandbox.open_context(), "bad")
    assert (result.ok, result.error, result.stderr) == (False, "", "line 1: ValueError")


async def test_when_the_kernel_dies_it_is_a_crash_and_the_next_step_works(
    fake: Fake, backend: E2BBackend
) -> None:
    fake.cells["die"] = [
        {"type": "error", "name": "ContextRestarting", "value": "restarting", "traceback": ""}
    ]
    fake.cells["next"] = [said("works")]
    sandbox = await backend.create("agent", JOB)
    context = await sandbox.open_context()
    died = await sandbox.run_in(context, "die")
    assert (died.ok, died.error, died.stderr) == (False, "SANDBOX_CRASHED", "restarting")
    assert (await sandbox.run_in(context, "next")).stdout == "works"


async def test_when_a_step_hangs_our_deadline_ends_it_and_the_context_restarts(
    fake: Fake, backend: E2BBackend
) -> None:
    """The library's own would come at twice its time and leave the context busy."""
    fake.cells["hang"] = "hang"
    fake.cells["next"] = [said("works")]
    sandbox = await backend.create("agent", JOB)
    context = await sandbox.open_context()
    late = await sandbox.run_in(context, "hang", timeout_s=6.0)
    assert late.error == "SANDBOX_TIMEOUT"
    assert 6.0 <= late.seconds < 11.7
    assert fake.guests[sandbox.id].interpreter.contexts == {context: 1}
    assert (await sandbox.run_in(context, "next")).stdout == "works"


async def test_when_the_context_cannot_be_restarted_the_sandbox_is_ended(
    fake: Fake, backend: E2BBackend
) -> None:
    fake.cells["hang"] = "hang"
    sandbox = await backend.create("agent", JOB)
    context = await sandbox.open_context()
    fake.fail("restart", 500)
    with pytest.raises(SandboxError):
        await sandbox.run_in(context, "hang", timeout_s=0.2)
    assert fake.guests == {}


async def test_a_flood_restarts_the_context(fake: Fake, backend: E2BBackend) -> None:
    fake.cells["flood"] = [said("x" * 1000)] * 50
    sandbox = await backend.create("agent", Limits(output_bytes=500, output_kill_bytes=5000))
    context = await sandbox.open_context()
    result = await sandbox.run_in(context, "flood", timeout_s=60.0)
    assert result.error == "SANDBOX_OUTPUT_LIMIT"
    assert len(result.stdout) == 500
    assert fake.guests[sandbox.id].interpreter.contexts == {context: 1}


async def test_too_large_a_chart_is_refused(fake: Fake, backend: E2BBackend) -> None:
    fake.cells["large"] = [{"type": "result", "html": "x" * 2000}]
    sandbox = await backend.create("agent", Limits(scratch_bytes=1000))
    with pytest.raises(OutputLimit):
        await sandbox.run_in(await sandbox.open_context(), "large", timeout_s=60.0)


async def test_a_chart_that_is_none_is_refused(fake: Fake, backend: E2BBackend) -> None:
    fake.cells["odd"] = [{"type": "result", "png": "?"}]
    sandbox = await backend.create("agent", JOB)
    with pytest.raises(SandboxError, match="a png that is none"):
        await sandbox.run_in(await sandbox.open_context(), "odd")


async def test_an_unknown_context_is_refused(fake: Fake, backend: E2BBackend) -> None:
    fake.cells["x"] = []
    sandbox = await backend.create("agent", JOB)
    with pytest.raises(SandboxRefused):
        await sandbox.run_in("c99", "x")
    assert sandbox.id in fake.guests

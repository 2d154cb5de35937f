"""Steps of an agent over its files, on a local rung and at (a fake of) E2B."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from sandboxes.e2b.backend import E2BBackend
from sandboxes.errors import SandboxBusy, SandboxGone, SandboxRefused, SandboxTimeout
from sandboxes.executor import AgentProcess
from sandboxes.limits import Limits
from sandboxes.local.survivors import survivors
from sandboxes.sandbox import SandboxBackend
from tests.sandboxes.e2b.conftest import HELD
from tests.sandboxes.e2b.fake import serving
from tests.sandboxes.local.home import any_backend

pytestmark = pytest.mark.asyncio
LIMITS = Limits(memory_bytes=1 << 30, call_timeout_s=60.0, total_timeout_s=120.0)
TEMPLATE = "base"
LATE_S = 5.0
"""Enough for a step to begin and to say so, on a busy machine too."""


@asynccontextmanager
async def e2b_in(folder: Path) -> AsyncIterator[SandboxBackend]:
    async with serving(folder) as service:
        service.scripted["probe.py"] = (HELD, 0)
        backend = E2BBackend(service.connection(), cluster="ours", run="run-1")
        await backend.prove()
        yield backend
        assert service.guests == {}


@asynccontextmanager
async def backend_named(name: str, folder: Path) -> AsyncIterator[SandboxBackend]:
    if name == "local":
        yield any_backend()
    else:
        async with e2b_in(folder) as backend:
            yield backend


@pytest.mark.parametrize("name", ["local", "e2b"])
async def test_steps_share_files_and_nothing_else(name: str, tmp_path: Path) -> None:
    heard: list[str] = []
    async with (
        backend_named(name, tmp_path) as backend,
        AgentProcess(backend, TEMPLATE, LIMITS) as process,
    ):
        process.files["prices.csv"] = b"1,2,3"
        first = await process.script(
            "kept = open('prices.csv').read()\nopen('sum', 'w').write(str(len(kept)))\nprint('one')",
            on_output=lambda _, text: heard.append(text),
        )
        assert (first.ok, first.error, first.number, first.stdout) == (True, "", 1, "one\n")
        assert first.written == {"sum": sha256(b"5").hexdigest()}
        assert "".join(heard) == "one\n"
        second = await process.script("print(open('sum').read()); print(kept)")
        assert (second.ok, second.exit_code, second.stdout) == (False, 1, "5\n")
        assert "NameError" in second.stderr
        assert process.files == {"prices.csv": b"1,2,3", "sum": b"5"}
        assert process.log == [first, second]
        assert first.isolation.backend == name


@pytest.mark.parametrize("name", ["local", "e2b"])
async def test_a_late_step_is_ended_and_the_next_one_has_the_files(
    name: str, tmp_path: Path
) -> None:
    async with (
        backend_named(name, tmp_path) as backend,
        AgentProcess(backend, TEMPLATE, LIMITS) as process,
    ):
        await process.script("open('a', 'w').write('x')")
        late = await process.script("print('on', flush=True)\nwhile True: pass", timeout_s=LATE_S)
        assert (late.ok, late.error, late.stdout) == (False, SandboxTimeout.code, "on\n")
        assert (await process.script("print(open('a').read())")).stdout == "x\n"


async def test_a_command_runs_where_programs_may_be_started(tmp_path: Path) -> None:
    async with e2b_in(tmp_path) as backend, AgentProcess(backend, TEMPLATE, LIMITS) as process:
        process.files["in"] = b"b\na\n"
        step = await process.command("sort in > out && cat out")
        assert (step.ok, step.kind, step.stdout) == (True, "command", "a\nb\n")
        assert step.text == "sort in > out && cat out"
        assert process.files["out"] == b"a\nb\n"
        assert (await process.command("exit 7")).exit_code == 7
        assert (await process.command("kill -9 $$")).exit_code == 137


async def test_a_local_rung_says_that_it_starts_no_programs() -> None:
    async with AgentProcess(any_backend(), TEMPLATE, LIMITS) as process:
        with pytest.raises(SandboxRefused, match=r"rung L\d starts no programs"):
            await process.command("ls")
        tried = await process.script("import subprocess; subprocess.run(['/bin/ls'])")
        assert "PermissionError" in tried.stderr
        assert [step.kind for step in process.log] == ["script"]


@pytest.mark.parametrize("name", ["local", "e2b"])
async def test_kill_ends_the_step_that_runs(name: str, tmp_path: Path) -> None:
    async with backend_named(name, tmp_path) as backend:
        process = AgentProcess(backend, TEMPLATE, LIMITS)
        began = asyncio.Event()
        running = asyncio.create_task(
            process.script("print(1, flush=True)\nwhile True: pass", None, lambda *_: began.set())
        )
        await asyncio.wait_for(began.wait(), 60)
        sandbox = process._sandbox
        assert sandbox is not None
        with pytest.raises(SandboxBusy, match="step"):
            await process.script("")
        await process.kill()
        with pytest.raises(SandboxGone, match="killed amid"):
            await running
        with pytest.raises(SandboxGone, match="make a new one"):
            await process.script("")
        assert survivors(sandbox.id) == []
        assert process.log == []


async def test_all_steps_together_have_their_time() -> None:
    async with AgentProcess(any_backend(), TEMPLATE, LIMITS) as process:
        process._used_s = LIMITS.total_timeout_s - 0.5  # as if earlier steps had taken it
        step = await process.script("while True: pass")
        assert step.error == SandboxTimeout.code
        with pytest.raises(SandboxTimeout, match=r"120 s are used up"):
            await process.script("")

"""Scripts and commands in a sandbox at E2B: files in and out, streams, deadlines, floods."""

from pathlib import Path

import pytest

from sandboxes.e2b.backend import E2BBackend
from sandboxes.errors import OutputLimit, SandboxError, SandboxGone, SandboxRefused
from sandboxes.limits import JOB, Limits
from tests.sandboxes.e2b.fake import Fake

pytestmark = pytest.mark.asyncio
SMALL = Limits(
    call_timeout_s=60.0, output_bytes=1000, output_kill_bytes=20_000, scratch_bytes=10_000
)


async def test_a_script_reads_its_files_and_what_it_writes_comes_back(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", JOB)
    code = (
        "import pathlib, sys\n"
        "table = open('prices.csv').read()\n"
        "pathlib.Path('charts').mkdir()\n"
        "open('charts/one.png', 'wb').write(b'\\x89PNG')\n"
        "open('state.json', 'w').write('new')\n"
        "print(len(table)); print('careful', file=sys.stderr)\n"
    )
    heard: list[tuple[str, str]] = []
    given = {"prices.csv": b"1,2,3", "state.json": b"old"}
    result = await sandbox.run(code, given, on_output=lambda *what: heard.append(what))
    assert (result.ok, result.exit_code, result.error) == (True, 0, "")
    assert (result.stdout, result.stderr) == ("5\n", "careful\n")
    assert sorted(heard) == [("stderr", "careful\n"), ("stdout", "5\n")]
    assert result.files == {"charts/one.png": b"\x89PNG", "state.json": b"new"}
    assert result.cpu_s > 0
    assert result.peak_memory_bytes > 1 << 20
    assert result.isolation.rung == "e2b"


async def test_output_is_heard_while_the_script_still_runs(backend: E2BBackend) -> None:
    """The script waits for a file that exists once its first line was heard."""
    sandbox = await backend.create("base", JOB)
    code = (
        "import os, time\nprint(os.getcwd(), flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\nprint('went')\n"
    )
    result = await sandbox.run(
        code, on_output=lambda _, text: text.startswith("/") and Path(text.strip(), "go").touch()
    )
    assert result.stdout.endswith("went\n")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("1/0", 1),
        ("import os; os.abort()", 134),
        ("import os; os.kill(os.getpid(), 9)", 137),
    ],
)
async def test_a_script_that_fails_says_how_and_the_sandbox_lives_on(
    backend: E2BBackend, code: str, status: int
) -> None:
    sandbox = await backend.create("base", JOB)
    result = await sandbox.run(code)
    assert (result.ok, result.exit_code, result.error) == (False, status, "")
    assert (await sandbox.run("print(1)")).stdout == "1\n"


async def test_a_script_that_never_ends_is_ended_with_its_sandbox(
    fake: Fake, backend: E2BBackend
) -> None:
    sandbox = await backend.create("base", JOB)
    result = await sandbox.run("print('on', flush=True)\nwhile True: pass", timeout_s=5.0)
    assert (result.ok, result.exit_code, result.error) == (False, None, "SANDBOX_TIMEOUT")
    assert result.stdout == "on\n"
    assert fake.guests == {}
    with pytest.raises(SandboxGone):
        await sandbox.run("print(1)")


async def test_a_flood_is_cut_and_ended(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await backend.create("base", SMALL)
    result = await sandbox.run("while True: print('x' * 1000)")
    assert result.error == "SANDBOX_OUTPUT_LIMIT"
    assert len(result.stdout) == 1000
    assert fake.guests == {}


async def test_memory_beyond_the_limit_cannot_be_had(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", Limits(memory_bytes=256 << 20, call_timeout_s=60.0))
    result = await sandbox.run("held = bytearray(512 << 20)")
    assert "MemoryError" in result.stderr


@pytest.mark.parametrize(
    "code",
    ["open('big', 'w').write('x' * 20000)", "[open(str(n), 'w') for n in range(1001)]"],
)
async def test_too_much_written_is_refused_and_ended(
    fake: Fake, backend: E2BBackend, code: str
) -> None:
    sandbox = await backend.create(
        "base", Limits(call_timeout_s=60.0, scratch_bytes=10_000, files=1100)
    )
    with pytest.raises(OutputLimit):
        await sandbox.run(code)
    assert fake.guests == {}


async def test_a_link_is_not_followed(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", JOB)
    result = await sandbox.run(
        "import os; os.symlink('/etc/passwd', 'stolen'); open('a', 'w').close()"
    )
    assert result.files == {"a": b""}


async def test_a_script_that_lies_about_its_use_is_not_believed(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", JOB)
    code = (
        "import os\nos.mkdir('../usage.json')\nos.rmdir('../usage.json')\n"
        "open('../usage.json', 'w').write('{')\nos.chmod('..', 0o555)\nos.kill(os.getppid(), 9)\n"
    )
    with pytest.raises(SandboxError):
        await sandbox.run(code)


@pytest.mark.parametrize("name", ["../up", "/etc/cron", "a/../../b", "", "."])
async def test_names_that_lead_out_are_refused(backend: E2BBackend, name: str) -> None:
    sandbox = await backend.create("base", JOB)
    with pytest.raises(SandboxRefused, match="no name"):
        await sandbox.run("print(1)", {name: b"x"})
    with pytest.raises(SandboxRefused, match="no name"):
        await sandbox.read_file(name)


async def test_files_go_in_and_come_out(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", SMALL)
    await sandbox.write_files({"notes/a.txt": b"first", "big": b"x" * 20_000})
    assert await sandbox.read_file("notes/a.txt") == b"first"
    with pytest.raises(OutputLimit):
        await sandbox.read_file("big")
    with pytest.raises(SandboxError, match="no such file"):
        await sandbox.read_file("missing")


@pytest.mark.parametrize(("status", "said"), [(401, "E2B_API_KEY"), (429, "later"), (507, "full")])
async def test_when_envd_says_no_it_is_told(
    fake: Fake, backend: E2BBackend, status: int, said: str
) -> None:
    sandbox = await backend.create("base", JOB)
    fake.fail("POST /files", status)
    with pytest.raises(SandboxError, match=said):
        await sandbox.write_files({"a": b""})


async def test_when_the_machine_vanishes_during_a_script_it_is_gone(
    fake: Fake, backend: E2BBackend
) -> None:
    sandbox = await backend.create("base", JOB)
    with pytest.raises(SandboxGone):
        await sandbox.run(
            "print('on', flush=True)\nwhile True: pass",
            on_output=lambda *_: fake.vanish(sandbox.id),
        )


async def test_its_time_can_be_set(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await backend.create("base", JOB)
    before = fake.guests[sandbox.id].end_at
    await sandbox.set_timeout(1800)
    assert fake.guests[sandbox.id].end_at > before

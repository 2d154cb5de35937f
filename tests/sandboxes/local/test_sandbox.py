"""One sandbox from outside: strategies, scripts, deadlines, ends."""

import asyncio
import math
import threading
from typing import Any

import numpy as np
import pytest

from sandboxes.attacks.run import some_bars
from sandboxes.errors import (
    InvalidResult,
    ProtocolViolation,
    SandboxBusy,
    SandboxCrashed,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
    StrategyFailed,
)
from sandboxes.limits import Limits
from sandboxes.local import cell, folder
from sandboxes.local.backend import LocalBackend
from sandboxes.local.sandbox import LocalSandbox
from sandboxes.sandbox import RunResult
from tests.sandboxes.local.home import any_backend
from tests.sandboxes.local.measures import in_sandbox, run_script, strategy

HALF = strategy(
    "LOOKBACK = 1\ndef targets(bars, *, weight=0.5):\n    return bars.close * 0 + weight"
)


CALM = Limits(call_timeout_s=60.0)


def ask(text: str, calls: int = 1, limits: Limits = CALM) -> Any:
    async def use(sandbox: LocalSandbox) -> Any:
        await sandbox.load(strategy(text), {})
        for _ in range(calls):
            found = await sandbox.targets(some_bars())
        return found

    return in_sandbox(any_backend(), use, limits, "base")


def test_strategy_answers_with_the_parameters_it_was_given(backend: LocalBackend) -> None:
    async def use(sandbox: LocalSandbox) -> Any:
        await sandbox.load(HALF, {"weight": 0.25})
        return await sandbox.targets(some_bars())

    weights = in_sandbox(backend, use, template="base")
    assert weights.dtype == np.float64
    assert np.array_equal(weights, np.full((60, 2), 0.25))


def test_strategy_sees_every_array_as_it_was_sent() -> None:
    text = """
import numpy as np
def targets(bars):
    assert bars.ts.dtype == np.int64 and len(bars) == len(bars.ts)
    assert not bars.close.flags.writeable and bars.instrument_ids == ("A", "B")
    return (bars.open + 2 * bars.high + 3 * bars.low + 5 * bars.close + bars.volume
            + bars.signals["mood"]) / 1e4 + bars.ts[:, None] / bars.ts[-1]
"""
    rng = np.random.default_rng(1)
    names = ("close", "open", "high", "low", "volume", "mood")
    bars: dict[str, Any] = {name: rng.uniform(1, 100, (50, 2)) for name in names}
    bars |= {"ts": np.arange(1, 51)}

    async def use(sandbox: LocalSandbox) -> Any:
        await sandbox.load(strategy(text), {})
        return await sandbox.targets({**bars, "instrument_ids": ("A", "B")})

    prices = bars["open"] + 2 * bars["high"] + 3 * bars["low"] + 5 * bars["close"]
    wanted = (prices + bars["volume"] + bars["mood"]) / 1e4 + bars["ts"][:, None] / 50
    assert np.array_equal(in_sandbox(any_backend(), use, template="base"), wanted)


def test_long_table_goes_in_pieces_and_comes_back_whole() -> None:
    close = np.random.default_rng(2).uniform(1, 2, (3_000, 150))
    bars = {"ts": np.arange(3_000), **dict.fromkeys(("close", "open", "high", "low"), close)}

    async def use(sandbox: LocalSandbox) -> Any:
        await sandbox.load(strategy("def targets(bars):\n    return bars.close"), {})
        return await sandbox.targets({**bars, "volume": close})

    assert np.array_equal(in_sandbox(any_backend(), use, template="base"), close)


def test_code_that_raises_is_told_and_lives_on() -> None:
    text = """
calls = 0
def targets(bars):
    global calls
    calls += 1
    if calls == 1:
        raise ValueError("not \\x1b[31mtoday")
    return bars.close * 0
"""

    async def use(sandbox: LocalSandbox) -> Any:
        await sandbox.load(strategy(text), {})
        with pytest.raises(StrategyFailed, match=r"not .*today") as caught:
            await sandbox.targets(some_bars())
        assert "\x1b" not in str(caught.value)
        assert "ValueError" in caught.value.trace
        return await sandbox.targets(some_bars())

    assert not in_sandbox(any_backend(), use, template="base").any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "needs a function"),
        ("def targets(bars, *, days): ...", "missing a required"),
        ("def targets(bars) return", "SyntaxError"),
        ("import torch", "No module named"),
    ],
)
def test_strategy_that_cannot_be_loaded_says_why(text: str, said: str) -> None:
    with pytest.raises(StrategyFailed, match=said):
        ask(text)


def test_wrong_shape_ends_the_sandbox() -> None:
    async def use(sandbox: LocalSandbox) -> None:
        await sandbox.load(strategy("def targets(bars):\n    return bars.close[1:]"), {})
        with pytest.raises(InvalidResult):
            await sandbox.targets(some_bars())
        with pytest.raises(SandboxGone):
            await sandbox.targets(some_bars())

    in_sandbox(any_backend(), use, template="base")


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf, 10.1, -10.1])
def test_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(InvalidResult):
        ask(f"def targets(bars):\n    return bars.close * 0 + float('{weight}')")


def test_spin_is_ended_at_the_deadline_of_the_call(backend: LocalBackend) -> None:
    async def use(sandbox: LocalSandbox) -> None:
        await sandbox.load(strategy("def targets(bars):\n    while True: pass"), {})
        with pytest.raises(SandboxTimeout, match=r"0\.2 s"):
            await sandbox.targets(some_bars(), 0.2)

    in_sandbox(backend, use, template="base")


def test_whole_time_ends_a_sandbox_that_nobody_asks() -> None:
    limits = Limits(call_timeout_s=60.0, total_timeout_s=3600.0)

    async def use(sandbox: LocalSandbox) -> RunResult:
        assert sandbox._cell is not None
        sandbox._cell.child.deadline -= limits.total_timeout_s  # its start took no part of its time
        return await sandbox.run("import time; time.sleep(60)")

    result = in_sandbox(any_backend(), use, limits)
    assert result.error == "SANDBOX_TIMEOUT"
    assert result.seconds < 30


def test_crash_tells_the_signal(backend: LocalBackend) -> None:
    text = "import ctypes\ndef targets(bars):\n    ctypes.string_at(8)"

    async def use(sandbox: LocalSandbox) -> None:
        await sandbox.load(strategy(text), {})
        with pytest.raises(SandboxCrashed, match="signal 11"):
            await sandbox.targets(some_bars(), 10.0)

    in_sandbox(backend, use, template="base")


def test_worker_that_hangs_up_and_lives_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "LAST_WORDS_S", 1.0)
    with pytest.raises(ProtocolViolation, match="hung up"):
        ask("import os\ndef targets(bars):\n    os.closerange(3, 64)\n    while True: pass")


def test_second_question_at_the_same_time_is_refused() -> None:
    async def use(sandbox: LocalSandbox) -> None:
        first = asyncio.create_task(sandbox.run("import time; time.sleep(0.5)"))
        await asyncio.sleep(0)
        with pytest.raises(SandboxBusy):
            await sandbox.run("pass")
        assert (await first).ok

    in_sandbox(any_backend(), use)


def test_sandbox_belongs_to_one_strategy() -> None:
    async def use(sandbox: LocalSandbox) -> None:
        await sandbox.load(HALF, {})
        with pytest.raises(SandboxRefused, match="one strategy"):
            await sandbox.load(HALF, {})
        with pytest.raises(SandboxRefused, match="belongs to a strategy"):
            await sandbox.run("pass")

    in_sandbox(any_backend(), use, template="base")


def test_cancelled_question_ends_the_worker() -> None:
    async def use(sandbox: LocalSandbox) -> None:
        await sandbox.load(strategy("def targets(bars):\n    while True: pass"), {})
        task = asyncio.create_task(sandbox.targets(some_bars(), 60.0))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(SandboxGone):
            await sandbox.targets(some_bars())

    in_sandbox(any_backend(), use, template="base")


def test_killing_twice_does_nothing() -> None:
    async def use(sandbox: LocalSandbox) -> None:
        await sandbox.kill()
        await sandbox.kill()
        with pytest.raises(SandboxGone):
            await sandbox.run("pass")

    in_sandbox(any_backend(), use)


def test_sandbox_outlives_the_thread_that_made_it(backend: LocalBackend) -> None:
    made: list[LocalSandbox] = []
    thread = threading.Thread(
        target=lambda: made.append(asyncio.run(backend.create("bare", Limits())))
    )
    thread.start()
    thread.join()

    async def use() -> str:
        result = await made[0].run("print('here')", timeout_s=20.0)
        await made[0].kill()
        return result.stdout

    assert asyncio.run(use()) == "here\n"


# -- scripts


def test_script_tells_what_it_wrote_and_how_it_ended(backend: LocalBackend) -> None:
    result = run_script(
        backend, "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)"
    )
    assert (result.ok, result.exit_code, result.error) == (False, 3, "")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    assert result.isolation.proof
    assert result.peak_memory_bytes > 0


def test_script_reads_input_files_and_hands_files_back(backend: LocalBackend) -> None:
    code = """
import io, os
from pathlib import Path
data = open("prices.csv").read()
with open("chart.png", "wb") as file:
    file.write(b"\\x89PNG" + bytes(2_000_000))
Path("page.html").write_text(f"<p>{data}</p>")
with open("log.txt", "a") as file:
    file.write("one ")
with open("log.txt", "a") as file:
    file.write("two")
assert open("log.txt").read() == "one two"
print(os.getcwd() and len(open("chart.png", "rb").read()))
"""
    result = run_script(backend, code, {"prices.csv": b"1,2\n"})
    assert result.ok, result.stderr
    assert result.stdout == "2000004\n"
    assert sorted(result.files) == ["chart.png", "log.txt", "page.html"]
    assert result.files["page.html"] == b"<p>1,2\n</p>"
    assert len(result.files["chart.png"]) == 2_000_004


def test_files_of_a_script_are_limited() -> None:
    code = "open('big', 'wb').write(bytes(3 << 20))"
    result = run_script(
        any_backend(), code, limits=Limits(scratch_bytes=2 << 20, call_timeout_s=20)
    )
    assert result.error == "SANDBOX_PROTOCOL_VIOLATION"


@pytest.mark.parametrize("name", ["../up", "/etc/cron", "a/b", "", ".hidden", "a\nb"])
def test_input_file_needs_a_plain_name(name: str) -> None:
    with pytest.raises(SandboxRefused, match="plain file name"):
        run_script(any_backend(), "pass", {name: b""})


def test_each_script_starts_anew() -> None:
    async def use(sandbox: LocalSandbox) -> None:
        first = await sandbox.run("import builtins; builtins.left = 1; open('a', 'w').write('x')")
        assert first.ok, first.stderr
        second = await sandbox.run(
            "import os\nprint(hasattr(__builtins__, 'left'), os.listdir('.'))"
        )
        assert second.stdout == "False []\n"

    in_sandbox(any_backend(), use)


def test_output_is_heard_while_the_script_runs() -> None:
    heard: list[tuple[str, str]] = []
    first = asyncio.Event()

    def listen(stream: str, text: str) -> None:
        heard.append((stream, text))
        first.set()

    async def use(sandbox: LocalSandbox) -> None:
        code = "import time\nprint('now', flush=True)\ntime.sleep(100)"
        running = asyncio.create_task(sandbox.run(code, timeout_s=100.0, on_output=listen))
        await asyncio.wait_for(first.wait(), 60)
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    in_sandbox(any_backend(), use)
    assert heard == [("stdout", "now\n")]


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        ("while not os.path.exists('seen'): time.sleep(0.01)", ""),
        ("while True: print('x' * 10_000)", "SANDBOX_OUTPUT_LIMIT"),
    ],
    ids=["by itself", "killed"],
)
def test_processor_time_and_memory_of_a_script_are_told(
    backend: LocalBackend, ending: str, error: str
) -> None:
    """It ends when its work is done and was seen, however long that took."""
    code = f"""
import os, time
held = bytearray(100 << 20)
while time.process_time() < 0.6:
    pass
{ending}
"""

    async def use(sandbox: LocalSandbox) -> RunResult:
        running = asyncio.create_task(sandbox.run(code))
        seen = sandbox._cell
        assert seen is not None
        while seen.child.used.cpu_s <= 0.3 and not running.done():  # noqa: ASYNC110  a thread sees
            await asyncio.sleep(0.01)
        folder.fill(seen.folder, {"seen": b""}, 1)
        return await running

    result = in_sandbox(backend, use, Limits(call_timeout_s=60.0))
    assert result.error == error
    assert result.cpu_s > 0.3
    assert result.peak_memory_bytes > 100 << 20


def test_processor_time_is_limited(backend: LocalBackend) -> None:
    limits = Limits(call_timeout_s=60.0, cpu_s=1)
    result = run_script(backend, "while True: pass", limits=limits)
    assert (result.ok, result.exit_code) == (False, -9)

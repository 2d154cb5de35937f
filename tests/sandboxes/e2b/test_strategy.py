"""A strategy inside a sandbox at E2B: the real worker, honest and not."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from sandboxes.e2b.backend import E2BBackend
from sandboxes.e2b.sandbox import E2BSandbox
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
from sandboxes.sandbox import Source
from tests.sandboxes.e2b.fake import Fake

pytestmark = pytest.mark.asyncio
LIMITS = Limits(call_timeout_s=60.0)
HONEST = """
import numpy as np
def targets(bars, size):
    return np.where(bars.close > bars.close.mean(axis=0), size, 0.0)
"""


def source(text: str) -> Source:
    return Source(name="test", text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def bars(rows: int = 200, columns: int = 2) -> Mapping[str, Any]:
    close = np.arange(rows * columns, dtype=float).reshape(rows, columns) + 1.0
    table = dict.fromkeys(("close", "open", "high", "low", "volume"), close)
    return {"ts": np.arange(rows), **table}


async def loaded(backend: E2BBackend, text: str, **parameters: Any) -> E2BSandbox:
    sandbox = await backend.create("base", LIMITS)
    await sandbox.load(source(text), parameters)
    return sandbox


async def test_an_honest_strategy_gives_its_weights_again_and_again(backend: E2BBackend) -> None:
    sandbox = await loaded(backend, HONEST, size=0.25)
    close = bars()["close"]
    expected = np.where(close > close.mean(axis=0), 0.25, 0.0)
    for _ in range(3):
        assert np.array_equal(await sandbox.targets(bars()), expected)


async def test_a_long_table_goes_and_comes_in_pieces(backend: E2BBackend) -> None:
    """9.6 MB there, more than one request; 1.6 MB back, more than one frame."""
    sandbox = await loaded(backend, HONEST, size=0.25)
    weights = await sandbox.targets(bars(rows=50_000, columns=4))
    assert weights.shape == (50_000, 4)
    assert weights[-1].tolist() == [0.25] * 4


async def test_when_the_strategy_raises_it_is_told_and_lives_on(backend: E2BBackend) -> None:
    sandbox = await loaded(backend, "def targets(bars):\n    raise KeyError('x')\n")
    for _ in range(2):
        with pytest.raises(StrategyFailed) as failed:
            await sandbox.targets(bars())
        assert failed.value.name == "KeyError"


async def test_when_the_source_is_wrong_it_is_told(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", LIMITS)
    with pytest.raises(StrategyFailed, match="SyntaxError"):
        await sandbox.load(source("def targets(:"), {})


async def test_a_second_strategy_is_refused(backend: E2BBackend) -> None:
    sandbox = await loaded(backend, HONEST, size=0.25)
    with pytest.raises(SandboxRefused, match="has its strategy"):
        await sandbox.load(source(HONEST), {"size": 0.5})


async def test_without_a_strategy_no_weights(backend: E2BBackend) -> None:
    sandbox = await backend.create("base", LIMITS)
    with pytest.raises(SandboxRefused, match="load one"):
        await sandbox.targets(bars())


FORGED = """
import base64, msgpack, os
def targets(bars):
    body = msgpack.packb({"v": 1, "seq": 99, "kind": "done"})
    os.write(1, base64.b64encode(len(body).to_bytes(4, "little") + body) + b"\\n")
    return bars.close
"""
ENDLESS = """
import base64, msgpack, os
def targets(bars):
    piece = {"v": 1, "seq": 4, "kind": "weights", "shape": bars.close.shape, "data": bytes(800), "last": False}
    body = msgpack.packb(piece)
    while True:
        os.write(1, base64.b64encode(len(body).to_bytes(4, "little") + body) + b"\\n")
"""
HOSTILE = {
    "endless": (ENDLESS, InvalidResult),
    "nan": (
        "import numpy as np\ndef targets(bars):\n    return bars.close * np.nan\n",
        InvalidResult,
    ),
    "huge": ("def targets(bars):\n    return bars.close * 1e300\n", InvalidResult),
    "shape": ("def targets(bars):\n    return bars.close[1:]\n", InvalidResult),
    "text": ("def targets(bars):\n    return 'all in'\n", InvalidResult),
    "noise": (
        "import os\ndef targets(bars):\n    os.write(1, b'no frame at all\\n')\n    return bars.close\n",
        ProtocolViolation,
    ),
    "forged": (
        FORGED,
        ProtocolViolation,
    ),
    "flood": (
        "import os\ndef targets(bars):\n    while True:\n        os.write(1, b'A' * 65536)\n",
        ProtocolViolation,
    ),
    "spin": ("def targets(bars):\n    while True:\n        pass\n", SandboxTimeout),
    "exit": ("import os\ndef targets(bars):\n    os._exit(3)\n", SandboxCrashed),
    "lines": (
        "import os\ndef targets(bars):\n    while True:\n        os.write(1, b'QUFB\\n')\n",
        ProtocolViolation,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_strategy_costs_its_own_sandbox_alone(
    fake: Fake, backend: E2BBackend, name: str
) -> None:
    text, meant = HOSTILE[name]
    other = await loaded(backend, HONEST, size=0.25)
    sandbox = await loaded(backend, text)
    with pytest.raises(meant):
        await sandbox.targets(bars(), timeout_s=1.0 if name == "spin" else None)
    assert list(fake.guests) == [other.id]
    with pytest.raises(SandboxGone):
        await sandbox.targets(bars())
    assert (await other.targets(bars())).shape == (200, 2)


async def test_inside_there_is_no_network_and_no_process_either(backend: E2BBackend) -> None:
    """The machine has no network; the worker gives up its rights as well."""
    text = (
        "import socket, os\n"
        "def targets(bars):\n"
        "    held = 0\n"
        "    for attack in (lambda: socket.socket(), os.fork, lambda: open('/tmp/x', 'w')):\n"
        "        try:\n"
        "            attack()\n"
        "        except PermissionError:\n"
        "            held += 1\n"
        "    return bars.close * 0 + held\n"
    )
    sandbox = await loaded(backend, text)
    assert (await sandbox.targets(bars()))[0, 0] == 3.0


async def test_when_the_sandbox_vanishes_in_the_middle_it_is_gone(
    fake: Fake, backend: E2BBackend
) -> None:
    sandbox = await loaded(backend, HONEST, size=0.25)
    await sandbox.targets(bars())
    fake.vanish(sandbox.id)
    with pytest.raises((SandboxGone, SandboxCrashed)):
        await sandbox.targets(bars())


@pytest.mark.parametrize("status", [401, 404, 429, 503])
async def test_when_a_call_is_turned_away_the_sandbox_is_ended(
    fake: Fake, backend: E2BBackend, status: int
) -> None:
    sandbox = await loaded(backend, HONEST, size=0.25)
    fake.fail("SendInput", status)
    with pytest.raises((SandboxBusy, SandboxGone, SandboxRefused)):
        await sandbox.targets(bars())
    assert fake.guests == {}


async def test_when_it_cannot_be_ended_both_failures_are_told(
    fake: Fake, backend: E2BBackend
) -> None:
    sandbox = await loaded(backend, HOSTILE["nan"][0])
    fake.fail("DELETE", 500, times=2, headers={"Should-Retry": "false"})
    with pytest.raises(InvalidResult) as failed:
        await sandbox.targets(bars())
    assert "could not be ended" in failed.value.__notes__[0]
    await sandbox.kill()
    assert fake.guests == {}


async def test_ending_it_again_does_nothing(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await loaded(backend, HONEST, size=0.25)
    await sandbox.kill()
    await sandbox.kill()
    assert fake.requests.count(f"DELETE /sandboxes/{sandbox.id}") == 1


async def test_when_a_library_is_missing_the_first_call_says_so(
    fake: Fake, backend: E2BBackend
) -> None:
    sandbox = await backend.create("base", LIMITS)
    (fake.guests[sandbox.id].envd.root / "bin/python3").write_text(
        "#!/bin/sh\necho no msgpack >&2; exit 1\n"
    )
    with pytest.raises(SandboxCrashed, match="no msgpack"):
        await sandbox.load(source(HONEST), {"size": 1.0})

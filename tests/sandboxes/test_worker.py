"""The worker alone, with code of our own: it is the same file that is sent to E2B."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from sandboxes import worker
from sandboxes.attacks.run import some_bars, source_of
from sandboxes.frames import LENGTH_BYTES, bars_requests, load_request, request

PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))


class Lines:
    """The other side of a worker that speaks in lines."""

    def __init__(self) -> None:
        program = [sys.executable, "-I", "-S", "-B", worker.__file__, PACKAGES, "--lines"]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, *frames: bytes) -> None:
        assert self.process.stdin is not None
        for frame in frames:
            self.process.stdin.write(base64.b64encode(frame) + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        frame = base64.b64decode(self.process.stdout.readline())
        assert int.from_bytes(frame[:LENGTH_BYTES], "little") == len(frame) - LENGTH_BYTES
        answer: dict[str, Any] = msgspec.msgpack.decode(frame[LENGTH_BYTES:])
        return answer

    def ask(self, *frames: bytes) -> dict[str, Any]:
        self.send(*frames)
        return self.answer()


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()
    yield made
    made.process.kill()
    made.process.communicate()


def load(lines: Lines, text: str, **parameters: object) -> dict[str, Any]:
    return lines.ask(load_request(2, source_of("own.py", text), parameters))


def test_modules_are_loaded_at_the_start(lines: Lines) -> None:
    hello = lines.ask(request("start", 1, preload=["numpy"]))
    assert hello == {"v": 1, "seq": 1, "kind": "hello", "pid": lines.process.pid}


def test_module_that_is_missing_is_told(lines: Lines) -> None:
    assert lines.ask(request("start", 1, preload=["no_such"]))["name"] == "ModuleNotFoundError"


def test_strategy_answers(lines: Lines) -> None:
    loaded = load(
        lines, "def targets(bars, *, by=1):\n    print('hi')\n    return bars.close * by", by=0
    )
    assert loaded["kind"] == "done"
    answer = lines.ask(*bars_requests(3, some_bars()))
    assert (answer["kind"], answer["shape"], answer["last"]) == ("weights", [60, 2], True)
    assert not np.frombuffer(answer["data"]).any()


def test_long_answer_comes_in_pieces(lines: Lines) -> None:
    load(lines, "import numpy as np\ndef targets(bars):\n    return np.ones((100_000, 1))")
    lines.send(*bars_requests(3, some_bars()))
    pieces = [lines.answer()]
    while not pieces[-1]["last"]:
        pieces.append(lines.answer())
    assert len(pieces) == 2
    assert sum(len(piece["data"]) for piece in pieces) == 800_000


@pytest.mark.parametrize("what", ["'buy'", "None", "bars.close > 0", "{1: 2}"])
def test_what_is_no_table_of_numbers_is_told(lines: Lines, what: str) -> None:
    load(lines, f"def targets(bars):\n    return {what}")
    assert lines.ask(*bars_requests(3, some_bars()))["kind"] == "invalid"


def test_failed_question_leaves_no_piece_behind(lines: Lines) -> None:
    load(lines, "def targets(bars):\n    assert len(bars) == 60\n    return bars.close * 0")
    assert lines.ask(*bars_requests(3, some_bars(10)))["name"] == "AssertionError"
    assert lines.ask(*bars_requests(4, some_bars(60)))["kind"] == "weights"


def test_worker_ends_when_the_host_hangs_up(lines: Lines) -> None:
    assert lines.process.stdin is not None
    lines.process.stdin.close()
    assert lines.process.wait(30) == 0
    lines.process.stdin = None


@pytest.mark.parametrize(
    ("ending", "status"),
    [("pass", 0), ("raise SystemExit(3)", 3), ("raise SystemExit('no')", 1), ("1 / 0", 1)],
)
def test_script_ends_with_its_status(lines: Lines, ending: str, status: int) -> None:
    text = f"if __name__ == '__main__':\n    open('a.txt', 'w').write('kept')\n    {ending}"
    answer = lines.ask(request("run", 5, name="script.py", text=text))
    assert (answer["kind"], answer["name"], answer["data"]) == ("file", "a.txt", b"kept")
    assert lines.answer()["kind"] == "done"
    assert lines.process.wait(30) == status

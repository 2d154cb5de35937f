"""Runs inside the sandbox: loads a strategy and answers with its weights, or runs one script.

    worker.py SITE READ WRITE     frames on two descriptors; SITE is a folder of packages
    worker.py SITE --lines        frames as lines of base64 on standard input and output

It needs the standard library, msgpack, and numpy for strategies; nothing of the project. Modules are loaded
before the filter of system calls goes on, strategies and scripts after. `sandboxes.frames` holds the messages.
"""

import base64
import builtins
import ctypes
import importlib
import inspect
import io
import os
import re
import struct
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from typing import Any, Protocol

VERSION = 1
PIECE_BYTES = 512 << 10
"""Of an answer in one frame."""
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SET_MODE_FILTER, ALL_THREADS = 1, 1
NO_NEW_PRIVILEGES = 38

_exec = builtins.exec


class Line(Protocol):
    """Frames in and out."""

    def read(self) -> bytes | None: ...

    def write(self, body: bytes) -> None: ...


class Descriptors:
    """Frames behind a length on two descriptors."""

    def __init__(self, read: int, write: int) -> None:
        self._in, self._out = read, write

    def read(self) -> bytes | None:
        prefix = self._exactly(4)
        return self._exactly(int.from_bytes(prefix, "little")) if prefix else None

    def write(self, body: bytes) -> None:
        rest = memoryview(len(body).to_bytes(4, "little") + body)
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self._in, min(count, 1 << 20))
            if not part:
                return b""
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Lines:
    """Frames as lines of base64; what the code itself prints goes to standard error."""

    def __init__(self) -> None:
        self._in, self._out = sys.stdin.buffer, sys.stdout.buffer
        sys.stdout = sys.stderr

    def read(self) -> bytes | None:
        line = self._in.readline()
        return base64.b64decode(line)[4:] if line else None

    def write(self, body: bytes) -> None:
        self._out.write(base64.b64encode(len(body).to_bytes(4, "little") + body) + b"\n")
        self._out.flush()


class Bars:
    """What a strategy sees: read-only arrays, oldest bar first.

    `ts` is (time,) int64; `close open high low volume` and each of `signals` are (time, instrument) float64.
    """

    def __init__(
        self, arrays: dict[str, Any], instrument_ids: tuple[str, ...], columns: int
    ) -> None:
        self.ts = arrays.pop("ts")
        self.close = arrays.pop("close")
        self.open = arrays.pop("open", self.close)
        self.high = arrays.pop("high", self.close)
        self.low = arrays.pop("low", self.close)
        self.volume = arrays.pop("volume", None)
        self.signals = arrays
        self.instrument_ids = instrument_ids or tuple(str(each) for each in range(columns))

    def __len__(self) -> int:
        return len(self.ts)


class Strategy:
    """One loaded strategy and the table that it is being sent."""

    def __init__(self, name: str, text: str, parameters: dict[str, Any]) -> None:
        module = types.ModuleType("strategy")
        module.__file__ = name
        sys.modules["strategy"] = module
        _exec(compile(text, name, "exec"), module.__dict__)
        self._targets: Any = module.__dict__.get("targets")
        if not callable(self._targets):
            raise TypeError("a strategy needs a function `targets(bars)`")
        inspect.signature(self._targets).bind(None, **parameters)
        self._parameters = parameters
        self._pieces: dict[str, list[bytes]] = {}

    def take(self, piece: Mapping[str, Any]) -> Any:
        """Add a piece of a table; after the last one return what the strategy says, else None."""
        import numpy as np

        for name, data in piece["arrays"].items():
            self._pieces.setdefault(name, []).append(data)
        if not piece["last"]:
            return None
        columns, arrays = piece["columns"], {}
        for name, parts in self._pieces.items():
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            kind = np.dtype("<i8" if name == "ts" else "<f8")
            flat = np.frombuffer(data, dtype=kind)
            arrays[name] = flat if name == "ts" else flat.reshape(-1, columns)
        self._pieces = {}
        bars = Bars(arrays, tuple(piece["instrument_ids"]), columns)
        return (self._targets(bars, **self._parameters),)


class Kept(io.BytesIO):
    """A file that a script writes: kept in memory, for there is no place on a disk."""

    def __init__(self, files: dict[str, "bytes | Kept"], name: str, data: bytes) -> None:
        super().__init__(data)
        self._files, self._name = files, name
        files[name] = self

    def close(self) -> None:
        if not self.closed:
            self._files[self._name] = self.getvalue()
        super().close()


def opener(files: dict[str, "bytes | Kept"]) -> Callable[..., Any]:
    """Return an `open` that keeps what is written to a plain name in this folder in memory."""
    real = io.open

    def open_kept(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *rest: Any,
        **options: Any,
    ) -> Any:
        name = name_of(file)
        writes = bool(set(mode) & set("wax+"))
        if name is None or not (writes or name in files):
            return real(file, mode, buffering, encoding, errors, newline, *rest, **options)
        if "x" in mode and name in files:
            raise FileExistsError(name)
        held = files.get(name, b"")
        old = held.getvalue() if isinstance(held, Kept) else held
        kept = Kept(files, name, b"" if set(mode) & set("wx") else old)
        if "a" in mode:
            kept.seek(0, io.SEEK_END)
        return kept if "b" in mode else io.TextIOWrapper(kept, encoding or "utf-8", errors, newline)

    return open_kept


def name_of(file: Any) -> str | None:
    """Return the plain name of a file in this folder, or None for anything else."""
    if not isinstance(file, str | os.PathLike):
        return None
    path = os.path.relpath(os.fspath(file)) if str(file).startswith("/") else os.fspath(file)
    name = str(path).removeprefix("./")
    return name if FILE_NAME.fullmatch(name) else None


def lock(number: int, program: bytes) -> None:
    """Put the filter of system calls on all threads of this process, for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    left = libc.syscall(number, SET_MODE_FILTER, ALL_THREADS, head)
    if left:
        raise OSError(ctypes.get_errno(), f"seccomp {left}")


class Worker:
    """Answers one request after another until the host hangs up."""

    def __init__(self, line: Line, pack: Callable[[Any], bytes]) -> None:
        self._line, self._pack = line, pack
        self._strategy: Strategy | None = None

    def answer(self, seq: int, kind: str, **fields: Any) -> None:
        self._line.write(self._pack({"v": VERSION, "seq": seq, "kind": kind, **fields}))

    def serve(self, unpack: Callable[[bytes], Any]) -> None:
        while (body := self._line.read()) is not None and body:
            message = unpack(body)
            seq, op = message["seq"], message["op"]
            try:
                getattr(self, f"on_{op}")(seq, message)
            except Exception as error:
                text = traceback.format_exc()[-4000:]
                name = type(error).__name__
                self.answer(seq, "failed", name=name, message=str(error)[:500], trace=text)

    def on_start(self, seq: int, message: Mapping[str, Any]) -> None:
        for name in message["preload"]:
            importlib.import_module(name)
        self.answer(seq, "hello", pid=os.getpid())

    def on_lock(self, seq: int, message: Mapping[str, Any]) -> None:
        lock(message["number"], message["filter"])
        self.answer(seq, "done")

    def on_load(self, seq: int, message: Mapping[str, Any]) -> None:
        self._strategy = Strategy(message["name"], message["text"], message["parameters"])
        self.answer(seq, "done")

    def on_bars(self, seq: int, message: Mapping[str, Any]) -> None:
        assert self._strategy is not None
        found = self._strategy.take(message)
        if found is not None:
            self._answer_weights(seq, found[0])

    def _answer_weights(self, seq: int, found: Any) -> None:
        import numpy as np

        weights = np.asarray(found)
        if weights.dtype.kind not in "fiu":
            self.answer(seq, "invalid", what=f"{type(found).__name__} of {weights.dtype}"[:100])
            return
        data = np.ascontiguousarray(weights, dtype="<f8").tobytes()
        shape = list(weights.shape)
        for start in range(0, max(len(data), 1), PIECE_BYTES):
            stop = start + PIECE_BYTES
            piece, last = data[start:stop], stop >= len(data)
            self.answer(seq, "weights", shape=shape, data=piece, last=last)

    def on_run(self, seq: int, message: Mapping[str, Any]) -> None:
        files: dict[str, bytes | Kept] = {}
        builtins.open = io.open = opener(files)
        status = run_script(message["name"], message["text"])
        for name, held in list(files.items()):
            data = held.getvalue() if isinstance(held, Kept) else held
            for start in range(0, max(len(data), 1), PIECE_BYTES):
                self.answer(seq, "file", name=name, data=data[start : start + PIECE_BYTES])
        self.answer(seq, "done")
        os._exit(status)


def run_script(name: str, text: str) -> int:
    """Run a script as the main module and return its exit status."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    status = 0
    try:
        _exec(compile(text, name, "exec"), main.__dict__)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            sys.stderr.write(ended.code + "\n")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status & 0xFF


def main(arguments: list[str]) -> None:
    site, *rest = arguments
    if site:
        sys.path.append(site)
    line: Line = Lines() if rest == ["--lines"] else Descriptors(*map(int, rest))
    import msgpack  # type: ignore[import-untyped]

    def unpack(body: bytes) -> Any:
        return msgpack.unpackb(body, raw=False, max_bin_len=len(body), max_str_len=len(body))

    Worker(line, msgpack.Packer().pack).serve(unpack)


if __name__ == "__main__":
    main(sys.argv[1:])

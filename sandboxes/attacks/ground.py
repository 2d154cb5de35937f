"""What is planted on the host before an attack, and how one sees afterwards whether it was touched."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

SHARED = Path("/dev/shm")  # noqa: S108
CONTENT = "canary"


class Planted:
    """Canaries of one run. `told` is what the payloads are told of them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        token = secrets.token_hex(8)
        self.key_file = folder / "id_ed25519"
        self.key_file.write_text(CONTENT, encoding="ascii")
        self.key_file.chmod(0o644)
        self.shared_file = SHARED / f"canary-{token}"
        self.shared_file.write_text(CONTENT, encoding="ascii")
        self.shared_file.chmod(0o666)
        stack.callback(self.shared_file.unlink)
        self._folder = folder
        self._listeners = _listeners(folder, token, stack)
        secret = _secret(token, stack)
        self.victim = _victim(stack)  # with the secret in its environment
        self.told: dict[str, Any] = {
            "key_file": str(self.key_file),
            "secret": secret,
            "shared_file": str(self.shared_file),
            "tcp_port": self._listeners["tcp"].getsockname()[1],
            "udp_port": self._listeners["udp"].getsockname()[1],
            "unix_path": str(folder / "socket"),
            "abstract_name": token,
            "victim": self.victim.pid,
            "parent": os.getpid(),
        }
        _leave_open(self.key_file, stack)
        self._entries = self._inventory()

    def disturbed(self) -> list[str]:
        """Return what an attack has left behind on the host."""
        found = [
            f"{name} was reached" for name, each in self._listeners.items() if _was_reached(each)
        ]
        if self.victim.poll() is not None:
            found.append("the victim was killed")
        if self._inventory() != self._entries:
            found.append("files of the host changed")
        return found

    def _inventory(self) -> list[tuple[str, int, int]]:
        paths = sorted((*self._folder.iterdir(), self.shared_file))
        states = [(str(path), path.lstat()) for path in paths]
        return [(path, state.st_size, state.st_mtime_ns) for path, state in states]


@contextmanager
def planted() -> Iterator[Planted]:
    """Plant canaries: files, a secret, listeners, a process, open descriptors."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="sandbox-canaries-"))
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        yield Planted(folder, stack)


def _secret(token: str, stack: ExitStack) -> str:
    name, secret = f"CANARY_{token}", secrets.token_hex(16)
    os.environ[name] = secret
    stack.callback(os.environ.pop, name)
    return secret


def _listeners(folder: Path, token: str, stack: ExitStack) -> dict[str, socket.socket]:
    kinds: dict[str, tuple[int, int, Any]] = {
        "tcp": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        "udp": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        "the unix socket": (socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "socket")),
        "the abstract socket": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{token}"),
    }
    made = {}
    for name, (family, kind, address) in kinds.items():
        line = stack.enter_context(closing(socket.socket(family, kind)))
        line.bind(address)
        line.setblocking(False)
        if kind == socket.SOCK_STREAM:
            line.listen()
        made[name] = line
    (folder / "socket").chmod(0o777)
    return made


def _was_reached(line: socket.socket) -> bool:
    try:
        if line.type == socket.SOCK_DGRAM:
            line.recv(1)
        else:
            line.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _victim(stack: ExitStack) -> "subprocess.Popen[bytes]":
    """Start a process that waits."""
    program = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
    victim = subprocess.Popen(program, stdin=subprocess.PIPE)
    stack.enter_context(victim)
    stack.callback(victim.kill)
    return victim


def _leave_open(path: Path, stack: ExitStack) -> None:
    """Open descriptors that a careless start would hand down."""
    for place in (path, Path("/")):
        descriptor = os.open(place, os.O_RDONLY)
        os.set_inheritable(descriptor, True)
        stack.callback(os.close, descriptor)

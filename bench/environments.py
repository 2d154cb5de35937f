"""Peers, each in a virtual environment of its own: their requirements clash with ours and with each other's.

A peer is two files: `peers/<name>.txt` pins its versions, `peers/with_<name>.py FOLDER` does the work that
lies in a folder (see `workload`) and prints one JSON line:

    {"subject": name and version, "seconds": [one per repetition], "equity": [one per pair], "note": text}
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(__file__).parents[1] / ".venv-bench"
INSTALL_LIMIT_S = 900


class PeerUnavailable(Exception):
    """A peer could not be installed, failed, or took too long; the text says which."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one subject found.

    Attributes
    ----------
    seconds : tuple of float
        One per repetition.
    equity : tuple of float
        At the end, one per pair.
    """

    subject: str
    seconds: tuple[float, ...]
    equity: tuple[float, ...]
    note: str = ""


def run_peer(peer: str, folder: Path, limit_s: float) -> Finding:
    """Let a peer do the work in `folder`.

    Raises
    ------
    PeerUnavailable
        If there is no result, with the reason.
    """
    command = [python_of(peer), HERE / f"with_{peer}.py", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerUnavailable(f"stopped after {limit_s:.0f} s") from error
    if done.returncode != 0:
        raise PeerUnavailable(f"failed: {_last_line(done.stderr)}")
    try:
        found = json.loads(_last_line(done.stdout))
    except ValueError as error:
        raise PeerUnavailable(f"printed no result: {_last_line(done.stdout)!r}") from error
    return Finding(found["subject"], tuple(found["seconds"]), tuple(found["equity"]), found["note"])


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment, which is made when its pins are not installed.

    Raises
    ------
    PeerUnavailable
        If the pins cannot be installed.
    """
    home, pins = ENVIRONMENTS / peer, HERE / f"{peer}.txt"
    python, installed = home / "bin" / "python", home / "installed.txt"
    if installed.exists() and installed.read_bytes() == pins.read_bytes():
        return python
    ENVIRONMENTS.mkdir(exist_ok=True)
    (ENVIRONMENTS / ".gitignore").write_text("*\n", encoding="utf-8")
    _install([sys.executable, "-m", "venv", "--clear", str(home)])
    _install([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(pins)])
    installed.write_bytes(pins.read_bytes())
    return python


def _install(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PeerUnavailable(f"not installed within {INSTALL_LIMIT_S} s") from error
    if done.returncode != 0:
        raise PeerUnavailable(f"not installed: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]

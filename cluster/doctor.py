"""What must be in order on this machine before the cluster trades: each check with a remedy."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from actors.journal.open import open_journal
from cluster.config import Config
from cluster.config.safety import is_private
from cluster.history import journal_exists
from trading.errors import TradingError

PYTHON_MIN = (3, 11)
DISK_FREE_MIN = 1_000_000_000
SHM_FREE_MIN = 500_000_000
DRIFT_MAX_MS = 250.0
DRIFT_WINDOW_S = 0.2
PORTS = {"Ray GCS": 6379, "Ray dashboard": 8265}
COMMAND_TIMEOUT_S = 5.0

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found; `remedy` is empty when all is well."""

    check: str
    level: Level
    message: str
    remedy: str = ""


def examine(config: Config) -> list[Finding]:
    """Run every check. None raises: what cannot be found out is a warning."""
    checks: list[Callable[[], Iterable[Finding]]] = [
        lambda: [check_python(sys.version_info[:2])],
        lambda: [check_ray(), check_ray_auth(config, dict(os.environ))],
        lambda: [check_port(name, config.cluster.bind, port) for name, port in PORTS.items()],
        lambda: [check_clock_drift(), check_clock_sync(Path("/run/systemd/timesync/synchronized"))],
        lambda: [check_state_dir(config.cluster.state_dir)],
        lambda: check_journal(config),
        lambda: [check_gpu(), check_onnxruntime()],
        lambda: [
            check_private("permissions of .env", Path(".env")),
            check_private("cluster secret", config.cluster.secret_file),
        ],
        lambda: [check_shared_memory(Path("/dev/shm"))],  # noqa: S108
    ]
    return [finding for check in checks for finding in check()]


def check_python(found: tuple[int, ...]) -> Finding:
    text = ".".join(map(str, found))
    if found >= PYTHON_MIN:
        return _ok("python", f"Python {text}")
    wanted = ".".join(map(str, PYTHON_MIN))
    return _fail("python", f"Python {text} is too old.", f"Install Python {wanted} or newer.")


def check_ray() -> Finding:
    try:
        return _ok("ray", f"Ray {version('ray')}")
    except PackageNotFoundError:
        return _fail("ray", "Ray is not installed.", "Run `make install`.")


def check_ray_auth(config: Config, environ: dict[str, str]) -> Finding:
    mode = environ.get("RAY_AUTH_MODE", "token")
    if mode != "token":
        return _warn(
            "ray auth",
            f"RAY_AUTH_MODE is {mode!r}: everybody on this machine can steer Ray.",
            "Unset RAY_AUTH_MODE; then Ray asks for its token.",
        )
    if environ.get("RAY_AUTH_TOKEN"):
        return _ok("ray auth", "token authentication, token from RAY_AUTH_TOKEN")
    named = environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else config.cluster.state_dir / "ray_token"
    if path.is_file():
        return check_private("ray auth", path)
    if named:
        return _fail(
            "ray auth",
            f"RAY_AUTH_TOKEN_PATH names {path}, which is not there.",
            "Correct it, or unset it: then the cluster makes a token of its own.",
        )
    return _ok("ray auth", "token authentication; the token is made at the first start")


def check_port(name: str, address: str, port: int) -> Finding:
    check = f"port {port}"
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((address, port)) != 0:
            return _ok(check, f"free ({name})")
    owner = _owner_of(port)
    if "ray" in owner or "gcs_server" in owner:
        return _ok(check, f"in use by {owner}: Ray is running ({name})")
    return _warn(
        check,
        f"in use by {owner}; {name} wants it.",
        "Stop that program, or join a Ray that runs already with --address auto.",
    )


def check_clock_drift() -> Finding:
    """Compare the wall clock with the monotonic one: a step or a bad slew shows within moments.

    The monotonic clock is read on both sides of the other, so a pause between two readings is no drift.
    """
    start, wall, started = time.monotonic(), time.time(), time.monotonic()
    time.sleep(DRIFT_WINDOW_S)
    end, passed, ended = time.monotonic(), time.time() - wall, time.monotonic()
    drift_ms = max(end - started - passed, passed - (ended - start), 0.0) * 1000
    if drift_ms <= DRIFT_MAX_MS:
        return _ok("clock drift", f"wall and monotonic clock agree to {drift_ms:.2f} ms")
    return _fail(
        "clock drift",
        f"the wall clock moved {drift_ms:.0f} ms against the monotonic one.",
        "Find out what sets the clock; orders are halted when it is off by a second.",
    )


def check_clock_sync(timesyncd_mark: Path) -> Finding:
    """Ask systemd-timesyncd, then chrony, whether the clock is synchronised."""
    if timesyncd_mark.exists():
        return _ok("clock sync", "synchronised by systemd-timesyncd")
    tracking = _output(["chronyc", "-n", "tracking"])
    if tracking is None:
        return _warn(
            "clock sync",
            "unknown: neither systemd-timesyncd nor chrony answers.",
            "Install chrony for live trading; in a container the host keeps the clock.",
        )
    if "Leap status     : Normal" in tracking:
        return _ok("clock sync", "synchronised by chrony")
    return _fail("clock sync", "chrony is not synchronised.", "See `chronyc sources`.")


def check_state_dir(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return _fail(
            "disk",
            f"{existing} cannot be written, so {folder} cannot be used.",
            "Change its owner, or set cluster.state_dir to a folder of yours.",
        )
    free = shutil.disk_usage(existing).free
    if free < DISK_FREE_MIN:
        return _fail("disk", f"{_size(free)} free at {folder}.", "Make room; 1 GB is the least.")
    return _ok("disk", f"{folder} can be written, {_size(free)} free")


def check_journal(config: Config) -> list[Finding]:
    """Verify the hash chain of every stream, to the last record."""
    url = config.cluster.journal
    if not journal_exists(url):
        return [_ok("journal", "none yet; the first start makes it")]
    try:
        journal = open_journal(url)
    except TradingError as error:
        return [_fail("journal", str(error), "Correct cluster.journal, or start its server.")]
    try:
        damaged, records = [], 0
        for stream in journal.streams():
            try:
                records += journal.verify(stream)
            except TradingError as error:
                damaged.append(
                    _fail(
                        "journal",
                        str(error),
                        "Keep a copy of the folder, then restore from a backup.",
                    )
                )
        return damaged or [_ok("journal", f"{records:,} records, every hash chain holds")]
    except TradingError as error:
        return [_fail("journal", str(error), "Correct cluster.journal, or start its server.")]
    finally:
        journal.close()


def check_gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return _ok("gpu", "none found; everything runs on the CPU")
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    names = _output(query)
    if names is None:
        return _warn("gpu", "nvidia-smi does not answer.", "Check the driver; the CPU is used now.")
    return _ok("gpu", "; ".join(names.strip().splitlines()))


def check_onnxruntime() -> Finding:
    if importlib.util.find_spec("onnxruntime") is None:
        return _ok("onnxruntime", "not installed; no forecasts are served")
    import onnxruntime

    return _ok("onnxruntime", f"providers {', '.join(onnxruntime.get_available_providers())}")


def check_private(check: str, path: Path) -> Finding:
    """Check that only its owner can read a file; one that does not exist is fine."""
    if not path.is_file():
        return _ok(check, f"no {path.name}")
    if is_private(path):
        return _ok(check, f"{path} can be read by its owner alone")
    return _fail(check, f"{path} can be read by others.", f"Run `chmod 600 {path}`.")


def check_shared_memory(mount: Path) -> Finding:
    """Check the room for Ray's object store."""
    if not mount.is_dir():
        return _warn("shared memory", f"{mount} is not there.", "Ray uses the disk: slower.")
    free = shutil.disk_usage(mount).free
    if free < SHM_FREE_MIN:
        return _warn(
            "shared memory",
            f"{_size(free)} free in {mount}.",
            "In Docker, start the container with --shm-size=1g.",
        )
    return _ok("shared memory", f"{_size(free)} free in {mount}")


def _owner_of(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {connection.pid})"
    except psutil.Error:
        pass  # other people's processes are not ours to see
    return "an unknown program"


def _output(command: list[str]) -> str | None:
    """Return what a command prints; None when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"


def _ok(check: str, message: str) -> Finding:
    return Finding(check=check, level="ok", message=message)


def _warn(check: str, message: str, remedy: str) -> Finding:
    return Finding(check=check, level="warn", message=message, remedy=remedy)


def _fail(check: str, message: str, remedy: str) -> Finding:
    return Finding(check=check, level="fail", message=message, remedy=remedy)

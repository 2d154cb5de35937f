"""Is this machine fit to trade? Each check says ok, warn or fail, what it found and what to do.

Nothing here starts Ray, changes a file or leaves the machine.
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

from actors.journal.open import open_journal
from cluster.cli.folders import sqlite_folder
from cluster.config import Config
from cluster.config.safety import is_loopback, is_private
from cluster.config.secret import SECRET_BYTES
from cluster.logs import without_password
from cluster.ray_runtime import DASHBOARD_PORT, HEAD_PORT
from trading.errors import TradingError

PYTHON_MIN = (3, 11)
CLOCK_SAMPLE_S = 0.2
CLOCK_DRIFT_MS_WARN = 5.0
CLOCK_DRIFT_MS_FAIL = 100.0
GIB = 2**30
DISK_FREE_WARN = 2 * GIB
DISK_FREE_FAIL = GIB // 5
SHARED_MEMORY_MIN = GIB // 2
COMMAND_TIMEOUT_S = 5.0


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One finding. `remedy` is one sentence, empty when there is nothing to do."""

    name: str
    status: Status
    finding: str
    remedy: str = ""


def examine(config: Config) -> list[Check]:
    """Run every check for `config`, in the order in which a person would mend things."""
    checks: list[Callable[[], Check]] = [
        check_python,
        check_ray,
        lambda: check_authentication(config),
        lambda: check_port(HEAD_PORT, "Ray"),
        lambda: check_port(DASHBOARD_PORT, "the Ray dashboard"),
        check_clock,
        check_time_service,
        lambda: check_folder(config.cluster.state_dir),
        lambda: check_disk(config.cluster.state_dir),
        check_shared_memory,
        lambda: check_journal(config.cluster.journal),
        check_gpu,
        check_onnxruntime,
        lambda: check_env_file(Path(".env"), is_live=config.cluster.mode == "live"),
        lambda: check_secret(config.cluster.secret_file, SECRET_BYTES),
        lambda: check_secret(config.cluster.state_dir / "ray_token"),
    ]
    return [check() for check in checks]


def check_python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_MIN:
        return Check("python", Status.FAIL, found, "Install Python 3.11 or newer.")
    return Check("python", Status.OK, found)


def check_ray() -> Check:
    try:
        return Check("ray", Status.OK, version("ray"))
    except PackageNotFoundError:
        return Check("ray", Status.FAIL, "not installed", "Run `make install`.")


def check_authentication(config: Config) -> Check:
    """Say how Ray will be protected; `cluster.ray_runtime.protect` does it."""
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode == "token":
        own = any(os.environ.get(key) for key in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
        origin = "from the environment" if own else "a token of our own, made on first start"
        return Check("ray authentication", Status.OK, f"token ({origin})")
    status = Status.WARN if is_loopback(config.cluster.bind) else Status.FAIL
    return Check(
        "ray authentication",
        status,
        f"RAY_AUTH_MODE is {mode!r}",
        "Unset RAY_AUTH_MODE: without its token every local user can run code in the cluster.",
    )


def check_port(port: int, purpose: str) -> Check:
    """Say whether a TCP port is free, or who listens on it."""
    name = f"port {port}"
    try:
        listeners = [
            connection
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        ]
    except psutil.AccessDenied:
        return Check(name, Status.WARN, "unknown (not permitted)", f"See `ss -ltn` for {port}.")
    if not listeners:
        return Check(name, Status.OK, f"free for {purpose}")
    return Check(
        name,
        Status.WARN,
        f"in use by {_process_name(listeners[0].pid)}",
        f"If that is your cluster, all is well; otherwise `trader up` cannot use it for {purpose}.",
    )


def check_clock() -> Check:
    """Compare the wall clock with the monotonic one over a moment: a jump shows as a difference."""
    wall, steady = time.time_ns(), time.monotonic_ns()
    time.sleep(CLOCK_SAMPLE_S)
    drift_ms = abs((time.time_ns() - wall) - (time.monotonic_ns() - steady)) / 1e6
    return judge_drift(drift_ms)


def judge_drift(drift_ms: float) -> Check:
    """Return the check for a difference of both clocks within one sample."""
    finding = f"wall and steady clock differ by {drift_ms:.3f} ms in {CLOCK_SAMPLE_S:g} s"
    if drift_ms < CLOCK_DRIFT_MS_WARN:
        return Check("clock", Status.OK, finding)
    status = Status.WARN if drift_ms < CLOCK_DRIFT_MS_FAIL else Status.FAIL
    return Check(
        "clock", status, finding, "Something steps the clock; let one time service slew it."
    )


def check_time_service() -> Check:
    """Ask systemd, then chrony, whether the clock is synchronised."""
    answer = _output_of("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if answer in ("yes", "no"):
        return _synchronised("timedatectl", is_synchronised=answer == "yes")
    tracking = _output_of("chronyc", "-n", "tracking")
    if "Leap status" in tracking:
        return _synchronised("chrony", is_synchronised="Not synchronised" not in tracking)
    return Check(
        "time service",
        Status.WARN,
        "unknown: neither timedatectl nor chronyc answers",
        "Make sure that this machine, or its host, runs a time service.",
    )


def check_folder(folder: Path) -> Check:
    """Say whether the state folder can be written, or made."""
    place = _existing(folder)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        made = "" if place == folder else " (made on first start)"
        return Check("state folder", Status.OK, f"{folder} can be written{made}")
    return Check(
        "state folder",
        Status.FAIL,
        f"{place} is {'not writable' if place.is_dir() else 'not a folder'}",
        "Set cluster.state_dir to a folder that you may write to.",
    )


def check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(_existing(folder)).free
    finding = f"{free / GIB:.1f} GiB free"
    if free >= DISK_FREE_WARN:
        return Check("disk", Status.OK, finding)
    status = Status.WARN if free >= DISK_FREE_FAIL else Status.FAIL
    return Check("disk", status, finding, "Make space: a journal that cannot grow refuses orders.")


def check_shared_memory(path: Path = Path("/dev/shm")) -> Check:  # noqa: S108
    if not path.is_dir():
        return Check("shared memory", Status.WARN, f"{path} is missing", "Mount a tmpfs there.")
    size = shutil.disk_usage(path).total
    finding = f"{path} has {size / GIB:.1f} GiB"
    if size >= SHARED_MEMORY_MIN:
        return Check("shared memory", Status.OK, finding)
    return Check("shared memory", Status.WARN, finding, "Enlarge it (docker: --shm-size=2g).")


def check_journal(url: str) -> Check:
    """Verify the hash chain of every stream. A journal that is not there yet is fine."""
    folder = sqlite_folder(url)
    if folder is not None and not folder.exists():
        return Check("journal", Status.OK, "none yet")
    try:
        journal = open_journal(url)
        try:
            counts = [journal.verify(stream) for stream in journal.streams()]
        finally:
            journal.close()
    except TradingError as error:
        return Check(
            "journal",
            Status.FAIL,
            without_password(str(error)),
            "Stop the cluster, and restore the journal from a copy, or set cluster.journal anew.",
        )
    return Check("journal", Status.OK, f"{len(counts)} streams, {sum(counts)} records, all intact")


def check_gpu() -> Check:
    found = _output_of("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    if found:
        return Check("gpu", Status.OK, "; ".join(found.splitlines()))
    if shutil.which("nvidia-smi"):
        return Check("gpu", Status.WARN, "nvidia-smi fails", "Install the driver of the kernel.")
    return Check("gpu", Status.OK, "none (not needed)")


def check_onnxruntime() -> Check:
    if importlib.util.find_spec("onnxruntime") is None:
        return Check("onnxruntime", Status.OK, "not installed (not needed)")
    onnxruntime = importlib.import_module("onnxruntime")

    providers = ", ".join(onnxruntime.get_available_providers())
    return Check("onnxruntime", Status.OK, f"{onnxruntime.__version__}: {providers}")


def check_env_file(path: Path, *, is_live: bool) -> Check:
    if not path.is_file():
        return Check(".env", Status.OK, "none")
    if is_private(path):
        return Check(".env", Status.OK, "readable by its owner alone")
    status = Status.FAIL if is_live else Status.WARN
    return Check(".env", status, "readable by others", "Run `chmod 600 .env`.")


def check_secret(path: Path, size: int | None = None) -> Check:
    """Check permissions, and the length in bytes if it is known, of a file that holds a secret."""
    name = f"{path.name} file"
    try:
        if not path.exists():
            return Check(name, Status.OK, "none yet (made on first start)")
        if not is_private(path):
            return Check(name, Status.FAIL, "readable by others", f"Run `chmod 600 {path}`.")
        if size is not None and path.stat().st_size != size:
            finding = f"{path.stat().st_size} bytes instead of {size}"
            remedy = f"Delete {path} while the cluster is down; a new one is made."
            return Check(name, Status.FAIL, finding, remedy)
    except OSError as error:
        remedy = f"Correct the owner of {path.parent}."
        return Check(name, Status.FAIL, f"cannot be read ({error.strerror})", remedy)
    return Check(name, Status.OK, "readable by its owner alone")


def _synchronised(service: str, *, is_synchronised: bool) -> Check:
    if is_synchronised:
        return Check("time service", Status.OK, f"synchronised ({service})")
    return Check(
        "time service",
        Status.WARN,
        f"not synchronised ({service})",
        "Start a time service, for example `systemctl enable --now chrony`.",
    )


def _process_name(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _existing(path: Path) -> Path:
    """Return `path`, or its nearest ancestor that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _output_of(*command: str) -> str:
    """Return what a command prints; nothing when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

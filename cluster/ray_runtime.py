"""Starting, joining and stopping Ray, always with token authentication.

`RAY_AUTH_MODE` must stand in the environment before Ray is imported, so nothing here imports Ray
at the top, and `protect` comes first everywhere.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from cluster.config import Config
from serve.auth.settings import is_loopback
from trading.errors import AuthError, ClusterUnreachable, ConfigError

SANDBOX = "sandbox"
"""Resource of the nodes that may run sandboxes."""
HEAD_PORT = 6379
DASHBOARD_PORT = 8265
SOCKET_PATH_MAX = 107 - len("/session_2026-11-21_21-07-57_266003_4194304/sockets/dash_MetricsHead")
"""Linux allows 107 characters for a unix socket, and so deep below its folder does Ray put them."""


def protect(config: Config) -> None:
    """Switch Ray's token authentication on, with a token of our own beside the cluster secret.

    Raises
    ------
    AuthError
        If the cluster listens beyond loopback while authentication was switched off by hand.
    """
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        if not is_loopback(config.cluster.bind):
            raise AuthError(
                f"cluster.bind is {config.cluster.bind} but RAY_AUTH_MODE is "
                f"{os.environ['RAY_AUTH_MODE']!r}; unset it: beyond loopback Ray needs its token."
            )
        return
    os.environ["RAY_AUTH_MODE"] = "token"
    if not any(os.environ.get(key) for key in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(_token_file(config))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


def start_local(config: Config) -> Any:
    """Start a Ray that ends with this process, and return the module."""
    protect(config)
    import ray

    ray.init(
        address="local",
        num_cpus=config.cluster.num_cpus,
        resources={SANDBOX: config.sandbox.places},
        include_dashboard=config.cluster.dashboard,
        dashboard_host=config.cluster.bind,
        log_to_driver=False,
        logging_level="ERROR",
        _temp_dir=str(_ray_folder(config)),
    )
    return ray


def join(config: Config, address: str) -> Any:
    """Connect to a running Ray.

    Raises
    ------
    ClusterUnreachable
        If nothing answers there, or it does not accept our token.
    """
    protect(config)
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit() and _is_free(host, int(port)):
        raise ClusterUnreachable(
            f"nothing listens at {address}; start a cluster with `trader up`, or correct "
            "cluster.address."
        )
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises a dozen kinds here, most of them undocumented
        raise ClusterUnreachable(
            f"no Ray cluster answers at {address!r} ({_first_line(error)}); start one with "
            "`trader up`, or correct cluster.address."
        ) from error
    return ray


def start_head(config: Config) -> str:
    """Start a Ray that outlives this process. Returns its address.

    Raises
    ------
    ConfigError
        If the port is taken: another Ray may be running.
    """
    protect(config)
    if not _is_free(config.cluster.bind, HEAD_PORT):
        raise ConfigError(
            f"port {HEAD_PORT} is in use: another Ray (or Redis) runs here. Join it with "
            "`trader up --address auto`, or stop it first."
        )
    command = [
        str(Path(sys.executable).with_name("ray")),
        *("start", "--head", f"--port={HEAD_PORT}", "--disable-usage-stats"),
        f"--node-ip-address={config.cluster.bind}",
        f"--include-dashboard={str(config.cluster.dashboard).lower()}",
        f"--dashboard-host={config.cluster.bind}",
        f"--temp-dir={_ray_folder(config)}",
    ]
    if config.sandbox.places:
        command.append(f"--resources={json.dumps({SANDBOX: config.sandbox.places})}")
    if config.cluster.num_cpus is not None:
        command.append(f"--num-cpus={config.cluster.num_cpus}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        stop_head(config)  # what it started until then
        raise ClusterUnreachable(f"Ray did not start: {done.stderr.strip()[-400:]}")
    return head_address(config)


def head_address(config: Config) -> str:
    """Return where the Ray of `trader up` listens on this machine."""
    return f"{config.cluster.bind}:{HEAD_PORT}"


def has_head(config: Config) -> bool:
    """Say whether the Ray that listens there is that of this cluster's `trader up`, not somebody else's."""
    ours = {f"--gcs_server_port={HEAD_PORT}", str(_ray_folder(config))}
    return any(
        all(any(each in part for part in process.info["cmdline"] or ()) for each in ours)
        for process in psutil.process_iter(["cmdline"])
    )


def stop_head(config: Config) -> int:
    """Stop the Ray processes that `start_head` of this cluster left. Returns how many."""
    folder = str(_ray_folder(config))
    ours = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(folder in part for part in process.info["cmdline"] or ())
        and process.pid != os.getpid()
    ]
    ours += [child for process in ours for child in _children(process)]
    for process in ours:
        _quietly(process.terminate)
    _, alive = psutil.wait_procs(ours, timeout=10)
    for process in alive:
        _quietly(process.kill)
    shutil.rmtree(folder, ignore_errors=True)
    return len(set(ours))


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _quietly(action: Any) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return


def _ray_folder(config: Config) -> Path:
    """Return the folder for Ray's session: short, because unix socket paths are."""
    folder = config.cluster.state_dir / "ray"
    if len(str(folder)) > SOCKET_PATH_MAX:
        folder = Path("/tmp") / f"trader-{os.getuid()}-{config.cluster.name}"  # noqa: S108
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _token_file(config: Config) -> Path:
    path = config.cluster.state_dir / "ray_token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return path


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) != 0


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200]

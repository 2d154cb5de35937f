"""Where a bus may listen: checked before a socket exists, with an error that says what to do."""

import ipaddress
import stat
from pathlib import Path

from trading.errors import ConfigError

IPC = "ipc"
_SOCKET_PATH_BYTES_MAX = 107  # sockaddr_un.sun_path, less its final zero
_SUFFIXES = (".cmd", ".pub")


def listening_endpoints(
    host: str, incarnation: str, run_dir: Path, bind: str, *, has_keys: bool
) -> tuple[str, str]:
    """Return the endpoints to bind for commands and for publications.

    Parameters
    ----------
    bind : str
        `ipc`: sockets in `run_dir`, which only its owner may enter. Otherwise an IP address of this
        machine, with or without `:port`; publications then use the port after it. Without a port,
        or with port 0, the system chooses both.

    Raises
    ------
    ConfigError
        If the address cannot be used, or would be open to strangers.
    """
    if bind == IPC:
        return _ipc_endpoints(host, incarnation, run_dir)
    return _tcp_endpoints(bind, has_keys=has_keys)


def is_tcp(endpoint: str) -> bool:
    return endpoint.startswith("tcp://")


def remove_sockets(host: str, run_dir: Path) -> None:
    """Remove what killed lives of `host` left in `run_dir`."""
    for path in run_dir.iterdir():
        if path.suffix in _SUFFIXES and path.name.startswith(f"{host}@"):
            path.unlink(missing_ok=True)


def _ipc_endpoints(host: str, incarnation: str, run_dir: Path) -> tuple[str, str]:
    if "/" in host or "@" in host:
        raise ConfigError(f"host name {host!r} must not hold a slash or an @; rename it.")
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(run_dir.stat().st_mode) & 0o077:
        raise ConfigError(f"{run_dir} is open to other users; run: chmod 700 {run_dir}")
    paths = [str(run_dir / f"{host}@{incarnation}{suffix}") for suffix in _SUFFIXES]
    if any(len(path.encode()) > _SOCKET_PATH_BYTES_MAX for path in paths):
        raise ConfigError(
            f"{paths[0]} is too long for a socket (at most {_SOCKET_PATH_BYTES_MAX} bytes); "
            "choose a shorter run folder."
        )
    return f"ipc://{paths[0]}", f"ipc://{paths[1]}"


def _tcp_endpoints(bind: str, *, has_keys: bool) -> tuple[str, str]:
    address, port = _split(bind.removeprefix("tcp://"))
    if address.is_unspecified:
        raise ConfigError(
            f"bind address {bind} names no machine; give the address by which others reach this one."
        )
    if not address.is_loopback and not has_keys:
        raise ConfigError(
            f"refusing to listen on {bind} without a cluster secret: anyone in the network could "
            "trade; set the secret, or bind to 127.0.0.1."
        )
    name = f"[{address}]" if address.version == 6 else str(address)
    return f"tcp://{name}:{port}", f"tcp://{name}:{port + 1 if port else 0}"


def _split(bind: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    text, port = bind, "0"
    if bind.startswith("["):
        text, _, port = bind[1:].partition("]")
        port = port.removeprefix(":") or "0"
    elif bind.count(":") == 1:
        text, _, port = bind.partition(":")
    try:
        address, number = ipaddress.ip_address(text), int(port)
    except ValueError:
        raise ConfigError(
            f"bind address {bind!r} is none; write `ipc`, `127.0.0.1` or `10.0.0.5:7400`."
        ) from None
    if not 0 <= number < 65535:
        raise ConfigError(f"bind address {bind!r}: the port must be from 0 to 65534.")
    return address, number
